//! Local transactions: refusals in them, their age, and that all of one happens or nothing.

use tempfile::tempdir;
use wharfmq_base::Millis;
use wharfmq_core::{Credit, Outcome, Overflow, PartialPolicy, Settings, Tags, Token};

use super::kit::*;
use crate::broker::{TRANSACTIONS_MAX, TxError, TxLimits};

const AGAIN: Outcome = Outcome::Requeue { delay: Millis(0), count: true };

fn held_messages(rig: &Rig, client: &mut Client, count: u64) -> crate::broker::Consumer {
    for n in 0..count {
        client.stage(&queue("in"), &n.to_string(), SAFE, None);
    }
    client.flush();
    let held = client.consume(&rig.queue("in"), 1, PLENTY);
    client.turn(rig);
    assert_eq!(client.take_bodies().len() as u64, count);
    held
}

#[test]
fn what_a_transaction_refuses_goes_back_with_its_commit() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    let held = held_messages(&rig, &mut client, 4);
    client.port.begin(&"t".into()).unwrap();
    client.send_in("t", &queue("out"), "sent");
    assert_eq!(client.port.settle_in("t", &held, Tags::One(1), Outcome::Accept), Ok(1));
    assert_eq!(client.port.settle_in("t", &held, Tags::One(2), AGAIN), Ok(1));
    assert_eq!(client.port.settle_in("t", &held, Tags::One(3), Outcome::Reject), Ok(1));
    assert_eq!(client.port.settle_in("t", &held, Tags::UpTo(3), Outcome::Accept), Ok(0), "settled once");
    client.turn(&rig);
    assert!(client.deliveries.is_empty());
    client.port.commit("t", Some(Token(1))).unwrap();
    client.settle_down(&rig);
    assert_eq!(client.confirmed(), [1]);
    assert_eq!(client.take_bodies(), ["1"], "it comes again");
    rig.wait_for_burials();
    rig.check();
    drop((client, held));
    rig.abandon();
    let rig = Rig::journal(dir.path(), Settings::default());
    let in_queue = rig.entries(&rig.queue("in"));
    assert_eq!(in_queue, [("1".into(), true, 1), ("3".into(), true, 0)]);
    assert_eq!(rig.bodies(&rig.queue("out")), ["sent"]);
    assert_eq!(rig.bodies(&rig.queue("ActiveMQ.DLQ")), ["2"]);
    rig.abandon();
}

#[test]
fn nothing_is_refused_by_a_transaction_that_never_was() {
    let full =
        PartialPolicy { max_messages: Some(1), overflow: Some(Overflow::Reject), ..PartialPolicy::default() };
    let rig = Rig::memory(settings([("queue://full", full)]));
    let mut client = rig.client();
    let held = held_messages(&rig, &mut client, 2);
    client.send(&queue("full"), "there already", SAFE, None);
    for commits in [true, false] {
        client.port.begin(&"t".into()).unwrap();
        client.send_in("t", &queue("full"), "one too many");
        assert_eq!(client.port.settle_in("t", &held, Tags::One(1), AGAIN), Ok(1));
        assert_eq!(client.port.settle_in("t", &held, Tags::One(2), Outcome::Reject), Ok(1));
        if commits {
            client.port.commit("t", Some(Token(1))).unwrap();
            client.settle_down(&rig);
            let (_, result) = client.confirms.pop().unwrap();
            assert!(result.unwrap_err().contains("full"));
        } else {
            client.port.abort("t").unwrap();
        }
        client.turn(&rig);
        assert!(client.deliveries.is_empty());
        assert_eq!(rig.stats(&rig.queue("in")).in_flight, 2);
    }
    // They are open still, and can be settled without a transaction.
    let settled = client.port.settle(&held, Tags::UpTo(2), Outcome::Accept, Credit::default());
    assert_eq!(settled, 2);
    rig.check();
}

#[test]
fn an_old_transaction_is_aborted() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    let timeout = TxLimits::default().timeout;
    let held = held_messages(&rig, &mut client, 1);
    assert_eq!(client.port.deadline(), None);
    client.port.begin(&"old".into()).unwrap();
    assert_eq!(client.port.deadline(), Some(timeout));
    client.send_in("old", &queue("out"), "never");
    assert_eq!(client.port.settle_in("old", &held, Tags::One(1), Outcome::Accept), Ok(1));
    rig.advance(timeout.0 - 1);
    client.turn(&rig);
    client.port.begin(&"young".into()).unwrap();
    client.send_in("young", &queue("out"), "young");
    rig.advance(1);
    client.turn(&rig);
    let late = TxError::TimedOut(timeout);
    assert_eq!(client.port.commit("old", None), Err(late));
    assert_eq!(client.port.settle_in("old", &held, Tags::One(1), Outcome::Accept), Err(late));
    let said = late.to_string();
    assert!(said.contains("10m") && said.contains("limits.transaction_timeout"), "{said}");
    assert_eq!(client.accept(&held, 1), 1, "what it had acknowledged is open");
    // Its end is what the client would have asked for, once.
    assert_eq!(client.port.abort("old"), Ok(()));
    assert_eq!(client.port.abort("old"), Err(TxError::Unknown));
    client.port.commit("young", None).unwrap();
    assert_eq!(rig.bodies(&rig.queue("out")), ["young"]);
    assert_eq!(client.port.deadline(), None);
}

#[test]
fn names_of_old_transactions_are_forgotten_in_the_end() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    for round in ["a", "b"] {
        for n in 0..TRANSACTIONS_MAX {
            client.port.begin(&format!("{round}{n}").into()).unwrap();
        }
        assert_eq!(client.port.begin(&"more".into()), Err(TxError::TooMany));
        rig.advance(TxLimits::default().timeout.0);
        client.turn(&rig);
    }
    assert_eq!(client.port.commit("a0", None), Err(TxError::Unknown));
    assert!(matches!(client.port.commit("b0", None), Err(TxError::TimedOut(_))));
    // The name may be used again.
    client.port.begin(&"b0".into()).unwrap();
    assert_eq!(client.port.commit("b0", None), Ok(()));
    assert_eq!(client.port.commit("b0", None), Err(TxError::Unknown));
}
