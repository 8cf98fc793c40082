//! What the tests share.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use wharfmq_base::{Location, Millis};

use crate::queue::Queue;
use crate::{
    Address, Arrival, ConnId, ConsumeSpec, ConsumerKey, CoreEvent, Credit, Delivery, Effects, Entry, GroupId,
    Head, Message, MessageId, Notes, Order, Outbox, Qos, QueueId, QueuePolicy, SubTag,
};

/// Plenty of credit.
pub(super) const PLENTY: Credit = Credit { messages: 1_000_000, bytes: 1 << 30 };

pub(super) fn message(order: u64, body: usize) -> Arc<Message> {
    Arc::new(Message {
        id: MessageId(order),
        address: Arc::new(Address::queue("q")),
        qos: Qos::ExactlyOnce,
        priority: 4,
        retain: false,
        received: Millis(0),
        expires: Millis::NEVER,
        head: Head::default(),
        notes: Notes::default(),
        terms: None,
        body: Bytes::from(vec![0; body]),
    })
}

/// A stored entry; its location ascends with its order.
pub(super) fn stored(order: u64) -> Entry {
    let message = message(order, 100);
    Entry {
        order: Order(order),
        size: message.size(),
        message: Some(message),
        at: place(order),
        expires: Millis::NEVER,
        deliveries: 0,
        priority: 4,
        flags: 0,
        closes_group: false,
        group: GroupId::NONE,
    }
}

/// An entry that lives in memory only.
pub(super) fn volatile(order: u64) -> Entry {
    Entry { at: Location::NOWHERE, ..stored(order) }
}

pub(super) fn place(order: u64) -> Location {
    Location { segment: 1 + (order / 50) as u32, frame: order as u32, record: 0 }
}

/// A queue, its effects and the outboxes of its consumers.
pub(super) struct Bench {
    pub(super) queue: Queue,
    pub(super) fx: Effects,
    pub(super) now: Millis,
    outboxes: Vec<(SubTag, Arc<Outbox>)>,
}

impl Bench {
    pub(super) fn new(policy: QueuePolicy) -> Self {
        let queue = Queue::new(QueueId(1), Arc::new(policy));
        Self { queue, fx: Effects::default(), now: Millis(1_000), outboxes: Vec::new() }
    }

    /// A spec with an outbox of its own.
    pub(super) fn spec(&mut self, credit: Credit) -> ConsumeSpec {
        let n = self.outboxes.len() as u32;
        let outbox = Outbox::new(ConnId(u64::from(n)));
        self.outboxes.push((SubTag(n), outbox));
        ConsumeSpec::plain(SubTag(n), credit)
    }

    pub(super) fn attach(&mut self, credit: Credit) -> ConsumerKey {
        let spec = self.spec(credit);
        self.attach_spec(spec)
    }

    pub(super) fn attach_spec(&mut self, spec: ConsumeSpec) -> ConsumerKey {
        let (_, outbox) = self.outboxes.iter().find(|(sub, _)| *sub == spec.sub).unwrap();
        self.queue.attach(Arc::clone(outbox), spec, self.now, &mut self.fx).unwrap()
    }

    pub(super) fn enqueue(&mut self, entries: impl IntoIterator<Item = Entry>) {
        self.queue.enqueue(entries.into_iter().map(Arrival::from), self.now, &mut self.fx);
    }

    /// What has been delivered since, by consumer in the order of attachment.
    pub(super) fn deliveries(&mut self) -> Vec<Vec<Delivery>> {
        self.queue.push_deliveries();
        self.queue.check();
        let mut all = Vec::new();
        for (sub, outbox) in &self.outboxes {
            let mut events = VecDeque::new();
            outbox.take(&mut events);
            let deliveries = events.into_iter().map(|event| match event {
                CoreEvent::Deliver(delivery) => delivery,
                other => panic!("{other:?}"),
            });
            let deliveries: Vec<_> = deliveries.collect();
            assert!(deliveries.iter().all(|delivery| delivery.sub == *sub));
            all.push(deliveries);
        }
        all
    }

    /// The same, orders only.
    pub(super) fn orders(&mut self) -> Vec<Vec<u64>> {
        let all = self.deliveries();
        all.iter().map(|one| one.iter().map(|delivery| delivery.message.id.0).collect()).collect()
    }

    /// The orders settled since.
    pub(super) fn settled(&mut self) -> Vec<u64> {
        self.fx.settled.drain(..).map(|order| order.0).collect()
    }

    /// Lets time pass to `now`, as the scheduler does: as often as the queue asks for it.
    pub(super) fn pass_to(&mut self, now: u64) {
        self.now = Millis(now);
        for _ in 0..1_000 {
            match self.queue.next_deadline() {
                Some(due) if due <= self.now => self.queue.on_time(self.now, &mut self.fx),
                _ => return,
            }
        }
        panic!("the queue never rests");
    }

    /// Answers all that was asked for.
    pub(super) fn load(&mut self) -> usize {
        let asked: Vec<_> = self.fx.load.drain(..).map(|(order, _)| order).collect();
        let messages = asked.iter().map(|&order| (order, message(order.0, 100)));
        self.queue.loaded(messages, self.now, &mut self.fx);
        asked.len()
    }
}
