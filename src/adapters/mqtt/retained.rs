//! Retained messages for new subscriptions.

use std::collections::VecDeque;
use std::sync::Arc;

use wharfmq_core::{Message, SubTag};

use super::deliver::Outgoing;
use super::{OUT_HIGH, Open};
use crate::broker::Port;

/// A retained message that waits for room in the client's window.
pub(super) struct Pending {
    message: Arc<Message>,
    sub: SubTag,
}

impl Open {
    /// Puts the retained messages that a new subscription matches in line. Shared subscriptions (4.8.2)
    /// and queues get none.
    pub(super) fn queue_retained(&mut self, tag: SubTag, port: &Port) {
        let Some(Some(sub)) = self.subs.get(tag.0 as usize) else { return };
        if sub.is_consumer() {
            return;
        }
        let found = port.retained(&sub.pattern);
        if !found.is_empty() {
            let line = self.retained.get_or_insert_with(|| Box::new(VecDeque::new()));
            line.extend(found.into_iter().map(|message| Pending { message, sub: tag }));
        }
    }

    /// Sends what is in line, as far as the client takes it.
    pub(super) fn send_retained(&mut self, port: &mut Port) {
        while let Some(line) = &mut self.retained {
            if port.out.len() >= OUT_HIGH {
                return;
            }
            let Some(next) = line.pop_front() else {
                self.retained = None;
                return;
            };
            if !self.send_one(&next, port) {
                if let Some(line) = &mut self.retained {
                    line.push_front(next);
                }
                return;
            }
        }
    }

    fn send_one(&mut self, pending: &Pending, port: &mut Port) -> bool {
        let plan = self.plan(&[pending.sub]);
        let message = &pending.message;
        if message.expires <= port.now.wall {
            return true;
        }
        let qos = message.qos.min(plan.qos);
        let Ok(id) = self.packet_id(qos) else { return false };
        let outgoing = Outgoing {
            address: &message.address,
            tag: message.head.tag,
            head: &message.head.bytes,
            notes: &message.notes,
            body: message.body.clone(),
            expires: message.expires,
            qos,
            retain: true,
            dup: false,
            id,
            sub_ids: &plan.ids,
        };
        if !self.send_anew(&outgoing, port) {
            self.release(id);
        }
        true
    }
}
