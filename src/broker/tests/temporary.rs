//! Temporary destinations: whose they are, and that nothing is left of them.

use std::sync::Arc;

use bytes::Bytes;
use tempfile::tempdir;
use wharfmq_core::record::Class;
use wharfmq_core::{Address, Kind, Pattern, Settings, SubTag};

use super::kit::*;
use crate::broker::{Binding, Refused};

#[test]
fn only_their_connection_gets_hold_of_them() {
    let rig = Rig::memory(Settings::default());
    let (mut owner, mut other) = (rig.client(), rig.client());
    let made = owner.port.temporary(Kind::Queue, "mine").unwrap();
    assert_eq!(made, owner.port.temporary(Kind::Queue, "mine").unwrap());
    assert_ne!(made.name, other.port.temporary(Kind::Queue, "mine").unwrap().name);
    let name = &made.name;
    assert!(owner.port.find(Class::Temporary, name).is_some());
    assert!(other.port.find(Class::Temporary, name).is_none());
    assert_eq!(other.port.open(Class::Temporary, name, false).unwrap_err(), Refused::Foreign);
    assert_eq!(other.port.open(Class::Queue, name, true).unwrap_err(), Refused::Reserved);
    let unknown = format!("{name}.x").into();
    assert_eq!(owner.port.open(Class::Temporary, &unknown, false).unwrap_err(), Refused::Foreign);
    for (kind, text) in [(Kind::Queue, &**name), (Kind::Queue, "$temp.>"), (Kind::Topic, "$temp.*.*.mine")] {
        let pattern = Pattern::parse(kind, text).unwrap();
        assert_eq!(other.port.may_subscribe(&pattern), Err(Refused::Foreign), "{text}");
        assert!(other.port.queues_matching(&pattern).is_empty());
    }
    other.send(&made, "hello", SAFE, Some(1));
    other.settle_down(&rig);
    assert_eq!(other.confirmed(), [1]);
    let queue = owner.port.find(Class::Temporary, name).unwrap();
    assert_eq!(rig.entries(&queue), [("hello".to_owned(), false, 0)], "sent to, and not stored");
    owner.port.close();
    assert_eq!(other.port.route(&made).unwrap_err(), Refused::Gone(name.clone()));
    assert!(rig.broker.queues().get(queue.id).is_none());
}

#[test]
fn what_is_under_way_to_one_that_goes_is_refused() {
    let rig = Rig::memory(Settings::default());
    let (mut owner, mut other) = (rig.client(), rig.client());
    let made = owner.port.temporary(Kind::Queue, "mine").unwrap();
    other.stage(&made, "late", SAFE, Some(1));
    owner.port.close();
    other.flush();
    other.settle_down(&rig);
    let (token, result) = &other.confirms[0];
    assert_eq!(*token, 1);
    assert!(result.as_ref().unwrap_err().contains("is gone"));
}

#[test]
fn topics_are_private_and_keep_no_last_value() {
    let rig = Rig::memory(Settings::default());
    let (mut owner, mut other) = (rig.client(), rig.client());
    let made = owner.port.temporary(Kind::Topic, "mine").unwrap();
    let pattern = Pattern::of(&made).unwrap();
    owner.port.subscribe(&pattern, SubTag(1), false, false, None);
    other.port.subscribe(&pattern, SubTag(1), false, false, None);
    let session = other.port.open(Class::Session, &"me".into(), true).unwrap().0;
    let binding =
        Binding { pattern: pattern.clone(), flags: 2, no_local: false, filter: None, options: Bytes::new() };
    assert_eq!(other.port.bind(&session, binding), Err(Refused::Foreign));
    other.send(&made, "1", RETAIN, None);
    owner.turn(&rig);
    other.turn(&rig);
    assert_eq!((owner.chunked.len(), other.chunked.len()), (1, 0));
    assert!(retained(&rig, &pattern).is_empty());
    assert_eq!(other.port.reach_temporary(&made), Ok(()));
    let route = other.port.route(&made).unwrap();
    owner.port.close();
    assert_eq!(other.port.reach_temporary(&made), Err(Refused::Gone(made.name.clone())));
    assert!(route.generation() < other.port.generation(), "whoever keeps the route looks again");
}

#[test]
fn names_are_checked() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    for (name, fine) in [("a/b.c", true), ("a,b", true), ("", false), ("a.>", false), ("*", false)] {
        assert_eq!(client.port.temporary(Kind::Queue, name).is_ok(), fine, "{name}");
    }
    let address = Arc::new(Address::queue("$temp"));
    assert_eq!(client.port.route(&address).unwrap_err(), Refused::Gone("$temp".into()));
}

#[test]
fn a_restart_leaves_nothing() {
    let dir = tempdir().unwrap();
    let rig = Rig::journal(dir.path(), Settings::default());
    let mut client = rig.client();
    let made = client.port.temporary(Kind::Queue, "mine").unwrap();
    client.send(&made, "m", SAFE, Some(1));
    client.send(&queue("kept"), "k", SAFE, Some(2));
    client.settle_down(&rig);
    drop(client);
    rig.abandon();
    let rig = Rig::journal(dir.path(), Settings::default());
    let names: Vec<_> = rig.broker.queues().all().iter().map(|cell| cell.name.clone()).collect();
    assert_eq!(names, ["kept"]);
    assert_eq!(rig.client().port.route(&made).unwrap_err(), Refused::Gone(made.name.clone()));
}
