//! Selectors at routing: what is not chosen is neither sent nor stored.

use std::sync::Arc;

use bytes::Bytes;
use tempfile::tempdir;
use wharfmq_core::record::{self, Class, kind};
use wharfmq_core::{Filter, Overflow, PartialPolicy, QueueCell, Settings, SubTag, Typing};

use super::kit::*;
use crate::broker::{Binding, Broker};

const URGENT: How = How { priority: 9, ..SAFE };
const URGENT_FAST: How = How { priority: 9, ..FAST };

fn filter(client: &Client, text: &str) -> Option<Arc<Filter>> {
    client.port.filter(text, Typing::Loose).unwrap()
}

fn bind_to(client: &mut Client, cell: &Arc<QueueCell>, to: &str, selector: &str) {
    let (pattern, filter) = (pattern(to), filter(client, selector));
    let options = Bytes::from_static(b"options");
    client.port.bind(cell, Binding { pattern, flags: 2, no_local: false, filter, options }).unwrap();
}

fn durable(client: &mut Client, name: &str, to: &str, selector: &str) -> Arc<QueueCell> {
    let (cell, _) = client.port.open(Class::Durable, &name.into(), true).unwrap();
    bind_to(client, &cell, to, selector);
    cell
}

fn find(rig: &Rig, name: &str) -> Arc<QueueCell> {
    rig.broker.queues().find(Class::Durable, &name.into()).unwrap()
}

#[test]
fn a_client_learns_what_is_wrong_with_its_selector() {
    let rig = Rig::memory(Settings::default());
    let client = rig.client();
    assert_eq!(filter(&client, ""), None);
    assert_eq!(filter(&client, " \n"), None);
    assert_eq!(filter(&client, "convert_string_expressions: "), None);
    let plain = filter(&client, "x > 5");
    assert_eq!(plain.as_ref().map(|filter| filter.selector().typing()), Some(Typing::Loose));
    assert_eq!(filter(&client, " convert_string_expressions:x > 5"), plain);
    assert!(!client.port.filter("x >", Typing::Loose).unwrap_err().is_empty());
    assert!(
        client
            .port
            .filter("hyphenated_props:a-b = 'x'", Typing::Loose)
            .unwrap_err()
            .contains("double quotes")
    );
    let long = format!("x = '{}'", "y".repeat(64 << 10));
    assert!(client.port.filter(&long, Typing::Loose).is_err());
}

#[test]
fn subscriptions_without_storage_get_what_they_chose() {
    let rig = Rig::memory(Settings::default());
    let (mut sender, mut urgent, mut rest) = (rig.client(), rig.client(), rig.client());
    let subscribe = |client: &Client, sub, selector| {
        client.port.subscribe(&pattern("t.>"), SubTag(sub), false, false, filter(client, selector));
    };
    subscribe(&urgent, 1, "JMSPriority > 5");
    subscribe(&rest, 1, "JMSPriority <= 5");
    subscribe(&rest, 2, "JMSDestination LIKE '%.odd'");
    for n in 0..6 {
        let to = topic(if n % 2 == 0 { "t.even" } else { "t.odd" });
        sender.stage(&to, &n.to_string(), if n < 3 { FAST } else { URGENT_FAST }, None);
    }
    sender.flush();
    urgent.turn(&rig);
    rest.turn(&rig);
    assert_eq!(urgent.chunked.concat(), "345");
    // Of two subscriptions each gets its own: the kit notes what was sent once for each run.
    assert_eq!(rest.chunked.concat(), "01235");
    urgent.port.unsubscribe(&pattern("t.>"), SubTag(1));
    sender.send(&topic("t"), "more", URGENT_FAST, None);
    urgent.turn(&rig);
    assert_eq!(urgent.chunked.concat(), "345");
}

#[test]
fn a_durable_subscription_stores_what_it_chose() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    let all = durable(&mut client, "all", "t.>", "");
    let urgent = durable(&mut client, "urgent", "t.>", "JMSPriority > 5");
    let both = durable(&mut client, "both", "t.*", "JMSDestination = 'topic://t.a'");
    bind_to(&mut client, &both, "t.>", "JMSPriority = 9");
    for (to, body, how) in
        [("t.a", "1", SAFE), ("t.b", "2", URGENT), ("t.b", "3", FAST), ("t.a", "4", URGENT)]
    {
        client.send(&topic(to), body, how, None);
    }
    client.settle_down(&rig);
    assert_eq!(rig.bodies(&all), ["1", "2", "3", "4"]);
    assert_eq!(rig.bodies(&urgent), ["2", "4"]);
    assert_eq!(rig.bodies(&both), ["1", "2", "4"], "once each, by either binding");
    let stats = rig.stats(&urgent);
    assert_eq!(stats.enqueued, 2, "the others never came near it");
    rig.check();
}

#[test]
fn what_a_full_subscription_does_not_want_it_does_not_refuse() {
    let rig = Rig::memory(settings([(
        "topic://urgent",
        PartialPolicy { max_messages: Some(1), overflow: Some(Overflow::Block), ..PartialPolicy::default() },
    )]));
    let mut client = rig.client();
    let urgent = durable(&mut client, "urgent", "t", "JMSPriority > 5");
    client.send(&topic("t"), "1", URGENT, Some(1));
    client.send(&topic("t"), "2", SAFE, Some(2));
    assert!(client.port.may_read(), "nothing waits for room");
    client.settle_down(&rig);
    assert_eq!(client.confirmed(), [1, 2]);
    assert_eq!(rig.bodies(&urgent), ["1"]);
    rig.check();
}

#[test]
fn selectors_of_subscriptions_outlive_a_restart() {
    for checkpoint in [false, true] {
        let dir = tempdir().unwrap();
        let rig = Rig::journal(dir.path(), Settings::default());
        let mut client = rig.client();
        durable(&mut client, "s", "t", "JMSPriority > 5");
        durable(&mut client, "changed", "t", "JMSPriority > 5");
        durable(&mut client, "changed", "t", "JMSPriority <= 5");
        durable(&mut client, "opened", "t", "JMSPriority > 5");
        durable(&mut client, "opened", "t", "");
        if checkpoint {
            rig.broker.checkpoint().unwrap();
        }
        drop(client);
        rig.abandon();
        let rig = Rig::journal(dir.path(), Settings::default());
        let mut client = rig.client();
        client.send(&topic("t"), "1", SAFE, None);
        client.send(&topic("t"), "2", URGENT, None);
        client.settle_down(&rig);
        assert_eq!(rig.bodies(&find(&rig, "s")), ["2"]);
        assert_eq!(rig.bodies(&find(&rig, "changed")), ["1"]);
        assert_eq!(rig.bodies(&find(&rig, "opened")), ["1", "2"]);
        let bindings = client.port.bindings(&find(&rig, "s"));
        let selector = bindings[0].filter.as_ref().unwrap().selector();
        assert_eq!((&**selector.text(), selector.typing()), ("JMSPriority > 5", Typing::Loose));
        assert_eq!((bindings.len(), &*bindings[0].options), (1, &b"options"[..]));
    }
}

/// Puts a binding into the log that no client could have made.
fn forge(broker: &Broker, cell: &QueueCell, selector: &str) {
    let (queue, pattern) = (cell.id, pattern("t"));
    let selector = Some((selector, Typing::Strict));
    let mut payload = Vec::new();
    record::Bind { queue, kind: pattern.kind(), pattern: pattern.text(), flags: 2, selector, options: b"" }
        .encode(&mut payload);
    broker.append_one(kind::BIND, &payload).unwrap();
}

#[test]
fn a_selector_that_cannot_be_read_takes_nothing_and_is_kept() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    let cell = durable(&mut client, "s", "t", "JMSPriority > 0");
    client.send(&topic("t"), "before", SAFE, None);
    client.settle_down(&rig);
    forge(&rig.broker, &cell, "wholly )( wrong");
    drop((client, cell));
    rig.abandon();
    for _ in 0..2 {
        let rig = Rig::journal(dir.path(), Settings::default());
        let mut client = rig.client();
        client.send(&topic("t"), "meanwhile", SAFE, None);
        client.settle_down(&rig);
        assert_eq!(rig.bodies(&find(&rig, "s")), ["before"], "what it held is there");
        // The next start finds it in the checkpoint.
        rig.broker.checkpoint().unwrap();
        drop(client);
        rig.abandon();
    }
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    let cell = find(&rig, "s");
    assert_eq!(client.port.bindings(&cell).len(), 1);
    bind_to(&mut client, &cell, "t", "JMSPriority > 0");
    client.send(&topic("t"), "after", SAFE, None);
    client.settle_down(&rig);
    assert_eq!(rig.bodies(&cell), ["before", "after"]);
    rig.check();
}

#[test]
fn what_a_client_sends_itself_can_be_left_out_of_several_queues() {
    let rig = Rig::memory(Settings::default());
    let (mut client, mut other) = (rig.client(), rig.client());
    let cells = ["a", "b"].map(|name| {
        let cell = durable(&mut client, name, "t", "");
        let binding = client.port.bindings(&cell).remove(0);
        client.port.bind(&cell, Binding { no_local: true, ..binding }).unwrap();
        client.port.add_own(&cell);
        cell
    });
    client.send(&topic("t"), "own", SAFE, None);
    other.send(&topic("t"), "other", SAFE, None);
    client.port.remove_own(&cells[0]);
    client.send(&topic("t"), "again", SAFE, None);
    assert_eq!(rig.bodies(&cells[0]), ["other", "again"]);
    assert_eq!(rig.bodies(&cells[1]), ["other"]);
}
