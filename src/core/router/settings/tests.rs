use super::*;
use crate::Nack;

fn rule(pattern: &str, set: PartialPolicy) -> (Pattern, PartialPolicy) {
    (Pattern::parse_canonical(pattern).unwrap(), set)
}

fn max(messages: u64) -> PartialPolicy {
    PartialPolicy { max_messages: Some(messages), ..PartialPolicy::default() }
}

fn origin(settings: &Settings, role: QueueRole, address: &Address, field: PolicyField) -> PolicyOrigin {
    settings.explain(role, address).1.into_iter().find(|(f, _)| *f == field).unwrap().1
}

#[test]
fn the_most_specific_pattern_wins_for_each_key() {
    let settings = Settings::new([
        rule("queue://orders.eu.*", max(3)),
        rule("queue://>", PartialPolicy { max_deliveries: Some(7), ..max(1) }),
        rule("queue://orders.>", PartialPolicy { priority: Some(true), ..max(2) }),
        rule("topic://orders.eu.x", max(9)),
    ]);
    let address = Address::queue("orders.eu.x");
    let policy = settings.resolve(QueueRole::Queue, &address);
    assert_eq!((policy.max_messages, policy.max_deliveries, policy.priority), (3, 7, true));
    let rule = |text| PolicyOrigin::Rule(Pattern::parse_canonical(text).unwrap());
    assert_eq!(
        origin(&settings, QueueRole::Queue, &address, PolicyField::MaxMessages),
        rule("queue://orders.eu.*")
    );
    assert_eq!(
        origin(&settings, QueueRole::Queue, &address, PolicyField::Priority),
        rule("queue://orders.>")
    );
    assert_eq!(origin(&settings, QueueRole::Queue, &address, PolicyField::MaxBytes), PolicyOrigin::Default);
    assert_eq!(settings.resolve(QueueRole::Queue, &Address::queue("orders")).max_messages, 2);
    assert_eq!(settings.resolve(QueueRole::Queue, &Address::queue("other")).max_messages, 1);
}

#[test]
fn of_two_rules_for_one_pattern_the_later_wins() {
    let settings = Settings::new([rule("queue://a", max(1)), rule("queue://a", max(2))]);
    assert_eq!(settings.resolve(QueueRole::Queue, &Address::queue("a")).max_messages, 2);
}

#[test]
fn queues_under_the_same_rules_share_a_policy() {
    let settings = Settings::new([rule("queue://a.>", max(1))]);
    let resolve = |name| settings.resolve(QueueRole::Queue, &Address::queue(name));
    assert!(Arc::ptr_eq(&resolve("a.b"), &resolve("a.c")));
    assert!(!Arc::ptr_eq(&resolve("a.b"), &resolve("b")));
}

#[test]
fn roles_have_their_defaults() {
    let settings = Settings::default();
    let topic = Address::topic("t");
    assert_eq!(*settings.resolve(QueueRole::Queue, &Address::queue("q")), QueuePolicy::default());
    let durable = settings.resolve(QueueRole::Durable, &topic);
    assert_eq!((durable.max_deliveries, &durable.expired), (10, &DeadLetter::Drop));
    assert_eq!(durable.dead_letter, DeadLetter::To(Address::queue("ActiveMQ.DLQ")));
    let counting = Settings::new([rule(
        "topic://>",
        PartialPolicy { max_deliveries: Some(3), ..PartialPolicy::default() },
    )]);
    assert_eq!(counting.resolve(QueueRole::Durable, &topic).max_deliveries, 3);
    assert_eq!(counting.resolve(QueueRole::Session, &topic).max_deliveries, 0);
    assert_eq!(origin(&counting, QueueRole::Session, &topic, PolicyField::MaxDeliveries), PolicyOrigin::Role);
}

#[test]
fn dead_letters_are_kept() {
    let dlq = Address::queue("DLQ.orders");
    let set = PartialPolicy {
        dead_letter: Some(DeadLetter::To(dlq.clone())),
        expiry: Some(Millis(5)),
        ..PartialPolicy::default()
    };
    let settings = Settings::new([rule("queue://>", set)]);
    assert_eq!(
        settings.resolve(QueueRole::Queue, &Address::queue("orders")).expired,
        DeadLetter::To(dlq.clone())
    );
    for address in [dlq, Address::queue("ActiveMQ.DLQ")] {
        assert!(settings.is_dead_letter_queue(&address));
        let policy = settings.resolve(QueueRole::Queue, &address);
        assert_eq!((policy.expiry, policy.max_deliveries), (Millis::NEVER, 0));
        assert_eq!((&policy.dead_letter, &policy.expired), (&DeadLetter::Drop, &DeadLetter::Drop));
        assert_eq!(
            origin(&settings, QueueRole::Queue, &address, PolicyField::Expiry),
            PolicyOrigin::DeadLetterQueue
        );
    }
    assert!(!settings.is_dead_letter_queue(&Address::topic("DLQ.orders")));
}

#[test]
fn dead_letter_queues_are_known_by_their_template() {
    let around = |before: &str, after: &str| Some(DeadLetter::Around(before.into(), after.into()));
    let settings = Settings::new([
        rule(
            "queue://>",
            PartialPolicy {
                dead_letter: around("DLQ.", ""),
                expiry: Some(Millis(5)),
                ..PartialPolicy::default()
            },
        ),
        rule("queue://a", PartialPolicy { expired: around("old.", ".gone"), ..PartialPolicy::default() }),
    ]);
    let policy = settings.resolve(QueueRole::Queue, &Address::queue("orders"));
    assert_eq!(policy.dead_letter.target("orders"), Some(Address::queue("DLQ.orders")));
    assert_eq!(policy.expired.target("orders"), Some(Address::queue("DLQ.orders")));
    for name in ["DLQ.orders", "DLQ.DLQ", "old.a.gone"] {
        let policy = settings.resolve(QueueRole::Queue, &Address::queue(name));
        assert_eq!((policy.expiry, policy.max_deliveries), (Millis::NEVER, 0), "{name}");
        assert_eq!((&policy.dead_letter, &policy.expired), (&DeadLetter::Drop, &DeadLetter::Drop));
    }
    for name in ["DLQ.", "orders", "old..gone", "old.gone", "xDLQ.a"] {
        assert!(!settings.is_dead_letter_queue(&Address::queue(name)), "{name}");
    }
    assert!(!settings.is_dead_letter_queue(&Address::topic("DLQ.orders")));
    let long = "x".repeat(limits::NAME_BYTES_MAX);
    let target = policy.dead_letter.target(&long).unwrap();
    assert_eq!(target.name.len(), limits::NAME_BYTES_MAX);
}

#[test]
fn every_setting_finds_its_way_into_the_policy() {
    let set = PartialPolicy {
        priority: Some(true),
        max_messages: Some(1),
        max_bytes: Some(2),
        overflow: Some(Overflow::Reject),
        expiry: Some(Millis(3)),
        max_deliveries: Some(4),
        redelivery_delay: Some(Millis(5)),
        redelivery_backoff_permille: Some(6_000),
        dead_letter: Some(DeadLetter::Drop),
        expired: Some(DeadLetter::To(Address::queue("x"))),
        resident_bytes: Some(7),
        nack: Some(Nack::Discard),
        lock: Some(Millis(8)),
        groups: Some(Grouping::Strict),
        dedup: Some(Millis(9)),
        dedup_by: Some("id".into()),
        single_active: Some(true),
        last_value: Some(Some("key".into())),
        paused: Some(true),
        history: Some(10),
        history_age: Some(Millis(11)),
    };
    let base = QueuePolicy { max_volatile_bytes: 12, max_stored_bytes: 13, ..QueuePolicy::default() };
    let settings = Settings::with_base([rule("queue://a", set)], base.clone());
    let (policy, origins) = settings.explain(QueueRole::Queue, &Address::queue("a"));
    let expected = QueuePolicy {
        durable: true,
        priority: true,
        max_messages: 1,
        max_bytes: 2,
        overflow: Overflow::Reject,
        expiry: Millis(3),
        max_deliveries: 4,
        redelivery_delay: Millis(5),
        redelivery_backoff_permille: 6_000,
        dead_letter: DeadLetter::Drop,
        expired: DeadLetter::To(Address::queue("x")),
        resident_bytes: 7,
        max_volatile_bytes: 12,
        max_stored_bytes: 13,
        nack: Nack::Discard,
        lock: Millis(8),
        groups: Grouping::Strict,
        dedup: Millis(9),
        dedup_by: "id".into(),
        single_active: true,
        last_value: Some("key".into()),
        paused: true,
    };
    assert_eq!(policy, expected);
    assert!(origins.iter().all(|(_, origin)| matches!(origin, PolicyOrigin::Rule(_))), "{origins:?}");
    assert_eq!(*settings.resolve(QueueRole::Queue, &Address::queue("b")), base);
    assert!(!settings.keeps_history(), "a queue has none");
}

#[test]
fn the_history_of_a_topic_is_a_ring() {
    let set =
        PartialPolicy { history: Some(3), last_value: Some(Some("k".into())), paused: Some(true), ..max(9) };
    let age = PartialPolicy { history_age: Some(Millis(7)), ..PartialPolicy::default() };
    let base = QueuePolicy { max_volatile_bytes: 50, max_stored_bytes: 40, ..QueuePolicy::default() };
    let settings = Settings::with_base([rule("topic://a.>", set), rule("topic://b", age)], base);
    let topic = Address::topic("a.b");
    assert!(settings.keeps_history());
    assert_eq!(settings.history(&topic), HistoryPolicy { history: 3, history_age: Millis(0) });
    assert_eq!(settings.history(&Address::topic("c")), HistoryPolicy::NONE);
    assert_eq!(settings.history(&Address::queue("a.b")), HistoryPolicy::NONE);
    let ring = settings.resolve(QueueRole::History, &topic);
    assert_eq!((ring.max_messages, ring.max_bytes, ring.expiry), (3, 40, Millis::NEVER));
    assert_eq!((ring.overflow, &ring.expired), (Overflow::DropOldest, &DeadLetter::Drop));
    assert!(!ring.paused && ring.last_value.is_none());
    let aged = settings.resolve(QueueRole::History, &Address::topic("b"));
    assert_eq!((aged.max_messages, aged.expiry), (limits::HISTORY_MESSAGES_MAX, Millis(7)));
    assert_eq!(
        origin(&settings, QueueRole::History, &topic, PolicyField::Paused),
        PolicyOrigin::Role,
        "nobody consumes from it"
    );
}

#[test]
fn sessions_have_a_limit_of_their_own_where_no_rule_has_one() {
    let rule = |overflow| PartialPolicy { max_messages: Some(5), overflow, ..PartialPolicy::default() };
    let settings = Settings::new([
        (Pattern::parse_canonical("topic://small").unwrap(), rule(None)),
        (
            Pattern::parse_canonical("topic://ring").unwrap(),
            PartialPolicy { overflow: Some(Overflow::DropOldest), ..PartialPolicy::default() },
        ),
    ])
    .with_session_messages(100);
    let limits = |role, name| {
        let policy = settings.resolve(role, &Address::topic(name));
        (policy.max_messages, policy.overflow)
    };
    assert_eq!(limits(QueueRole::Session, "any"), (100, Overflow::Reject));
    assert_eq!(limits(QueueRole::Session, "small"), (5, Overflow::Block));
    assert_eq!(limits(QueueRole::Session, "ring"), (100, Overflow::DropOldest));
    assert_eq!(limits(QueueRole::Durable, "any"), (0, Overflow::Block));
    let any = Address::topic("any");
    assert_eq!(origin(&settings, QueueRole::Session, &any, PolicyField::MaxMessages), PolicyOrigin::Role);
    assert_eq!(*Settings::default().resolve(QueueRole::Session, &any), {
        let unlimited = Settings::default().with_session_messages(0);
        (*unlimited.resolve(QueueRole::Session, &any)).clone()
    });
}
