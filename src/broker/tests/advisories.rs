//! What the broker tells of what happens in it, to whom, and when it does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_core::{
    ConnId, ConsumeSpec, Credit, DeadLetter, Forward, HeadTag, Kind, Outcome, Overflow, PartialPolicy,
    Pattern, Settings, SubTag, Tags, Typing,
};

use wharfmq_store::MemoryLog;

use super::kit::*;
use crate::broker::{Binding, Event, News, Refused, Said, Topology, Turn, Voice};

/// Says everything in a few words, in the body.
#[derive(Debug, Default)]
struct Plain {
    said: AtomicUsize,
    forgotten: AtomicUsize,
}

impl Voice for Plain {
    fn say(&self, news: &News<'_>, out: &mut Vec<u8>) -> Said {
        self.said.fetch_add(1, Ordering::Relaxed);
        let sign = |turn: Turn| if turn == Turn::Begins { '+' } else { '-' };
        let words = match news.event {
            Event::Client(client, turn) => format!("{}{}", sign(*turn), client.id),
            Event::Destination(address, owner, turn) => {
                format!("{}{address} {}", sign(*turn), owner.map_or(0, |conn| conn.0))
            }
            Event::Consumer(who, turn) => {
                format!("{}{}:{} {} {}", sign(*turn), who.conn.0, who.sub.0, who.from, who.count)
            }
            Event::Producer(who, turn) => {
                format!("{}{}:{} {} {}", sign(*turn), who.conn.0, who.number, who.to, who.count)
            }
            Event::Expired(fate) => format!("expired {}", fate.at),
            Event::DeadLettered(fate) => format!("dead {} {}", fate.at, fate.message.address),
            Event::Discarded(fate) => {
                format!("discarded {} {}", fate.at, fate.consumer.map_or(0, |(conn, _)| conn.0))
            }
            Event::Slow(who) => format!("slow {}:{} {}", who.conn.0, who.sub.0, who.from),
            Event::Full(address) => format!("full {address}"),
        };
        out.extend_from_slice(b"topic=");
        out.extend_from_slice(news.topic.name.as_bytes());
        let head = b"topic=".len() + news.topic.name.len();
        let short = news.topic.name.strip_prefix("ActiveMQ.Advisory.").unwrap();
        out.extend_from_slice(format!("{short}: {words}").as_bytes());
        Said { tag: HeadTag(1), head }
    }

    fn forget(&self, _: ConnId) {
        self.forgotten.fetch_add(1, Ordering::Relaxed);
    }
}

fn rig(settings: Settings) -> (Rig, Arc<Plain>) {
    let rig = Rig::memory(settings);
    let voice = Arc::new(Plain::default());
    rig.broker.set_voice(Arc::<Plain>::clone(&voice));
    (rig, voice)
}

/// A client that listens to topics below `ActiveMQ.Advisory`.
fn listener(rig: &Rig, topics: &str) -> Client {
    let client = rig.client();
    client.port.subscribe(&told(topics), SubTag(1), false, false, None);
    client
}

fn told(topics: &str) -> Pattern {
    pattern(&format!("ActiveMQ.Advisory.{topics}"))
}

impl Client {
    /// What has been told since the last time.
    fn hears(&mut self, rig: &Rig) -> Vec<String> {
        self.turn(rig);
        std::mem::take(&mut self.chunked)
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn nothing_is_said_where_nobody_listens() {
    let (rig, voice) = rig(Settings::default());
    let mut everything = rig.client();
    for text in [">", "*.Advisory.>", "ActiveMQ.Other.>"] {
        everything.port.subscribe(&pattern(text), SubTag(1), false, false, None);
    }
    let mut client = rig.client();
    client.port.introduce(&"me".into());
    let cell = rig.queue("orders");
    let consumer = client.consume(&cell, 1, PLENTY);
    client.port.cancel(&consumer, 0);
    client.port.delete(&cell).unwrap();
    client.port.temporary_named(Kind::Queue, "t:1").unwrap();
    client.port.add_producer(1, &Arc::new(queue("orders")));
    let mut listener = listener(&rig, "SlowConsumer.>");
    client.port.close();
    assert_eq!(listener.hears(&rig), NOTHING);
    assert_eq!(everything.hears(&rig), NOTHING);
    assert_eq!(voice.said.load(Ordering::Relaxed), 0);
    assert_eq!(voice.forgotten.load(Ordering::Relaxed), 1);
}

#[test]
fn clients_come_and_go() {
    let (rig, voice) = rig(Settings::default());
    let mut early = rig.client();
    early.port.introduce(&"early".into());
    let mut listener = listener(&rig, "Connection");
    assert_eq!(listener.hears(&rig), ["Connection: +early"], "what is there already");
    let mut late = rig.client();
    late.port.introduce(&"late".into());
    late.port.close();
    early.port.close();
    assert_eq!(listener.hears(&rig), ["Connection: +late", "Connection: -late", "Connection: -early"]);
    rig.client().port.close();
    assert_eq!(listener.hears(&rig), NOTHING, "who has not said who it is");
    assert_eq!(voice.forgotten.load(Ordering::Relaxed), 2);
}

#[test]
fn queues_are_made_and_deleted() {
    let (rig, _) = rig(Settings::default());
    let mut client = rig.client();
    rig.queue("first");
    let mut listener = listener(&rig, "Queue");
    assert_eq!(listener.hears(&rig), ["Queue: +queue://first 0"]);
    client.send(&queue("second"), "m", SAFE, None);
    let second = rig.queue("second");
    client.port.delete(&second).unwrap();
    client.port.open(Class::Session, &"session".into(), true).unwrap();
    client.port.temporary(Kind::Queue, "mine").unwrap();
    assert_eq!(listener.hears(&rig), ["Queue: +queue://second 0", "Queue: -queue://second 0"]);
}

#[test]
fn topics_are_there_while_somebody_subscribes() {
    let (rig, _) = rig(Settings::default());
    let (client, other) = (rig.client(), rig.client());
    let subscribe = |client: &Client, text: &str, sub| {
        client.port.subscribe(&pattern(text), SubTag(sub), false, false, None);
    };
    subscribe(&client, "a.b", 1);
    subscribe(&client, "a.*", 2);
    let mut listener = listener(&rig, "Topic");
    assert_eq!(listener.hears(&rig), ["Topic: +topic://a.b 0"]);
    subscribe(&other, "a.b", 1);
    subscribe(&other, "c", 2);
    for client in [&client, &other] {
        client.port.unsubscribe(&pattern("a.b"), SubTag(1));
    }
    assert_eq!(listener.hears(&rig), ["Topic: +topic://c 0", "Topic: -topic://a.b 0"]);
}

#[test]
fn temporary_destinations_are_told_with_their_owners() {
    let (rig, _) = rig(Settings::default());
    let mut owner = rig.client();
    owner.port.temporary_named(Kind::Queue, "ID:a:1").unwrap();
    let id = owner.port.conn().0;
    let mut queues = listener(&rig, "TempQueue");
    let mut topics = listener(&rig, "TempTopic");
    assert_eq!(queues.hears(&rig), [format!("TempQueue: +queue://$temp.ID:a:1 {id}")]);
    let topic = owner.port.temporary_named(Kind::Topic, "ID:a:2").unwrap();
    owner.port.delete_temporary(&topic).unwrap();
    owner.port.close();
    assert_eq!(queues.hears(&rig), [format!("TempQueue: -queue://$temp.ID:a:1 {id}")]);
    let both =
        [format!("TempTopic: +topic://$temp.ID:a:2 {id}"), format!("TempTopic: -topic://$temp.ID:a:2 {id}")];
    assert_eq!(topics.hears(&rig), both);
}

#[test]
fn consumers_of_queues_are_counted() {
    let (rig, _) = rig(Settings::default());
    let (mut client, mut other) = (rig.client(), rig.client());
    let (a, b) = (client.port.conn().0, other.port.conn().0);
    let cell = rig.queue("orders");
    client.consume(&cell, 7, PLENTY);
    let mut listener = listener(&rig, "Consumer.Queue.>");
    let on = "Consumer.Queue.orders:";
    assert_eq!(listener.hears(&rig), [format!("{on} +{a}:7 queue://orders 1")]);
    let second = other.consume(&cell, 1, PLENTY);
    other.port.cancel(&second, 0);
    other.port.cancel(&second, 0);
    let temporary = other.port.temporary_named(Kind::Queue, "ID:b:1").unwrap();
    let own = other.port.find(Class::Temporary, &temporary.name).unwrap();
    other.consume(&own, 2, PLENTY);
    client.port.close();
    assert_eq!(
        listener.hears(&rig),
        [
            format!("{on} +{b}:1 queue://orders 2"),
            format!("{on} -{b}:1 queue://orders 1"),
            format!("Consumer.Queue.ID:b:1: +{b}:2 queue://$temp.ID:b:1 1"),
            format!("{on} -{a}:7 queue://orders 0"),
        ]
    );
    other.consume(&cell, 3, PLENTY);
    other.port.expel(&cell);
    let expelled = [format!("{on} +{b}:3 queue://orders 1"), format!("{on} -{b}:3 queue://orders 0")];
    assert_eq!(listener.hears(&rig), expelled);
}

#[test]
fn subscriptions_to_topics_are_consumers() {
    let (rig, _) = rig(Settings::default());
    let (client, mut session) = (rig.client(), rig.client());
    let (a, b) = (client.port.conn().0, session.port.conn().0);
    client.port.subscribe(&pattern("t"), SubTag(1), false, false, None);
    let mut listener = listener(&rig, "Consumer.>");
    assert_eq!(listener.hears(&rig), [format!("Consumer.Topic.t: +{a}:1 topic://t 1")]);
    let cell = session.port.open(Class::Session, &"s".into(), true).unwrap().0;
    let binding = |text| Binding::to(pattern(text), 1);
    session.port.bind(&cell, binding("t")).unwrap();
    assert_eq!(listener.hears(&rig), NOTHING, "nobody is there yet");
    let consumer = session.consume(&cell, 5, PLENTY);
    session.port.subscribe(&pattern("u.*"), SubTag(9), false, true, None);
    session.port.bind(&cell, binding("u.*")).unwrap();
    session.port.bind(&cell, Binding::to(pattern("u.*"), 2)).unwrap();
    session.port.unsubscribe(&pattern("u.*"), SubTag(9));
    session.port.unbind(&cell, &pattern("u.*")).unwrap();
    client.port.unsubscribe(&pattern("t"), SubTag(1));
    session.port.cancel(&consumer, 0);
    assert_eq!(
        listener.hears(&rig),
        [
            format!("Consumer.Topic.t: +{b}:5 topic://t 2"),
            format!("Consumer.Topic.u.*: +{b}:5 topic://u.* 1"),
            format!("Consumer.Topic.u.*: -{b}:5 topic://u.* 0"),
            format!("Consumer.Topic.t: -{a}:1 topic://t 1"),
            format!("Consumer.Topic.t: -{b}:5 topic://t 0"),
        ]
    );
}

#[test]
fn who_listens_is_no_consumer() {
    let (rig, _) = rig(Settings::default());
    let mut first = listener(&rig, "Consumer.>");
    let second = listener(&rig, "Consumer.Topic.>");
    second.port.subscribe(&pattern("ActiveMQ.>"), SubTag(2), false, false, None);
    assert_eq!(first.hears(&rig), NOTHING);
    assert_eq!(listener(&rig, "Topic").hears(&rig), NOTHING);
    let topic = Arc::new(topic("ActiveMQ.Advisory.Queue"));
    assert_eq!(second.port.route(&topic).unwrap_err(), Refused::System, "only the broker publishes there");
}

#[test]
fn producers_that_were_announced_are_counted() {
    let (rig, _) = rig(Settings::default());
    let (mut client, mut other) = (rig.client(), rig.client());
    let (a, b) = (client.port.conn().0, other.port.conn().0);
    let to = Arc::new(queue("orders"));
    client.port.add_producer(3, &to);
    let mut listener = listener(&rig, "Producer.>");
    let on = "Producer.Queue.orders:";
    assert_eq!(listener.hears(&rig), [format!("{on} +{a}:3 queue://orders 1")]);
    other.port.add_producer(1, &to);
    other.port.remove_producer(1);
    other.port.remove_producer(1);
    client.port.close();
    assert_eq!(
        listener.hears(&rig),
        [
            format!("{on} +{b}:1 queue://orders 2"),
            format!("{on} -{b}:1 queue://orders 1"),
            format!("{on} -{a}:3 queue://orders 0"),
        ]
    );
}

fn policy(set: impl FnOnce(&mut PartialPolicy)) -> PartialPolicy {
    let mut policy = PartialPolicy::default();
    set(&mut policy);
    policy
}

#[test]
fn what_expires_is_told_whether_it_is_kept_or_not() {
    let drops = policy(|policy| policy.expired = Some(DeadLetter::Drop));
    let (rig, _) = rig(settings([("queue://drops", drops)]));
    let mut listener = listener(&rig, "Expired.>");
    let mut dead = self::listener(&rig, "MessageDLQd.>");
    let mut client = rig.client();
    let soon = How { expires: Millis(1_000_500), ..SAFE };
    for name in ["drops", "keeps"] {
        client.send(&queue(name), "m", soon, None);
    }
    client.settle_down(&rig);
    rig.advance(1_000);
    for name in ["drops", "keeps"] {
        assert_eq!(rig.given(name), NOTHING);
    }
    rig.wait_for_burials();
    listener.turn_until(&rig, "both", |client| client.chunked.len() == 2);
    let mut heard = listener.hears(&rig);
    heard.sort();
    assert_eq!(
        heard,
        ["Expired.Queue.drops: expired queue://drops", "Expired.Queue.keeps: expired queue://keeps"]
    );
    let told = ["MessageDLQd.Queue.keeps: dead queue://keeps queue://keeps"];
    dead.turn_until(&rig, "the dead letter", |client| !client.chunked.is_empty());
    assert_eq!(dead.hears(&rig), told);
}

#[test]
fn what_is_refused_is_told_to_be_a_dead_letter() {
    let (rig, _) = rig(Settings::default());
    let mut listener = listener(&rig, ">");
    let mut client = rig.client();
    let cell = rig.queue("orders");
    client.send(&queue("orders"), "m", SAFE, None);
    let consumer = client.consume(&cell, 1, PLENTY);
    client.turn_until(&rig, "the message", |client| !client.deliveries.is_empty());
    client.port.settle(&consumer, Tags::One(1), Outcome::Reject, Credit::default());
    rig.wait_for_burials();
    let on = "MessageDLQd.Queue.orders: dead queue://orders queue://orders";
    listener.turn_until(&rig, "the dead letter", |client| client.chunked.iter().any(|text| text == on));
    let heard = listener.hears(&rig);
    assert!(heard.contains(&"Queue: +queue://ActiveMQ.DLQ 0".to_owned()), "{heard:?}");
}

#[test]
fn a_full_queue_and_what_makes_room_in_it_are_told() {
    let full = policy(|policy| {
        policy.max_messages = Some(1);
        policy.overflow = Some(Overflow::Reject);
    });
    let oldest = policy(|policy| {
        policy.max_messages = Some(1);
        policy.overflow = Some(Overflow::DropOldest);
    });
    let (rig, _) = rig(settings([("queue://full", full), ("queue://last", oldest)]));
    let mut listener = listener(&rig, "FULL.>");
    let mut discarded = self::listener(&rig, "MessageDiscarded.>");
    let mut client = rig.client();
    for _ in 0..4 {
        client.send(&queue("full"), "m", SAFE, None);
    }
    assert_eq!(listener.hears(&rig), ["FULL.Queue.full: full queue://full"], "once in a second");
    rig.advance(1_000);
    client.turn(&rig);
    client.port.now = rig.now();
    client.send(&queue("full"), "m", SAFE, None);
    assert_eq!(listener.hears(&rig), ["FULL.Queue.full: full queue://full"]);
    for _ in 0..3 {
        client.send(&queue("last"), "m", SAFE, None);
    }
    assert_eq!(discarded.hears(&rig), ["MessageDiscarded.Queue.last: discarded queue://last 0"; 2]);
}

#[test]
fn who_reads_too_slowly_is_told_and_what_it_misses() {
    let (rig, _) = rig(Settings::default());
    let mut listener = listener(&rig, "SlowConsumer.>");
    let mut discarded = self::listener(&rig, "MessageDiscarded.>");
    let (mut fast, slow) = (rig.client(), rig.client());
    let id = slow.port.conn().0;
    slow.port.subscribe(&pattern("t"), SubTag(4), false, false, None);
    let large = "x".repeat(2 << 20);
    fast.send(&topic("t"), &large, FAST, None);
    assert!(!fast.port.may_read());
    rig.advance(2_000);
    fast.turn(&rig);
    assert!(fast.port.may_read());
    assert_eq!(listener.hears(&rig), [format!("SlowConsumer.Topic.t: slow {id}:4 topic://t")]);
    for _ in 0..9 {
        fast.send(&topic("t"), &large, FAST, None);
    }
    let told = format!("MessageDiscarded.Topic.t: discarded topic://t {id}");
    let dropped = rig.broker.counters().totals().dropped_slow as usize;
    assert!(dropped > 0);
    assert_eq!(discarded.hears(&rig), vec![told; dropped]);
}

#[test]
fn a_selector_chooses_among_what_is_there_and_what_comes() {
    let (rig, _) = rig(Settings::default());
    rig.queue("a");
    let filter = rig.broker.filter("topic = 'ActiveMQ.Advisory.Consumer.Queue.a'", Typing::Strict).unwrap();
    let mut client = rig.client();
    let (a, b) = (rig.queue("a"), rig.queue("b"));
    client.consume(&a, 1, PLENTY);
    client.consume(&b, 2, PLENTY);
    let mut listener = rig.client();
    listener.port.subscribe(&told("Consumer.>"), SubTag(1), false, false, Some(filter));
    client.consume(&a, 3, PLENTY);
    client.consume(&b, 4, PLENTY);
    let id = client.port.conn().0;
    let on = "Consumer.Queue.a:";
    let heard = [format!("{on} +{id}:1 queue://a 1"), format!("{on} +{id}:3 queue://a 2")];
    assert_eq!(listener.hears(&rig), heard);
}

#[test]
fn a_durable_subscription_keeps_it_in_memory_only() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    rig.broker.set_voice(Arc::new(Plain::default()));
    let mut client = rig.client();
    let cell = client.port.open_durable(&"me.events".into(), Binding::to(told("Queue"), 2)).unwrap().0;
    rig.queue("orders");
    let kept = rig.entries(&cell);
    assert_eq!(kept, [("Queue: +queue://orders 0".to_owned(), false, 0)]);
    client.settle_down(&rig);
    drop(client);
    drop(cell);
    rig.abandon();
    let rig = Rig::journal(dir.path(), Settings::default());
    rig.broker.set_voice(Arc::new(Plain::default()));
    let cell = rig.broker.queues().find(Class::Durable, &"me.events".into()).unwrap();
    assert!(rig.entries(&cell).is_empty(), "nothing of it is stored");
    rig.queue("later");
    assert_eq!(rig.entries(&cell).len(), 1, "who is bound is known again");
}

#[test]
fn a_forward_passes_it_on_to_a_queue() {
    let to = Arc::new(queue("audit"));
    let from = told("Queue");
    let forwards = vec![Forward { from, to: vec![to], filter: None, keep: true }];
    let topology = Topology { forwards, ..Topology::default() };
    let rig = Rig::tied(Arc::new(MemoryLog::new()), Settings::default(), topology, 1 << 30, 1_000_000);
    rig.broker.set_voice(Arc::new(Plain::default()));
    rig.queue("orders");
    let audit = rig.queue("audit");
    assert_eq!(rig.bodies(&audit), ["Queue: +queue://orders 0"]);
}

#[test]
fn what_cannot_be_named_is_not_told() {
    let (rig, _) = rig(Settings::default());
    let mut listener = listener(&rig, ">");
    let mut client = rig.client();
    let longest = rig.queue(&"x".repeat(65_535));
    client.consume(&longest, 1, PLENTY);
    let heard = listener.hears(&rig);
    assert_eq!(heard.len(), 1, "that it is there, at a topic of another name");
    assert!(heard[0].starts_with("Queue: +"));
}

#[test]
fn there_is_an_end_to_what_is_there() {
    let (rig, voice) = rig(Settings::default());
    let client = rig.client();
    for n in 0..20_001 {
        client.port.subscribe(&pattern(&format!("t.{n}")), SubTag(n), false, false, None);
    }
    let mut owner = rig.client();
    owner.port.temporary_named(Kind::Queue, "ID:a:1").unwrap();
    let mut listener = listener(&rig, ">");
    let heard = listener.hears(&rig);
    assert_eq!((heard.len(), voice.said.load(Ordering::Relaxed)), (20_000, 20_000));
    assert!(heard[0].starts_with("TempQueue: +"), "what clients depend on comes first");
}

#[test]
fn many_things_that_are_there_come_in_pieces() {
    let (rig, _) = rig(Settings::default());
    for n in 0..1_000 {
        rig.queue(&format!("q{n}"));
    }
    let mut client = rig.client();
    let cell = rig.queue("q1");
    for sub in 0..500 {
        let spec = ConsumeSpec::plain(SubTag(sub), PLENTY);
        client.port.consume(&cell, spec).unwrap();
    }
    let mut listener = listener(&rig, ">");
    assert_eq!(listener.hears(&rig).len(), 1_500);
}
