//! Checkpoints: what all records so far add up to, so that a start need not read them.

use wharfmq_base::Lsn;
use wharfmq_core::record::{self, CheckpointWriter, NextIds};
use wharfmq_core::{MessageId, Order, QueueCell, QueueId};
use wharfmq_store::AppendError;

use super::Broker;

/// Live entries, or remembered values, gathered under one hold of a lock.
const GATHER: usize = 16 * 1024;

impl Broker {
    /// Writes a checkpoint. Blocks until it is on disk; queues are locked only in small steps.
    pub fn checkpoint(&self) -> Result<(), AppendError> {
        let upto = self.applied();
        let reserved = self.ids.reserve();
        let next = NextIds {
            message: MessageId(reserved),
            order: Order(reserved),
            queue: QueueId(self.queue_ids.load(std::sync::atomic::Ordering::Relaxed)),
        };
        let mut writer = CheckpointWriter::new(Vec::new(), next);
        let cells = self.queues.all();
        for cell in cells.iter().filter(|cell| cell.is_durable()) {
            let define =
                record::Define { queue: cell.id, class: cell.class, durable: true, name: &cell.name };
            writer.define(&define);
            for kept in self.bindings.kept(cell.id) {
                writer.bind(&kept.record(cell.id));
            }
        }
        for owner in self.states.owners() {
            self.write_states_of(owner, &mut writer);
        }
        self.write_producers(&mut writer);
        let wall = self.now().wall;
        for cell in cells.iter().filter(|cell| cell.is_durable() && cell.policy.drops_duplicates()) {
            let mut seen = cell.lock().queue().first_seen_since(wall);
            seen.sort_unstable_by_key(|(_, until)| *until);
            writer.seen(cell.id, &seen);
        }
        self.write_retained(&mut writer);
        for cell in cells.iter().filter(|cell| cell.is_durable()) {
            write_live(cell, &mut writer);
        }
        self.log.checkpoint(&writer.finish(), upto)
    }

    /// The last batch of which everything has been applied. What is gathered afterwards may hold more:
    /// replaying the batches after it again changes nothing.
    fn applied(&self) -> Lsn {
        let gate = self.gate.write();
        let upto = self.log.stats().appended;
        drop(gate);
        upto
    }

    fn write_states_of(&self, owner: QueueId, writer: &mut CheckpointWriter) {
        let mut behind = None;
        loop {
            let page = self.states.page(owner, behind.as_ref(), GATHER);
            for (key, value) in &page {
                writer.state(&record::State { owner, key, value: Some(value) });
            }
            let Some((last, _)) = page.into_iter().next_back() else { return };
            behind = Some(last);
        }
    }

    fn write_retained(&self, writer: &mut CheckpointWriter) {
        let mut orders: Vec<Order> = self.retained.store.lock().stored_orders().collect();
        orders.sort_unstable();
        for order in orders {
            writer.live(record::RETAINED, order, 0);
        }
    }
}

fn write_live(cell: &QueueCell, writer: &mut CheckpointWriter) {
    let mut live = Vec::new();
    let mut from = Some(Order(0));
    while let Some(cursor) = from {
        live.clear();
        from = cell.lock().queue().snapshot(cursor, GATHER, &mut live);
        for &(order, deliveries) in &live {
            writer.live(cell.id, order, deliveries);
        }
    }
}
