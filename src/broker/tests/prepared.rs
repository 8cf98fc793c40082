//! Prepared transactions: through restarts, refusals and consumers that go.

use std::sync::Arc;

use tempfile::tempdir;
use wharfmq_base::Millis;
use wharfmq_core::record::Class;
use wharfmq_core::{Bound, Credit, Outcome, Overflow, PartialPolicy, Settings, Tags, Token};

use super::kit::*;
use crate::broker::{Binding, Route, TxError, XaError, Xid};

fn xid(n: u8) -> Xid {
    Xid::new(1, vec![n], vec![n, n]).unwrap()
}

/// Two messages in a queue, the first acknowledged by a transaction that sends "out" to another.
fn prepare(rig: &Rig, client: &mut Client, n: u8) {
    for body in ["first", "second"] {
        client.stage(&queue("in"), body, SAFE, None);
    }
    client.flush();
    let held = client.consume(&rig.queue("in"), 1, PLENTY);
    client.turn(rig);
    client.take_bodies();
    client.port.begin(&"t".into()).unwrap();
    client.send_in("t", &queue("out"), "out");
    assert_eq!(client.port.settle_in("t", &held, Tags::One(1), Outcome::Accept), Ok(1));
    client.port.prepare("t", &xid(n), Some(Token(u64::from(n)))).unwrap();
    client.settle_down(rig);
    assert_eq!(client.confirmed(), [u64::from(n)]);
}

#[test]
fn a_commit_after_restarts_carries_it_out() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    prepare(&rig, &mut client, 1);
    assert!(rig.bodies(&rig.queue("out")).is_empty());
    client.port.close();
    assert_eq!(rig.given("in"), ["second"], "the other is given to nobody");
    drop(client);
    rig.abandon();
    for checkpoint in [true, false] {
        let rig = Rig::journal(dir.path(), Settings::default());
        assert_eq!(rig.broker.prepared(), [xid(1)]);
        assert_eq!(rig.given("in"), ["second"]);
        if checkpoint {
            rig.broker.checkpoint().unwrap();
        }
        rig.check();
        rig.abandon();
    }
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    assert_eq!(client.port.commit_prepared(&xid(1), None), Err(XaError::Loading), "not on this thread");
    client.commit_prepared(&rig, &xid(1), Some(Token(7))).unwrap();
    client.settle_down(&rig);
    assert_eq!(client.confirmed(), [7]);
    assert_eq!(client.commit_prepared(&rig, &xid(1), None), Err(XaError::Unknown));
    let check = |rig: &Rig| {
        assert_eq!(rig.bodies(&rig.queue("out")), ["out"]);
        assert_eq!(rig.bodies(&rig.queue("in")), ["second"]);
        assert!(rig.broker.prepared().is_empty());
        assert!(rig.broker.queues().all().iter().all(|cell| cell.class == Class::Queue));
        rig.check();
    };
    check(&rig);
    drop(client);
    rig.abandon();
    let rig = Rig::journal(dir.path(), Settings::default());
    check(&rig);
    rig.abandon();
}

#[test]
fn a_rollback_gives_back() {
    let dir = tempdir().unwrap();
    for restart in [false, true] {
        let mut rig = Rig::journal(dir.path(), Settings::default());
        let mut client = rig.client();
        prepare(&rig, &mut client, 2);
        if restart {
            drop(client);
            rig.abandon();
            rig = Rig::journal(dir.path(), Settings::default());
            client = rig.client();
        } else {
            client.port.close();
        }
        assert_eq!(rig.given("in"), ["second"]);
        client.port.rollback_prepared(&xid(2), Some(Token(3))).unwrap();
        client.settle_down(&rig);
        assert_eq!(client.confirms.last(), Some(&(3, Ok(()))));
        assert_eq!(client.port.rollback_prepared(&xid(2), None), Err(XaError::Unknown));
        let first = rig.entries(&rig.queue("in")).remove(0);
        assert_eq!(first, ("first".into(), true, 1), "counted as failed");
        assert_eq!(rig.given("in"), ["first", "second"]);
        assert!(rig.bodies(&rig.queue("out")).is_empty());
        drop(client);
        rig.abandon();
        let rig = Rig::journal(dir.path(), Settings::default());
        assert!(rig.broker.prepared().is_empty());
        assert_eq!(rig.given("in"), ["first", "second"]);
        let mut client = rig.client();
        let held = client.consume(&rig.queue("in"), 1, PLENTY);
        client.port.settle(&held, Tags::UpTo(2), Outcome::Accept, Credit::default());
        drop((client, held));
        rig.abandon();
    }
}

#[test]
fn a_rollback_leaves_deliveries_with_a_consumer_that_is_there() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    client.send(&queue("in"), "m", SAFE, None);
    let held = client.consume(&rig.queue("in"), 1, PLENTY);
    client.port.begin(&"t".into()).unwrap();
    client.port.settle_in("t", &held, Tags::One(1), Outcome::Accept).unwrap();
    client.port.prepare("t", &xid(1), None).unwrap();
    assert_eq!(client.accept(&held, 1), 0, "it is not the client's any more");
    client.port.rollback_prepared(&xid(1), None).unwrap();
    assert_eq!(client.accept(&held, 1), 1);
    rig.check();
}

#[test]
fn sends_become_what_they_were_to_be() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    let sub = client.port.open(Class::Durable, &"sub".into(), true).unwrap().0;
    let binding = Binding {
        pattern: pattern("a.>"),
        flags: 2,
        no_local: false,
        filter: None,
        options: bytes::Bytes::new(),
    };
    client.port.bind(&sub, binding).unwrap();
    let expires = rig.now().wall.plus(Millis(100));
    let late = How { expires, ..SAFE };
    client.port.begin(&"t".into()).unwrap();
    client.send_in_as("t", &topic("a.b"), "fast", FAST);
    client.send_in_as("t", &topic("a.b"), "kept", RETAIN);
    client.send_in_as("t", &topic("a.b"), "safe", SAFE);
    client.send_in_as("t", &queue("late"), "late", late);
    client.port.prepare("t", &xid(1), None).unwrap();
    assert!(retained(&rig, &pattern(">")).is_empty());
    client.settle_down(&rig);
    drop((client, sub));
    rig.abandon();
    let rig = Rig::journal(dir.path(), Settings::default());
    rig.advance(1_000);
    let mut client = rig.client();
    client.commit_prepared(&rig, &xid(1), None).unwrap();
    let sub = client.port.open(Class::Durable, &"sub".into(), true).unwrap().0;
    let found = rig.entries(&sub);
    assert_eq!(found, [("fast".into(), false, 0), ("kept".into(), true, 0), ("safe".into(), true, 0)]);
    assert_eq!(retained(&rig, &pattern(">"))["a.b"], "kept");
    let _held = client.consume(&rig.queue("late"), 1, PLENTY);
    client.turn(&rig);
    assert!(client.take_bodies().is_empty());
    rig.wait_for_burials();
    assert_eq!(rig.bodies(&rig.queue("ActiveMQ.DLQ")), ["late"], "it expired like any other");
    rig.check();
}

#[test]
fn what_is_to_be_sent_later_is_sent_later() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    let (jobs, _) = rig.broker.queue(Class::Schedule, &"jobs".into(), true).unwrap();
    let bound = Bound { id: jobs.id, queue: Arc::clone(&jobs), flags: 0, own_flags: Some(0), choices: None };
    let route = Arc::new(Route::to_queue(Arc::new(queue("later")), bound));
    client.port.begin(&"t".into()).unwrap();
    client.send_in_by("t", &route, "later", SAFE, None);
    client.send_in("t", &queue("now"), "now");
    client.port.prepare("t", &xid(1), None).unwrap();
    assert!(rig.bodies(&jobs).is_empty());
    drop((client, route, jobs));
    rig.abandon();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    client.commit_prepared(&rig, &xid(1), None).unwrap();
    assert_eq!(rig.bodies(&rig.queue("now")), ["now"]);
    let jobs = client.port.find(Class::Schedule, &"jobs".into()).unwrap();
    let (_, message) = rig.broker.browse(&jobs, wharfmq_core::Order(0), 1).remove(0);
    assert_eq!((&message.body[..], &*message.address), (&b"later"[..], &queue("later")));
    rig.check();
}

#[test]
fn a_refused_commit_stays_prepared() {
    let full =
        PartialPolicy { max_messages: Some(1), overflow: Some(Overflow::Block), ..PartialPolicy::default() };
    let rig = Rig::memory(settings([("queue://out", full)]));
    let mut client = rig.client();
    client.send(&queue("out"), "there already", SAFE, None);
    prepare(&rig, &mut client, 1);
    client.commit_prepared(&rig, &xid(1), Some(Token(2))).unwrap();
    client.settle_down(&rig);
    let (token, result) = client.confirms.pop().unwrap();
    assert_eq!((token, result.unwrap_err().as_str()), (2, "queue out is full"));
    assert_eq!(client.port.prepared(), [xid(1)]);
    assert_eq!(rig.stats(&rig.queue("in")).in_flight, 2);
    let held = client.consume(&rig.queue("out"), 2, Credit { messages: 1, bytes: 1 << 20 });
    assert_eq!(client.accept(&held, 1), 1);
    client.commit_prepared(&rig, &xid(1), Some(Token(3))).unwrap();
    client.settle_down(&rig);
    assert_eq!(client.confirms.pop(), Some((3, Ok(()))));
    client.turn(&rig);
    assert_eq!(client.take_bodies(), ["there already", "out"]);
    rig.check();
}

#[test]
fn refusals_take_their_outcome_with_the_commit() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    for body in ["again", "dead"] {
        client.send(&queue("in"), body, SAFE, None);
    }
    let held = client.consume(&rig.queue("in"), 1, PLENTY);
    client.port.begin(&"t".into()).unwrap();
    let again = Outcome::Requeue { delay: Millis(500), count: true };
    client.port.settle_in("t", &held, Tags::One(1), again).unwrap();
    client.port.settle_in("t", &held, Tags::One(2), Outcome::Reject).unwrap();
    client.port.prepare("t", &xid(1), Some(Token(1))).unwrap();
    client.settle_down(&rig);
    drop((client, held));
    rig.abandon();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    assert!(rig.given("in").is_empty());
    client.commit_prepared(&rig, &xid(1), None).unwrap();
    rig.wait_for_burials();
    assert_eq!(rig.bodies(&rig.queue("ActiveMQ.DLQ")), ["dead"]);
    let cell = rig.queue("in");
    assert_eq!((rig.entries(&cell), rig.stats(&cell).delayed), (vec![("again".into(), true, 1)], 1));
    rig.check();
}

#[test]
fn what_cannot_be_done_is_said() {
    let rig = Rig::memory(Settings::default());
    let (mut client, mut other) = (rig.client(), rig.client());
    assert_eq!(client.port.prepare("t", &xid(1), None), Err(TxError::Unknown.into()));
    client.port.begin(&"t".into()).unwrap();
    client.port.prepare("t", &xid(1), None).unwrap();
    assert_eq!(client.port.commit("t", None), Err(TxError::Unknown), "it has another name now");
    other.port.begin(&"t".into()).unwrap();
    assert_eq!(other.port.prepare("t", &xid(1), None), Err(XaError::Exists));
    other.port.prepare("t", &xid(2), None).unwrap();
    assert_eq!(other.port.prepared(), [xid(1), xid(2)]);
    assert_eq!(other.commit_prepared(&rig, &xid(3), None), Err(XaError::Unknown));
    assert_eq!(other.commit_prepared(&rig, &xid(1), None), Ok(()));
    assert_eq!(client.port.rollback_prepared(&xid(1), None), Err(XaError::Unknown));
    assert_eq!(client.port.rollback_prepared(&xid(2), None), Ok(()));
    assert!(rig.broker.queues().is_empty());
    for error in [XaError::Exists, XaError::Unknown, XaError::Busy, XaError::TooMany] {
        assert!(error.to_string().len() > 20);
    }
}
