//! Loss of power at any moment: what was confirmed is there, what was confirmed as settled is not.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use wharfmq_base::Millis;
use wharfmq_core::{Credit, Order, Outcome, PartialPolicy, Settings, Tags, Terms, Token};
use wharfmq_store::sim::SimDisk;

use super::kit::*;
use crate::broker::Consumer;

/// What a client was told, by message.
#[derive(Default)]
struct Told {
    /// Sends by token.
    sends: BTreeMap<u64, Vec<String>>,
    /// Acknowledgements by token.
    settles: BTreeMap<u64, Vec<String>>,
    /// Sends and acknowledgements that stand together, confirmed or not.
    transactions: Vec<(Vec<String>, Vec<String>)>,
    /// Identities that were sent, some often, and bodies to be delivered much later: by token.
    identities: BTreeMap<u64, String>,
    delayed: BTreeMap<u64, String>,
    next: u64,
}

impl Told {
    fn token(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// When what is sent for later is due: after the end of every test.
const LATE: u64 = 1 << 40;

struct Producer {
    client: Client,
    name: char,
    sent: u32,
}

impl Producer {
    fn body(&mut self) -> String {
        self.sent += 1;
        format!("{}{:06}", self.name, self.sent)
    }
}

struct World {
    producers: Vec<Producer>,
    consumer: Client,
    held: Consumer,
    told: Told,
}

/// One step of the world; the numbers choose what.
type Step = (u8, u8, u8);

impl World {
    fn new(rig: &Rig) -> Self {
        let producers =
            ['a', 'b'].into_iter().map(|name| Producer { client: rig.client(), name, sent: 0 }).collect();
        let mut consumer = rig.client();
        // Made before the power goes, so that commands fail only where the test looks.
        let [input, ..] = ["in", "out", "too", "once", "later"].map(|name| rig.queue(name));
        let held = consumer.consume(&input, 1, PLENTY);
        Self { producers, consumer, held, told: Told::default() }
    }

    fn step(&mut self, rig: &Rig, (what, who, count): Step) {
        let count = 1 + usize::from(count % 6);
        match what % 10 {
            8 => self.send_known(usize::from(who) % 2, usize::from(who / 2) % 8, count),
            9 => self.send_late(usize::from(who) % 2, count),
            0..3 => self.send(usize::from(who) % 2, count),
            3 | 4 => self.settle(rig, count),
            5 => self.transact(rig, usize::from(who), count),
            6 => drop(rig.broker.checkpoint()),
            _ => rig.broker.keep(),
        }
        self.look(rig);
    }

    fn send(&mut self, who: usize, count: usize) {
        let producer = &mut self.producers[who];
        for _ in 0..count {
            // Large enough that a segment holds a few dozen.
            let body = producer.body() + &"-".repeat(300);
            let token = self.told.token();
            self.told.sends.insert(token, vec![body.clone()]);
            producer.client.stage(&queue("in"), &body, SAFE, Some(token));
        }
        producer.client.flush();
    }

    /// Sends identities of which most were sent before, by either producer.
    fn send_known(&mut self, who: usize, first: usize, count: usize) {
        let producer = &mut self.producers[who];
        for n in first..first + count {
            let token = self.told.token();
            let (id, body) = (format!("id{n}"), producer.body());
            let terms = Terms { dedup: id.as_str().into(), ..Terms::default() };
            producer.client.stage_with(&queue("once"), (&id, &body), SAFE, terms, Some(token));
            self.told.identities.insert(token, id);
        }
        producer.client.flush();
    }

    fn send_late(&mut self, who: usize, count: usize) {
        let producer = &mut self.producers[who];
        for n in 0..count {
            let token = self.told.token();
            let body = producer.body();
            let terms = Terms { due: Millis(LATE), ..Terms::default() };
            let how = if n % 2 == 0 { SAFE } else { FAST };
            producer.client.stage_with(&queue("later"), ("", &body), how, terms, Some(token));
            self.told.delayed.insert(token, body);
        }
        producer.client.flush();
    }

    fn settle(&mut self, rig: &Rig, count: usize) {
        self.consumer.turn(rig);
        let token = self.told.token();
        let mut bodies = Vec::new();
        for _ in 0..count {
            let Some(delivery) = self.consumer.deliveries.pop_front() else { break };
            bodies.push(body_of(&delivery));
            self.consumer.accept(&self.held, delivery.tag);
        }
        self.told.settles.insert(token, bodies);
        self.consumer.port.confirm(Token(token));
        self.consumer.flush();
    }

    fn transact(&mut self, rig: &Rig, how: usize, count: usize) {
        self.consumer.turn(rig);
        let token = self.told.token();
        self.consumer.port.begin(&"tx".into()).unwrap();
        let (mut sent, mut settled) = (Vec::new(), Vec::new());
        for n in 0..count {
            let body = format!("t{token:06}.{n}");
            self.consumer.send_in("tx", &queue(if n % 2 == 0 { "out" } else { "too" }), &body);
            sent.push(body);
        }
        for _ in 0..how % 3 {
            let Some(delivery) = self.consumer.deliveries.pop_front() else { break };
            settled.push(body_of(&delivery));
            self.consumer.port.settle_in("tx", &self.held, Tags::One(delivery.tag), Outcome::Accept).unwrap();
        }
        if how % 5 == 4 {
            self.consumer.port.abort("tx").unwrap();
            // What was taken back is still in flight; it is settled by nobody.
            return;
        }
        self.consumer.port.commit("tx", Some(Token(token))).unwrap();
        self.told.sends.insert(token, sent.clone());
        self.told.settles.insert(token, settled.clone());
        self.told.transactions.push((sent, settled));
    }

    fn look(&mut self, rig: &Rig) {
        self.consumer.turn(rig);
        for producer in &mut self.producers {
            producer.client.turn(rig);
        }
    }

    fn confirmed(&self) -> BTreeSet<u64> {
        let clients = self.producers.iter().map(|producer| &producer.client).chain([&self.consumer]);
        clients.flat_map(|client| client.confirmed()).collect()
    }
}

fn check_after(told: &Told, confirmed: &BTreeSet<u64>, rig: &Rig) {
    let named = |name| rig.bodies(&rig.queue(name));
    let input = named("in");
    let all: Vec<String> = [input.clone(), named("out"), named("too")].concat();
    let there: BTreeSet<&String> = all.iter().collect();
    assert_eq!(there.len(), all.len(), "something is there twice");
    let all_of = |of: &BTreeMap<u64, Vec<String>>, confirmed_only: bool| -> BTreeSet<String> {
        let chosen = of.iter().filter(|(token, _)| !confirmed_only || confirmed.contains(token));
        chosen.flat_map(|(_, bodies)| bodies.iter().cloned()).collect()
    };
    let maybe_settled = all_of(&told.settles, false);
    let sends = all_of(&told.sends, true);
    for body in &sends {
        assert!(there.contains(body) || maybe_settled.contains(body), "{body} was confirmed and is lost");
    }
    for body in all_of(&told.settles, true) {
        assert!(!there.contains(&body), "{body} was settled and is back");
    }
    for (sent, settled) in &told.transactions {
        let arrived = sent.iter().filter(|body| there.contains(body)).count();
        assert!(arrived == 0 || arrived == sent.len(), "half a transaction: {sent:?}");
        for body in settled {
            // Without its transaction a message that was confirmed is back, unless others settled it too.
            let expected = if arrived > 0 { Some(false) } else { sends.contains(body).then_some(true) };
            assert_ne!(expected, Some(!there.contains(body)), "{sent:?} and {body}");
        }
    }
    for producer in ["a", "b"] {
        let own: Vec<_> = input.iter().filter(|body| body.starts_with(producer)).collect();
        assert!(own.is_sorted(), "order of one producer: {own:?}");
    }
    rig.check();
}

/// Every identity is there once, and stays so whoever sends it again; what is to come much later still is.
fn check_terms(told: &Told, confirmed: &BTreeSet<u64>, rig: &Rig) {
    let heads = |rig: &Rig| -> Vec<String> {
        let found = rig.broker.browse(&rig.queue("once"), Order(0), 10_000);
        found.iter().map(|(_, message)| String::from_utf8(message.head.bytes.to_vec()).unwrap()).collect()
    };
    let before = heads(rig);
    let once: BTreeSet<_> = before.iter().collect();
    assert_eq!(once.len(), before.len(), "something is there twice: {before:?}");
    let mut client = rig.client();
    for (token, id) in told.identities.iter().filter(|(token, _)| confirmed.contains(token)) {
        assert!(once.contains(id), "{id} was confirmed and is lost");
        let terms = Terms { dedup: id.as_str().into(), ..Terms::default() };
        client.stage_with(&queue("once"), (id, "again"), SAFE, terms, Some(*token));
    }
    client.flush();
    client.settle_down(rig);
    assert_eq!(heads(rig), before);
    let later = rig.queue("later");
    let there: BTreeSet<_> = rig.bodies(&later).into_iter().collect();
    for (_, body) in told.delayed.iter().filter(|(token, _)| confirmed.contains(token)) {
        assert!(there.contains(body), "{body} was confirmed and is lost");
    }
    assert_eq!(rig.stats(&later).delayed, there.len() as u64);
}

fn once() -> Settings {
    let set = PartialPolicy { dedup: Some(Millis(3_600_000)), ..PartialPolicy::default() };
    settings([("queue://once", set)])
}

/// Runs the steps, loses power during them, recovers, and does it once more on what was left.
fn run(seed: u64, steps: &[Step], crash: u64) {
    let disk = SimDisk::new(seed);
    let rig = Rig::sim(&disk, once());
    let mut world = World::new(&rig);
    disk.crash_after(crash);
    for step in steps {
        world.step(&rig, *step);
    }
    if seed.is_multiple_of(2) {
        world.consumer.turn_until(&rig, "confirmations or the crash", |consumer| {
            consumer.port.is_settled() || consumer.port.failure().is_some()
        });
    }
    let confirmed = world.confirmed();
    let told = std::mem::take(&mut world.told);
    drop(world);
    let disk = disk.reboot();
    rig.abandon();
    let rig = Rig::sim(&disk, once());
    check_after(&told, &confirmed, &rig);
    check_terms(&told, &confirmed, &rig);
    let before = rig.bodies(&rig.queue("in"));
    // A second crash right away changes nothing.
    let disk = disk.reboot();
    rig.abandon();
    let rig = Rig::sim(&disk, once());
    assert_eq!(rig.bodies(&rig.queue("in")), before);
    check_terms(&told, &confirmed, &rig);
    rig.abandon();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_confirmed_is_lost(
        seed in any::<u64>(),
        steps in prop::collection::vec(any::<Step>(), 1..120),
        crash in 0u64..400,
    ) {
        run(seed, &steps, crash);
    }

    #[test]
    fn a_dead_letter_is_in_one_place(seed in any::<u64>(), crash in 0u64..60) {
        let retry = PartialPolicy { max_deliveries: Some(1), ..PartialPolicy::default() };
        let set = || settings([("queue://poison", retry.clone())]);
        let disk = SimDisk::new(seed);
        let rig = Rig::sim(&disk, set());
        let mut client = rig.client();
        let expiring = How { expires: rig.now().wall.plus(Millis(10)), ..SAFE };
        for n in 0..20 {
            client.stage(&queue("poison"), &format!("p{n:02}"), SAFE, Some(n));
            client.stage(&queue("rejected"), &format!("r{n:02}"), SAFE, Some(100 + n));
            client.stage(&queue("late"), &format!("l{n:02}"), expiring, Some(200 + n));
        }
        client.flush();
        client.settle_down(&rig);
        disk.crash_after(crash);
        let (poison, rejected) = (rig.queue("poison"), rig.queue("rejected"));
        let held = client.consume(&poison, 1, PLENTY);
        client.port.settle(&held, Tags::UpTo(20), Outcome::Retry, Credit::default());
        let held = client.consume(&rejected, 2, PLENTY);
        for tag in 1..=20 {
            client.port.settle(&held, Tags::One(tag), Outcome::Reject, Credit::default());
        }
        rig.advance(1_000);
        client.port.now = rig.now();
        let held = client.consume(&rig.queue("late"), 3, PLENTY);
        if seed.is_multiple_of(2) {
            rig.wait("burials or the crash", || {
                let quiet = |cell: &std::sync::Arc<_>| rig.stats(cell).dying == 0;
                rig.broker.queues().all().iter().all(quiet) || rig.broker.log.durable().failure().is_some()
            });
        }
        drop((client, held));
        let disk = disk.reboot();
        rig.abandon();
        let rig = Rig::sim(&disk, set());
        let mut all: Vec<String> = ["poison", "rejected", "late", "ActiveMQ.DLQ"]
            .into_iter()
            .flat_map(|name| rig.bodies(&rig.queue(name)))
            .collect();
        all.sort();
        let mut expected: Vec<String> =
            ["l", "p", "r"].into_iter().flat_map(|kind| (0..20).map(move |n| format!("{kind}{n:02}"))).collect();
        expected.sort();
        // The clock of the new broker stands before the expiry, so nothing moves any more.
        prop_assert_eq!(all, expected);
        rig.abandon();
    }
}
