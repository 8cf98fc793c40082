//! Destinations that are tied to each other, and what topics keep of their past.

use std::sync::Arc;

use tempfile::tempdir;
use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_core::{Address, Filter, Forward, PartialPolicy, Pattern, Selector, Settings, SubTag, Typing};
use wharfmq_store::{Log, MemoryLog};

use super::kit::*;
use crate::broker::{Binding, Topology};

fn recent(client: &Client, text: &str) -> Vec<String> {
    let found = client.port.recent([&pattern(text)]);
    found.iter().map(|past| String::from_utf8(past.message.body.to_vec()).unwrap()).collect()
}

fn kept(history: u64) -> PartialPolicy {
    PartialPolicy { history: Some(history), ..PartialPolicy::default() }
}

fn tied(forwards: Vec<Forward>) -> Rig {
    let topology = Topology { forwards, ..Topology::default() };
    Rig::tied(Arc::new(MemoryLog::new()), Settings::default(), topology, 1 << 30, 1_000_000)
}

fn forward(from: &str, to: &[Address]) -> Forward {
    let to = to.iter().cloned().map(Arc::new).collect();
    Forward { from: Pattern::parse_canonical(from).unwrap(), to, filter: None, keep: true }
}

#[test]
fn a_queue_named_after_a_virtual_topic_gets_what_is_published_to_it() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    client.send(&topic("VirtualTopic.orders"), "early", SAFE, None);
    let (a, b) = ("Consumer.a.VirtualTopic.orders", "Consumer.b.VirtualTopic.orders");
    let (queue_a, queue_b) = (rig.queue(a), rig.queue(b));
    client.send(&topic("VirtualTopic.orders"), "stored", SAFE, Some(1));
    client.send(&topic("VirtualTopic.orders"), "fast", FAST, None);
    client.send(&topic("VirtualTopic.other"), "other", SAFE, None);
    client.send(&queue(a), "direct", SAFE, Some(2));
    client.settle_down(&rig);
    assert_eq!(rig.bodies(&queue_a), ["stored", "fast", "direct"]);
    assert_eq!(rig.bodies(&queue_b), ["stored", "fast"]);
    rig.broker.delete(&queue_b).unwrap();
    drop(client);
    rig.abandon();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    client.send(&topic("VirtualTopic.orders"), "later", SAFE, Some(1));
    client.settle_down(&rig);
    assert_eq!(rig.bodies(&rig.queue(a)), ["stored", "direct", "later"]);
    assert!(rig.broker.queues().find(Class::Queue, &b.into()).is_none());
    rig.check();
}

#[test]
fn without_virtual_topics_the_name_says_nothing() {
    let rig = tied(Vec::new());
    let cell = rig.queue("Consumer.a.VirtualTopic.orders");
    rig.client().send(&topic("VirtualTopic.orders"), "x", FAST, None);
    assert!(rig.bodies(&cell).is_empty());
}

#[test]
fn what_is_forwarded_is_in_every_queue() {
    let away = Forward { keep: false, ..forward("topic://in", &[queue("copies")]) };
    let rig = tied(vec![forward("queue://orders.>", &[queue("audit"), topic("events")]), away]);
    assert!(rig.broker.queues().find(Class::Queue, &"audit".into()).is_some(), "made at the start");
    let (mut sub, mut client) = (rig.client(), rig.client());
    sub.port.subscribe(&pattern("events"), SubTag(1), false, false, None);
    sub.port.subscribe(&pattern("in"), SubTag(2), false, false, None);
    client.send(&queue("orders.eu"), "one", SAFE, Some(1));
    client.send(&topic("in"), "two", FAST, None);
    client.settle_down(&rig);
    sub.turn(&rig);
    assert_eq!(client.confirmed(), [1]);
    assert_eq!(rig.bodies(&rig.queue("orders.eu")), ["one"]);
    assert_eq!(rig.bodies(&rig.queue("audit")), ["one"]);
    assert_eq!(rig.bodies(&rig.queue("copies")), ["two"]);
    assert_eq!(sub.chunked, ["one"]);
    rig.check();
}

#[test]
fn a_forward_passes_on_what_its_filter_chooses() {
    let selector = Selector::parse("JMSDeliveryMode = 'PERSISTENT'", Typing::Loose).unwrap();
    let filter = Some(Filter::new(selector, view));
    let rig = tied(vec![Forward { filter, ..forward("queue://a", &[queue("b"), topic("t")]) }]);
    let (mut sub, mut client) = (rig.client(), rig.client());
    sub.port.subscribe(&pattern("t"), SubTag(1), false, false, None);
    client.send(&queue("a"), "slow", SAFE, None);
    client.send(&queue("a"), "fast", FAST, None);
    sub.turn(&rig);
    assert_eq!(rig.bodies(&rig.queue("a")), ["slow", "fast"]);
    assert_eq!(rig.bodies(&rig.queue("b")), ["slow"]);
    assert_eq!(sub.chunked, ["slow"]);
}

#[test]
fn each_queue_bounds_the_life_of_its_own_copy() {
    let short = PartialPolicy { expiry: Some(Millis(100)), ..PartialPolicy::default() };
    let topology = Topology { forwards: vec![forward("queue://a", &[queue("b")])], ..Topology::default() };
    let log = Arc::new(MemoryLog::new());
    let rig = Rig::tied(log, settings([("queue://b", short)]), topology, 1 << 30, 1_000_000);
    let (a, b) = (rig.queue("a"), rig.queue("b"));
    rig.client().send(&queue("a"), "x", FAST, None);
    let expires = |cell| rig.broker.browse(cell, wharfmq_core::Order(0), 1)[0].0.expires;
    assert_eq!(expires(&a), Millis::NEVER);
    assert_eq!(expires(&b), rig.now().wall.plus(Millis(100)));
}

#[test]
fn a_topic_keeps_its_last_messages_across_a_restart() {
    let dir = tempdir().unwrap();
    let with = || settings([("topic://prices.>", kept(3))]);
    let rig = Rig::journal(dir.path(), with());
    let mut client = rig.client();
    assert!(recent(&client, "prices.>").is_empty());
    for n in 0..5 {
        client.send(&topic("prices.a"), &format!("a{n}"), SAFE, Some(n));
    }
    client.send(&topic("prices.b"), "b", SAFE, Some(9));
    client.send(&topic("other"), "other", SAFE, None);
    client.settle_down(&rig);
    assert_eq!(recent(&client, "prices.a"), ["a2", "a3", "a4"]);
    assert_eq!(recent(&client, ">"), ["a2", "a3", "a4", "b"], "by age over all topics");
    client.send(&topic("prices.b"), "lost", FAST, None);
    assert_eq!(recent(&client, "prices.b"), ["b", "lost"]);
    rig.check();
    rig.broker.checkpoint().unwrap();
    client.send(&topic("prices.a"), "a5", SAFE, Some(10));
    client.settle_down(&rig);
    drop(client);
    rig.abandon();
    let rig = Rig::journal(dir.path(), with());
    let mut client = rig.client();
    assert_eq!(recent(&client, "prices.>"), ["a3", "a4", "b", "a5"]);
    client.send(&topic("prices.a"), "a6", SAFE, Some(1));
    client.settle_down(&rig);
    assert_eq!(recent(&client, "prices.a"), ["a4", "a5", "a6"]);
    rig.check();
    drop(client);
    rig.abandon();
    let rig = Rig::journal(dir.path(), Settings::default());
    assert!(recent(&rig.client(), "prices.>").is_empty());
    assert!(rig.broker.queues().all().iter().all(|cell| cell.class != Class::History), "nobody asks for it");
}

#[test]
fn a_topic_keeps_what_is_young_enough() {
    let dir = tempdir().unwrap();
    let young = PartialPolicy { history_age: Some(Millis(1_000)), ..PartialPolicy::default() };
    let with = || settings([("topic://t", young.clone())]);
    let rig = Rig::journal(dir.path(), with());
    let mut client = rig.client();
    client.send(&topic("t"), "old", SAFE, Some(1));
    client.settle_down(&rig);
    rig.advance(600);
    client.port.now = rig.now();
    client.send(&topic("t"), "young", SAFE, Some(2));
    client.settle_down(&rig);
    assert_eq!(recent(&client, "t"), ["old", "young"]);
    rig.advance(600);
    client.port.now = rig.now();
    assert_eq!(recent(&client, "t"), ["young"]);
    drop(client);
    rig.abandon();
    let rig = Rig::journal_at(dir.path(), with(), 1_001_200);
    assert_eq!(recent(&rig.client(), "t"), ["young"]);
    rig.advance(500);
    assert!(recent(&rig.client(), "t").is_empty());
}

#[test]
fn a_retained_message_is_part_of_the_past_once() {
    let rig = Rig::memory(settings([("topic://t", kept(2))]));
    let mut client = rig.client();
    client.send(&topic("t"), "first", RETAIN, None);
    client.send(&topic("u"), "alone", RETAIN, None);
    client.send(&topic("t"), "second", SAFE, None);
    assert_eq!(recent(&client, ">"), ["first", "alone", "second"]);
    client.send(&topic("t"), "third", SAFE, None);
    assert_eq!(
        recent(&client, "t"),
        ["first", "second", "third"],
        "the last value is older than the history"
    );
    assert_eq!(recent(&client, "u"), ["alone"]);
    let retained: Vec<bool> = client.port.recent([&pattern("t")]).iter().map(|past| past.retained).collect();
    assert_eq!(retained, [true, false, false]);
}

#[test]
fn of_much_the_latest_is_given() {
    let rig = Rig::memory(settings([("topic://t", kept(100))]));
    let mut client = rig.client();
    let large = "x".repeat(1 << 20);
    for n in 0..20 {
        client.send(&topic("t"), &format!("{n:02}{large}"), FAST, None);
    }
    let found = recent(&client, "t");
    assert_eq!(found.len(), 15, "16 MiB with their headers");
    assert!(found[0].starts_with("05") && found[14].starts_with("19"));
}

#[test]
fn who_reads_the_past_while_a_message_is_under_way_gets_it_live() {
    let rig = Rig::memory(settings([("topic://t", kept(10))]));
    let (mut publisher, mut late) = (rig.client(), rig.client());
    publisher.send(&topic("t"), "one", SAFE, None);
    publisher.stage(&topic("t"), "two", SAFE, None);
    late.port.subscribe(&pattern("t"), SubTag(1), false, false, None);
    assert_eq!(recent(&late, "t"), ["one"]);
    publisher.flush();
    late.turn(&rig);
    assert_eq!(late.chunked, ["two"]);
}

#[test]
fn a_new_durable_subscription_can_be_given_the_past() {
    let dir = tempdir().unwrap();
    let five = PartialPolicy { max_messages: Some(4), ..kept(10) };
    let with = || settings([("topic://t", five.clone())]);
    let rig = Rig::journal(dir.path(), with());
    let mut client = rig.client();
    for n in 0..5 {
        client.send(&topic("t"), &n.to_string(), if n == 3 { FAST } else { SAFE }, Some(n));
    }
    let binding = Binding::to(pattern("t"), 2);
    let (cell, _) = client.port.open_durable(&"c.s".into(), binding).unwrap();
    client.port.fill_with_past(&cell).unwrap();
    client.send(&topic("u"), "", SAFE, Some(9));
    client.settle_down(&rig);
    assert_eq!(rig.bodies(&cell), ["1", "2", "3", "4"], "the last that there is room for");
    rig.check();
    drop((client, cell));
    rig.abandon();
    let rig = Rig::journal(dir.path(), with());
    let cell = rig.broker.queues().find(Class::Durable, &"c.s".into()).unwrap();
    assert_eq!(rig.bodies(&cell), ["1", "2", "4"]);
    assert_eq!(recent(&rig.client(), "t"), ["0", "1", "2", "4"]);
    rig.check();
}

#[test]
fn a_queue_of_a_pattern_gets_what_is_published_below_it() {
    let rig = Rig::memory(Settings::default());
    let cell = rig.queue("Consumer.a.VirtualTopic.orders.>");
    let mut client = rig.client();
    client.send(&topic("VirtualTopic.orders.eu.x"), "below", FAST, None);
    client.send(&topic("VirtualTopic.other"), "other", FAST, None);
    assert_eq!(rig.bodies(&cell), ["below"]);
    assert!(client.port.is_virtual_consumer(&cell.name));
}

#[test]
fn a_durable_subscription_is_set_by_its_topics() {
    let dir = tempdir().unwrap();
    let max = |messages| PartialPolicy { max_messages: Some(messages), ..PartialPolicy::default() };
    let with = || settings([("topic://prices.>", max(5)), ("topic://client.name", max(6))]);
    let rig = Rig::journal(dir.path(), with());
    let name = "client.name".into();
    let binding = || Binding::to(pattern("prices.eu.*"), 2);
    let mut client = rig.client();
    let (cell, known) = client.port.open_durable(&name, binding()).unwrap();
    assert_eq!((cell.policy.max_messages, known), (5, false));
    assert_eq!(client.port.bindings(&cell), [binding()]);
    assert!(client.port.open_durable(&name, binding()).unwrap().1);
    client.send(&topic("prices.eu.x"), "x", SAFE, Some(1));
    client.settle_down(&rig);
    drop(cell);
    drop(client);
    rig.abandon();
    let rig = Rig::journal(dir.path(), with());
    let cell = rig.broker.queues().find(Class::Durable, &name).unwrap();
    assert_eq!(cell.policy.max_messages, 5);
    assert_eq!(rig.bodies(&cell), ["x"]);
}

#[test]
fn what_a_queue_bounds_is_bounded_after_a_restart_too() {
    let dir = tempdir().unwrap();
    let short = PartialPolicy { expiry: Some(Millis(100)), ..PartialPolicy::default() };
    let with = || settings([("queue://Consumer.>", short.clone())]);
    let name = "Consumer.a.VirtualTopic.t";
    let rig = Rig::journal(dir.path(), with());
    let cell = rig.queue(name);
    let mut client = rig.client();
    client.send(&topic("VirtualTopic.t"), "x", SAFE, Some(1));
    client.settle_down(&rig);
    drop(cell);
    drop(client);
    rig.abandon();
    let rig = Rig::journal(dir.path(), with());
    let cell = rig.queue(name);
    let entries = rig.broker.browse(&cell, wharfmq_core::Order(0), 1);
    assert_eq!(entries[0].0.expires, rig.now().wall.plus(Millis(100)));
}

#[test]
fn a_paused_queue_delivers_nothing_until_it_goes_on() {
    let paused = PartialPolicy { paused: Some(true), ..PartialPolicy::default() };
    let log: Arc<dyn Log> = Arc::new(MemoryLog::new());
    let rig = Rig::on(log, settings([("queue://q", paused)]), 1 << 30);
    let cell = rig.queue("q");
    let mut client = rig.client();
    client.consume(&cell, 1, PLENTY);
    client.send(&queue("q"), "one", SAFE, None);
    client.turn(&rig);
    assert!(client.deliveries.is_empty());
    client.port.pause(&cell, false);
    client.turn(&rig);
    assert_eq!(client.take_bodies(), ["one"]);
    client.port.pause(&cell, true);
    client.send(&queue("q"), "two", SAFE, None);
    client.turn(&rig);
    assert!(client.deliveries.is_empty());
}
