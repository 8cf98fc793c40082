//! Temporary destinations: whose they are, and that nothing is left of them.

use std::sync::Arc;

use bytes::Bytes;
use tempfile::tempdir;
use wharfmq_core::record::Class;
use wharfmq_core::{Address, Kind, Pattern, Settings, SubTag};

use super::kit::*;
use crate::broker::{Binding, Refused, TEMPORARIES_MAX, chosen_name, is_temporary};

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
fn names_that_clients_choose_are_everybodys() {
    let rig = Rig::memory(Settings::default());
    let (mut owner, mut other) = (rig.client(), rig.client());
    for kind in [Kind::Queue, Kind::Topic] {
        let made = owner.port.temporary_named(kind, "ID:host-1-2-1:1:1").unwrap();
        assert_eq!(*made.name, *"$temp.ID:host-1-2-1:1:1");
        assert!(is_temporary(&made.name));
        assert_eq!(chosen_name(&made.name), Some("ID:host-1-2-1:1:1"));
        assert_eq!(owner.port.temporary_named(kind, "ID:host-1-2-1:1:1"), Ok(Arc::clone(&made)));
        let refused = Err(Refused::Taken(made.name.clone()));
        assert_eq!(other.port.temporary_named(kind, "ID:host-1-2-1:1:1"), refused);
        assert_eq!(other.port.reach_temporary(&made), Ok(()));
        assert_eq!(other.port.delete_temporary(&made), Err(Refused::Foreign));
        let pattern = Pattern::of(&made).unwrap();
        assert_eq!(owner.port.may_subscribe(&pattern), Ok(()));
        assert_eq!(other.port.may_subscribe(&pattern), Err(Refused::Foreign));
    }
    assert!(owner.port.find(Class::Temporary, &"$temp.ID:host-1-2-1:1:1".into()).is_some());
    assert!(other.port.find(Class::Temporary, &"$temp.ID:host-1-2-1:1:1".into()).is_none());
    let names =
        ["", "a.*", ">", "7.1f.x", "7"].map(|name| owner.port.temporary_named(Kind::Queue, name).is_ok());
    assert_eq!(names, [false; 5], "names that are none, or may be one that the broker gives");
}

#[test]
fn what_waits_in_one_that_is_deleted_is_gone_and_counted() {
    let rig = Rig::memory(Settings::default());
    let (mut owner, mut other) = (rig.client(), rig.client());
    let made = owner.port.temporary_named(Kind::Queue, "q:1").unwrap();
    let topic = owner.port.temporary_named(Kind::Topic, "t:1").unwrap();
    other.send(&made, "m", SAFE, Some(1));
    other.settle_down(&rig);
    for address in [&made, &topic] {
        owner.port.delete_temporary(address).unwrap();
        assert_eq!(other.port.reach_temporary(address), Err(Refused::Gone(address.name.clone())));
        assert_eq!(owner.port.delete_temporary(address), Err(Refused::Gone(address.name.clone())));
    }
    assert_eq!(rig.broker.counters().totals().dropped_temporary, 1);
    assert!(rig.broker.queues().all().is_empty());
    other.port.temporary_named(Kind::Queue, "q:1").unwrap();
}

#[test]
fn a_connection_that_comes_back_takes_its_names_over() {
    let rig = Rig::memory(Settings::default());
    let (mut stale, mut again) = (rig.client(), rig.client());
    let made = stale.port.temporary_named(Kind::Queue, "ID:a:1").unwrap();
    assert!(again.port.temporary_named(Kind::Queue, "ID:a:1").is_err());
    stale.port.close();
    assert_eq!(again.port.temporary_named(Kind::Queue, "ID:a:1"), Ok(Arc::clone(&made)));
    stale.port.close();
    assert_eq!(rig.client().port.reach_temporary(&made), Ok(()), "what is stale takes nothing along");
}

#[test]
fn both_kinds_of_names_count_for_the_limit() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    for n in 0..TEMPORARIES_MAX / 2 {
        client.port.temporary_named(Kind::Topic, &format!("t:{n}")).unwrap();
        client.port.temporary(Kind::Topic, &format!("t:{n}")).unwrap();
    }
    assert_eq!(client.port.temporary_named(Kind::Topic, "more"), Err(Refused::TooManyTemporaries));
    assert_eq!(client.port.temporary(Kind::Topic, "more"), Err(Refused::TooManyTemporaries));
    assert!(client.port.temporary_named(Kind::Topic, "t:1").is_ok(), "one that it has");
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
