//! Branches of global transactions: parts of several connections, resumed and ended, lost and doomed.

use std::sync::Arc;

use tempfile::tempdir;
use wharfmq_base::Millis;
use wharfmq_core::{Kind, Outcome, Overflow, PartialPolicy, Settings, Tags, Token};

use super::kit::*;
use crate::broker::{Consumer, Phases, TRANSACTIONS_MAX, TxError, TxLimits, Vote, XaError, Xid};

fn xid(branch: u8) -> Xid {
    Xid::new(7, vec![1, 2, 3], vec![branch]).unwrap()
}

/// A consumer that has "m" and acknowledges it in the branch, and a producer that sends "out" in it.
fn join(rig: &Rig, of: &Xid) -> (Client, Consumer, Client) {
    let (mut consumer, mut producer) = (rig.client(), rig.client());
    consumer.send(&queue("in"), "m", SAFE, None);
    let held = consumer.consume(&rig.queue("in"), 1, PLENTY);
    consumer.turn(rig);
    let name = consumer.port.begin_branch(of).unwrap();
    consumer.port.settle_in(&name, &held, Tags::One(1), Outcome::Accept).unwrap();
    let name = producer.port.begin_branch(of).unwrap();
    producer.send_in(&name, &queue("out"), "out");
    (consumer, held, producer)
}

#[test]
fn whoever_commits_commits_what_all_have_done() {
    for phases in [Phases::One, Phases::Two] {
        let dir = tempdir().unwrap();
        let rig = Rig::journal(dir.path(), Settings::default());
        let (mut consumer, held, mut producer) = join(&rig, &xid(1));
        assert_eq!(consumer.port.prepare_branch(&xid(1), None), Err(XaError::Open));
        assert_eq!(producer.port.commit_branch(&xid(1), Phases::One, None), Err(XaError::Open));
        consumer.port.end_branch(&xid(1)).unwrap();
        producer.port.end_branch(&xid(1)).unwrap();
        let mut third = rig.client();
        if phases == Phases::Two {
            assert_eq!(third.port.commit_branch(&xid(1), phases, None), Err(XaError::NotPrepared));
            assert_eq!(producer.port.prepare_branch(&xid(1), Some(Token(1))), Ok(Vote::Prepared));
            producer.settle_down(&rig);
            assert_eq!(producer.port.begin_branch(&xid(1)), Err(XaError::Exists));
            producer.port.close();
            consumer.port.close();
        }
        assert!(rig.bodies(&rig.queue("out")).is_empty());
        third.port.commit_branch(&xid(1), phases, Some(Token(2))).unwrap();
        third.settle_down(&rig);
        assert_eq!(third.confirmed(), [2]);
        assert_eq!(third.port.commit_branch(&xid(1), phases, None), Err(XaError::Unknown));
        let check = |rig: &Rig| {
            assert_eq!(rig.bodies(&rig.queue("out")), ["out"]);
            assert!(rig.bodies(&rig.queue("in")).is_empty());
            rig.check();
        };
        check(&rig);
        drop((consumer, held, producer, third));
        rig.abandon();
        check(&Rig::journal(dir.path(), Settings::default()));
    }
}

#[test]
fn a_part_that_is_lost_takes_the_others_with_it() {
    for ended in [false, true] {
        let rig = Rig::memory(Settings::default());
        let (mut consumer, held, mut producer) = join(&rig, &xid(1));
        if ended {
            producer.port.end_branch(&xid(1)).unwrap();
        }
        producer.port.close();
        consumer.port.end_branch(&xid(1)).unwrap();
        assert_eq!(consumer.port.prepare_branch(&xid(1), None), Err(XaError::RolledBack));
        assert_eq!(consumer.port.rollback_branch(&xid(1), None), Err(XaError::Unknown));
        assert_eq!(consumer.accept(&held, 1), 1, "it is the client's again");
        assert!(rig.bodies(&rig.queue("out")).is_empty());
    }
    let rig = Rig::memory(Settings::default());
    let (mut consumer, _, mut producer) = join(&rig, &xid(1));
    consumer.port.close();
    producer.port.close();
    let mut other = rig.client();
    assert_eq!(other.port.commit_branch(&xid(1), Phases::One, None), Err(XaError::Unknown));
    assert_eq!(rig.given("in"), ["m"]);
}

#[test]
fn a_rollback_reaches_parts_that_are_open() {
    let rig = Rig::memory(Settings::default());
    let (mut consumer, held, mut producer) = join(&rig, &xid(1));
    consumer.port.rollback_branch(&xid(1), Some(Token(3))).unwrap();
    consumer.turn(&rig);
    assert_eq!((consumer.confirmed(), consumer.accept(&held, 1)), (vec![3], 1));
    assert_eq!(producer.port.end_branch(&xid(1)), Err(XaError::RolledBack));
    assert_eq!(producer.port.end_branch(&xid(1)), Err(TxError::Unknown.into()));
    let name = producer.port.begin_branch(&xid(1)).unwrap();
    producer.send_in(&name, &queue("out"), "new");
    producer.port.commit_branch(&xid(1), Phases::One, None).unwrap();
    assert_eq!(rig.bodies(&rig.queue("out")), ["new"]);
}

#[test]
fn a_branch_goes_on_where_it_was() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    for (part, other) in [("1", "a"), ("2", "b"), ("3", "c")] {
        let name = client.port.begin_branch(&xid(1)).unwrap();
        assert_eq!(client.port.begin_branch(&xid(1)), Ok(name.clone()), "to join it again is to go on");
        client.send_in(&name, &queue("out"), part);
        let terms = wharfmq_core::Terms { due: rig.now().wall.plus(Millis(9)), ..Default::default() };
        client.send_in_with(&name, &queue("late"), part, SAFE, Some(terms));
        client.port.end_branch(&xid(1)).unwrap();
        let name = client.port.begin_branch(&xid(2)).unwrap();
        client.send_in(&name, &queue("out"), other);
        client.port.end_branch(&xid(2)).unwrap();
    }
    client.port.commit_branch(&xid(2), Phases::One, None).unwrap();
    client.port.prepare_branch(&xid(1), None).unwrap();
    client.port.commit_branch(&xid(1), Phases::One, None).unwrap();
    assert_eq!(
        rig.bodies(&rig.queue("out")),
        ["a", "b", "c", "1", "2", "3"],
        "of one transaction, two branches"
    );
    assert_eq!(rig.stats(&rig.queue("late")).delayed, 3);
}

#[test]
fn nothing_to_decide_and_nothing_that_can_be() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    client.port.begin_branch(&xid(1)).unwrap();
    client.port.end_branch(&xid(1)).unwrap();
    assert_eq!(client.port.prepare_branch(&xid(1), None), Ok(Vote::ReadOnly));
    assert_eq!(client.port.rollback_branch(&xid(1), None), Err(XaError::Unknown));
    assert!(rig.broker.prepared().is_empty() && rig.broker.queues().is_empty());
    for prepares in [false, true] {
        let name = client.port.begin_branch(&xid(2)).unwrap();
        client.send_in(&name, &queue("out"), "never");
        client.port.doom(&name);
        client.port.end_branch(&xid(2)).unwrap();
        let refused = if prepares {
            client.port.prepare_branch(&xid(2), None).err()
        } else {
            client.port.commit_branch(&xid(2), Phases::One, None).err()
        };
        assert_eq!(refused, Some(XaError::RolledBack));
    }
    client.port.begin(&"1".into()).unwrap();
    client.send_in("1", &queue("out"), "never");
    client.port.doom("1");
    assert_eq!(client.port.commit("1", None), Err(TxError::Doomed));
    assert!(rig.bodies(&rig.queue("out")).is_empty());
}

#[test]
fn a_refused_commit_in_one_phase_rolls_back() {
    let full =
        PartialPolicy { max_messages: Some(1), overflow: Some(Overflow::Block), ..PartialPolicy::default() };
    let rig = Rig::memory(settings([("queue://out", full)]));
    let (mut consumer, held, mut producer) = join(&rig, &xid(1));
    producer.send(&queue("out"), "there already", SAFE, None);
    producer.port.end_branch(&xid(1)).unwrap();
    consumer.port.commit_branch(&xid(1), Phases::One, Some(Token(2))).unwrap();
    consumer.settle_down(&rig);
    assert_eq!(consumer.confirms, [(2, Err("queue out is full".to_owned()))]);
    assert_eq!(consumer.accept(&held, 1), 1);
    assert_eq!(consumer.port.rollback_branch(&xid(1), None), Err(XaError::Unknown));
}

#[test]
fn ended_parts_grow_old_and_are_counted() {
    let rig = Rig::memory(Settings::default());
    let (mut one, mut other) = (rig.client(), rig.client());
    for n in 0..=u8::try_from(2 * TRANSACTIONS_MAX).unwrap() {
        for client in [&mut one, &mut other] {
            let name = client.port.begin_branch(&xid(n)).unwrap();
            client.send_in(&name, &queue("out"), "m");
            client.port.end_branch(&xid(n)).unwrap();
        }
        one.port.commit_branch(&xid(n), Phases::One, None).unwrap();
    }
    for n in 0..u8::try_from(TRANSACTIONS_MAX).unwrap() {
        let name = one.port.begin_branch(&xid(n)).unwrap();
        one.send_in(&name, &queue("out"), "m");
        one.port.end_branch(&xid(n)).unwrap();
    }
    assert_eq!(one.port.begin_branch(&xid(200)), Err(TxError::TooMany.into()));
    rig.advance(TxLimits::default().timeout.0 + 1);
    one.turn(&rig);
    assert_eq!(other.port.commit_branch(&xid(0), Phases::One, None), Err(XaError::Unknown));
    one.port.begin_branch(&xid(200)).unwrap();
    rig.advance(TxLimits::default().timeout.0 + 1);
    one.turn(&rig);
    assert_eq!(one.port.commit_branch(&xid(200), Phases::One, None), Err(XaError::Unknown));
}

#[test]
fn a_reply_to_somebody_who_is_gone_does_not_stop_a_commit() {
    let rig = Rig::memory(Settings::default());
    let (mut asks, mut answers) = (rig.client(), rig.client());
    let reply = asks.port.temporary(Kind::Queue, "reply").unwrap();
    let name = answers.port.begin_branch(&xid(1)).unwrap();
    let route = answers.port.route(&Arc::clone(&reply)).unwrap();
    answers.send_in_by(&name, &route, "answer", SAFE, None);
    answers.send_in(&name, &queue("out"), "out");
    answers.port.prepare_branch(&xid(1), None).unwrap();
    asks.port.close();
    answers.port.commit_branch(&xid(1), Phases::Two, Some(Token(1))).unwrap();
    answers.settle_down(&rig);
    assert_eq!(answers.confirmed(), [1]);
    assert_eq!(rig.bodies(&rig.queue("out")), ["out"]);
    assert_eq!(rig.broker.counters().totals().dropped_temporary, 1);
}
