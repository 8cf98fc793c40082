//! Packet identifiers against a plain set.

use proptest::prelude::*;
use std::collections::HashSet;
use wharfmq_mqtt::PacketId;
use wharfmq_mqtt::state::{IdSet, PacketIds};

fn id(value: u16) -> PacketId {
    PacketId::new(value).unwrap()
}

#[test]
fn an_idle_session_costs_a_few_bytes() {
    assert_eq!(size_of::<IdSet>(), 24);
    assert!(size_of::<PacketIds>() <= 32);
}

#[test]
fn mqtt_2_2_1_3_all_identifiers_once_and_never_zero() {
    let mut ids = PacketIds::default();
    let all: HashSet<_> = std::iter::from_fn(|| ids.allocate()).collect();
    assert_eq!(all.len(), 65_535);
    assert!(ids.release(id(1)) && ids.release(id(40_000)));
    assert_eq!((ids.allocate(), ids.allocate(), ids.allocate()), (Some(id(1)), Some(id(40_000)), None));
}

#[test]
fn identifiers_go_round_before_one_is_used_again() {
    let mut ids = PacketIds::new(10);
    for round in 0..3u32 {
        for expected in 1..=u16::MAX {
            let found = ids.allocate().unwrap();
            assert_eq!(found.get(), expected, "round {round}");
            assert!(ids.release(found));
        }
    }
}

#[test]
fn mqtt_2_2_1_3_going_round_passes_zero() {
    let mut ids = PacketIds::default();
    while ids.allocate().is_some() {}
    assert!(ids.release(id(40_000)));
    assert_eq!(ids.allocate(), Some(id(40_000)));
    assert!(ids.release(id(5)));
    assert_eq!(ids.allocate(), Some(id(5)));
}

#[test]
fn limit_and_reserved_identifiers_are_kept() {
    let mut ids = PacketIds::new(3);
    assert!(ids.reserve(id(2)) && !ids.reserve(id(2)));
    assert_eq!((ids.allocate(), ids.allocate(), ids.allocate()), (Some(id(1)), Some(id(3)), None));
    assert!(!ids.release(id(9)) && ids.release(id(2)) && !ids.is_used(id(2)));
    assert_eq!(ids.allocate(), Some(id(4)));
}

#[derive(Clone, Debug)]
enum Step {
    Allocate(u8),
    Reserve(u16),
    Release(u16),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..50u8).prop_map(Step::Allocate),
        4 => prop_oneof![1..300u16, 65_400..=u16::MAX].prop_map(Step::Reserve),
        8 => (1..300u16).prop_map(Step::Release),
        1 => Just(Step::Clear),
    ]
}

proptest! {
    #[test]
    fn allocator_agrees_with_a_set(steps in proptest::collection::vec(step(), 1..60), limit in 1..400u16) {
        let mut ids = PacketIds::new(limit);
        let mut model = HashSet::new();
        for step in steps {
            match step {
                Step::Allocate(count) => for _ in 0..count {
                    match ids.allocate() {
                        Some(new) => prop_assert!(model.insert(new)),
                        None => prop_assert!(model.len() >= usize::from(limit)),
                    }
                },
                Step::Reserve(value) => prop_assert_eq!(ids.reserve(id(value)), model.insert(id(value))),
                Step::Release(value) => prop_assert_eq!(ids.release(id(value)), model.remove(&id(value))),
                Step::Clear => {
                    for used in model.drain() {
                        prop_assert!(ids.release(used));
                    }
                }
            }
            prop_assert_eq!(ids.used(), model.len());
            prop_assert!(model.iter().all(|&used| ids.is_used(used)));
        }
    }

    #[test]
    fn set_lists_what_was_put_in(values in proptest::collection::hash_set(1..=u16::MAX, 0..200)) {
        let set: IdSet = values.iter().map(|&value| id(value)).collect();
        let listed: HashSet<_> = set.iter().map(PacketId::get).collect();
        prop_assert_eq!(set.len(), values.len());
        prop_assert_eq!(listed, values);
    }
}
