//! What a queue costs a message: enqueue, dispatch and settle, in batches and one by one.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use wharfmq_base::{Location, Millis};
use wharfmq_core::{
    Address, ConnId, ConsumeSpec, ConsumerKey, CoreEvent, Credit, Effects, Entry, GroupId, Head, Message,
    MessageId, Notes, Order, Outbox, Outcome, Qos, Queue, QueueId, QueuePolicy, SubTag, Tags,
};

const NOW: Millis = Millis(1_000);
const ENDLESS: Credit = Credit { messages: u32::MAX, bytes: u32::MAX };

/// One queue with consumers, driven as the broker does.
struct Rig {
    queue: Queue,
    fx: Effects,
    message: Arc<Message>,
    consumers: Vec<(ConsumerKey, Arc<Outbox>, u64)>,
    events: VecDeque<CoreEvent>,
    next: u64,
}

impl Rig {
    fn new(consumers: u32) -> Self {
        let mut rig = Self {
            queue: Queue::new(QueueId(1), Arc::new(QueuePolicy::default())),
            fx: Effects::default(),
            message: message(),
            consumers: Vec::new(),
            events: VecDeque::new(),
            next: 1,
        };
        for n in 0..consumers {
            let outbox = Outbox::new(ConnId(u64::from(n)));
            let spec = ConsumeSpec::plain(SubTag(n), ENDLESS);
            let key = rig.queue.attach(Arc::clone(&outbox), spec, NOW, &mut rig.fx);
            rig.consumers.extend(key.map(|key| (key, outbox, 0)));
        }
        rig
    }

    fn enqueue(&mut self, messages: u64) {
        let first = self.next;
        self.next += messages;
        let message = &self.message;
        let entries = (first..self.next).map(|order| entry(order, message).into());
        black_box(self.queue.admit(messages, messages * u64::from(message.size())));
        self.queue.enqueue(entries, NOW, &mut self.fx);
        self.queue.push_deliveries();
    }

    /// Takes what was delivered and accepts it, cumulatively or one by one.
    fn accept(&mut self, cumulative: bool) {
        for (key, outbox, last) in &mut self.consumers {
            outbox.take(&mut self.events);
            let first = *last + 1;
            *last += self.events.len() as u64;
            for event in self.events.drain(..) {
                outbox.taken(event.bytes());
            }
            if cumulative {
                self.queue.settle(*key, Tags::UpTo(*last), Outcome::Accept, NOW, &mut self.fx);
            } else {
                for tag in first..=*last {
                    self.queue.settle(*key, Tags::One(tag), Outcome::Accept, NOW, &mut self.fx);
                }
            }
            self.queue.grant(*key, Credit { messages: 64, bytes: 1 << 20 }, NOW, &mut self.fx);
        }
        self.fx.clear();
    }
}

fn message() -> Arc<Message> {
    Arc::new(Message {
        id: MessageId(1),
        address: Arc::new(Address::queue("orders")),
        qos: Qos::ExactlyOnce,
        priority: 4,
        retain: false,
        received: NOW,
        expires: Millis::NEVER,
        head: Head::default(),
        notes: Notes::default(),
        terms: None,
        body: vec![0; 64].into(),
    })
}

fn entry(order: u64, message: &Arc<Message>) -> Entry {
    Entry {
        order: Order(order),
        message: Some(Arc::clone(message)),
        at: Location { segment: 1, frame: order as u32, record: 0 },
        size: message.size(),
        expires: Millis::NEVER,
        deliveries: 0,
        priority: 4,
        flags: 0,
        closes_group: false,
        group: GroupId::NONE,
    }
}

fn through(c: &mut Criterion) {
    let mut group = c.benchmark_group("through");
    for (name, consumers, batch, cumulative) in [
        ("batch of 64, cumulative", 1, 64, true),
        ("batch of 64, one by one", 1, 64, false),
        ("batch of 1", 1, 1, false),
        ("8 consumers, batch of 64", 8, 64, true),
    ] {
        let mut rig = Rig::new(consumers);
        group.throughput(Throughput::Elements(batch));
        group.bench_function(name, |b| {
            b.iter(|| {
                rig.enqueue(batch);
                rig.accept(cumulative);
            });
        });
    }
    group.finish();
}

fn backlog(c: &mut Criterion) {
    const N: u64 = 100_000;
    let mut group = c.benchmark_group("backlog of 100,000");
    group.throughput(Throughput::Elements(N)).sample_size(20);
    group.bench_function("fill", |b| {
        let fill = |mut rig: Rig| {
            (0..N / 64).for_each(|_| rig.enqueue(64));
            rig
        };
        b.iter_batched(|| Rig::new(0), fill, BatchSize::PerIteration);
    });
    group.bench_function("drain through a window of 1,000", |b| {
        let filled = || {
            let mut rig = Rig::new(1);
            let key = rig.consumers[0].0;
            rig.queue.detach(key, 0, NOW, &mut rig.fx);
            rig.consumers.clear();
            rig.enqueue(N);
            rig
        };
        let drain = |mut rig: Rig| {
            let outbox = Outbox::new(ConnId(1));
            let credit = Credit { messages: 1_000, bytes: u32::MAX };
            let spec = ConsumeSpec::plain(SubTag(1), credit);
            let Ok(key) = rig.queue.attach(outbox, spec, NOW, &mut rig.fx) else { return rig };
            for last in (100..=N).step_by(100) {
                rig.queue.settle(key, Tags::UpTo(last), Outcome::Accept, NOW, &mut rig.fx);
                rig.queue.grant(key, Credit { messages: 100, bytes: 0 }, NOW, &mut rig.fx);
                rig.queue.push_deliveries();
                rig.fx.clear();
            }
            rig
        };
        b.iter_batched(filled, drain, BatchSize::PerIteration);
    });
    group.finish();
}

fn crowd(c: &mut Criterion) {
    let mut rig = Rig::new(10_000);
    let mut group = c.benchmark_group("10,000 consumers");
    group.throughput(Throughput::Elements(10_000)).sample_size(20);
    group.bench_function("one message each", |b| {
        b.iter(|| {
            rig.enqueue(10_000);
            rig.accept(true);
        });
    });
    group.finish();
}

criterion_group!(benches, through, backlog, crowd);
criterion_main!(benches);
