//! Settings by pattern, resolved to the policy of one queue.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytestring::ByteString;
use foldhash::fast::RandomState;
use smallvec::SmallVec;
use wharfmq_base::{Millis, RankedMutex};

use super::pattern::Pattern;
use crate::{Address, DeadLetter, Overflow, QueuePolicy};

/// What a queue is for, which decides its defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueRole {
    /// A queue that clients name.
    Queue,
    /// A durable subscription to a topic. What expires in it is dropped.
    Durable,
    /// An MQTT session. What expires in it is dropped, and it never dead-letters by count.
    Session,
}

/// The settings of one pattern: those that are `Some` hold for what the pattern matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartialPolicy {
    /// See [`QueuePolicy::priority`].
    pub priority: Option<bool>,
    /// See [`QueuePolicy::max_messages`].
    pub max_messages: Option<u64>,
    /// See [`QueuePolicy::max_bytes`].
    pub max_bytes: Option<u64>,
    /// See [`QueuePolicy::overflow`].
    pub overflow: Option<Overflow>,
    /// See [`QueuePolicy::expiry`].
    pub expiry: Option<Millis>,
    /// See [`QueuePolicy::max_deliveries`].
    pub max_deliveries: Option<u8>,
    /// See [`QueuePolicy::redelivery_delay`].
    pub redelivery_delay: Option<Millis>,
    /// See [`QueuePolicy::redelivery_backoff_permille`].
    pub redelivery_backoff_permille: Option<u32>,
    /// See [`QueuePolicy::dead_letter`].
    pub dead_letter: Option<DeadLetter>,
    /// See [`QueuePolicy::expired`]. For queues it follows `dead_letter` where it is not set.
    pub expired: Option<DeadLetter>,
    /// See [`QueuePolicy::resident_bytes`].
    pub resident_bytes: Option<u64>,
    /// See [`QueuePolicy::dedup`].
    pub dedup: Option<Millis>,
    /// See [`QueuePolicy::dedup_by`].
    pub dedup_by: Option<ByteString>,
    /// See [`QueuePolicy::last_value`].
    pub last_value: Option<Option<ByteString>>,
}

/// A field of a policy that settings can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyField {
    /// [`PartialPolicy::priority`]
    Priority,
    /// [`PartialPolicy::max_messages`]
    MaxMessages,
    /// [`PartialPolicy::max_bytes`]
    MaxBytes,
    /// [`PartialPolicy::overflow`]
    Overflow,
    /// [`PartialPolicy::expiry`]
    Expiry,
    /// [`PartialPolicy::max_deliveries`]
    MaxDeliveries,
    /// [`PartialPolicy::redelivery_delay`]
    RedeliveryDelay,
    /// [`PartialPolicy::redelivery_backoff_permille`]
    RedeliveryBackoff,
    /// [`PartialPolicy::dead_letter`]
    DeadLetter,
    /// [`PartialPolicy::expired`]
    Expired,
    /// [`PartialPolicy::resident_bytes`]
    ResidentBytes,
}

impl PolicyField {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Priority,
        Self::MaxMessages,
        Self::MaxBytes,
        Self::Overflow,
        Self::Expiry,
        Self::MaxDeliveries,
        Self::RedeliveryDelay,
        Self::RedeliveryBackoff,
        Self::DeadLetter,
        Self::Expired,
        Self::ResidentBytes,
    ];

    /// Its key in the configuration.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::MaxMessages => "max_messages",
            Self::MaxBytes => "max_bytes",
            Self::Overflow => "overflow",
            Self::Expiry => "expiry",
            Self::MaxDeliveries => "max_deliveries",
            Self::RedeliveryDelay => "redelivery_delay",
            Self::RedeliveryBackoff => "redelivery_backoff",
            Self::DeadLetter => "dead_letter",
            Self::Expired => "expired",
            Self::ResidentBytes => "resident_bytes",
        }
    }
}

/// Where the value of a field comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyOrigin {
    /// Nothing sets it.
    Default,
    /// The settings of this pattern.
    Rule(Pattern),
    /// What the queue is for leaves no choice: sessions never dead-letter by count.
    Role,
    /// The queue takes dead letters: they neither expire nor move on.
    DeadLetterQueue,
}

/// The settings of all patterns. Never changed: a reload makes a new one.
#[derive(Debug)]
pub struct Settings {
    /// Ascending by specificity; of two alike the one written later is later.
    rules: Vec<(Pattern, PartialPolicy)>,
    dead_letter_queues: HashSet<Address>,
    /// Policies already resolved, by role, whether it takes dead letters, and the rules that match:
    /// a million queues under one rule share one policy.
    made: RankedMutex<Made, LAST>,
}

type Made = HashMap<(QueueRole, bool, SmallVec<[u16; 8]>), Arc<QueuePolicy>, RandomState>;

/// Taken after every other lock, and none is taken under it.
const LAST: u8 = u8::MAX;

/// Policies remembered; beyond that they are made again.
const MADE_MAX: usize = 4_096;

impl Settings {
    /// From patterns and their settings, in the order in which they were written. More than 65,535
    /// are cut off.
    pub fn new(rules: impl IntoIterator<Item = (Pattern, PartialPolicy)>) -> Self {
        let mut rules: Vec<_> = rules.into_iter().take(usize::from(u16::MAX)).collect();
        rules.sort_by_key(|(pattern, _)| pattern.specificity());
        let defaults = QueuePolicy::default();
        let named = rules.iter().flat_map(|(_, set)| [&set.dead_letter, &set.expired]).flatten();
        let dead_letter_queues = named
            .chain([&defaults.dead_letter, &defaults.expired])
            .filter_map(|target| match target {
                DeadLetter::To(address) => Some(address.clone()),
                DeadLetter::Drop | DeadLetter::Around(..) => None,
            })
            .collect();
        Self { rules, dead_letter_queues, made: RankedMutex::new(Made::default()) }
    }

    /// The policy of a queue. For a subscription `address` is the topic it is bound to; where that is a
    /// pattern, its text as a name.
    pub fn resolve(&self, role: QueueRole, address: &Address) -> Arc<QueuePolicy> {
        let matching = self.matching(address);
        let key = (role, self.takes_dead_letters(role, address), matching);
        if let Some(policy) = self.made.lock().get(&key) {
            return Arc::clone(policy);
        }
        let policy = Arc::new(self.make(role, key.1, &key.2).0);
        let mut made = self.made.lock();
        if made.len() >= MADE_MAX {
            made.clear();
        }
        Arc::clone(made.entry(key).or_insert(policy))
    }

    /// The policy, and for each field where its value comes from.
    pub fn explain(
        &self,
        role: QueueRole,
        address: &Address,
    ) -> (QueuePolicy, Vec<(PolicyField, PolicyOrigin)>) {
        let matching = self.matching(address);
        let (policy, origins) = self.make(role, self.takes_dead_letters(role, address), &matching);
        (policy, PolicyField::ALL.into_iter().zip(origins).collect())
    }

    /// Whether this is a queue that dead letters are sent to.
    pub fn is_dead_letter_queue(&self, address: &Address) -> bool {
        self.dead_letter_queues.contains(address)
    }

    fn takes_dead_letters(&self, role: QueueRole, address: &Address) -> bool {
        role == QueueRole::Queue && self.is_dead_letter_queue(address)
    }

    /// Indices of the rules that match, ascending.
    fn matching(&self, address: &Address) -> SmallVec<[u16; 8]> {
        let rules = self.rules.iter().zip(0u16..);
        rules.filter(|((pattern, _), _)| pattern.matches_address(address)).map(|(_, nth)| nth).collect()
    }

    fn make(
        &self,
        role: QueueRole,
        dead_letters: bool,
        matching: &[u16],
    ) -> (QueuePolicy, [PolicyOrigin; 11]) {
        let mut making = Making::new(role);
        for nth in matching {
            if let Some((pattern, set)) = self.rules.get(usize::from(*nth)) {
                making.apply(pattern, set);
            }
        }
        if role == QueueRole::Queue && making.origins[PolicyField::Expired as usize] == PolicyOrigin::Default
        {
            making.policy.expired = making.policy.dead_letter.clone();
            making.origins[PolicyField::Expired as usize] =
                making.origins[PolicyField::DeadLetter as usize].clone();
        }
        if role == QueueRole::Session {
            making.policy.max_deliveries = 0;
            making.origins[PolicyField::MaxDeliveries as usize] = PolicyOrigin::Role;
        }
        if dead_letters {
            making.keep_for_ever();
        }
        (making.policy, making.origins)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new([])
    }
}

/// A policy on its way from the defaults to what the rules say.
struct Making {
    policy: QueuePolicy,
    origins: [PolicyOrigin; 11],
}

impl Making {
    fn new(role: QueueRole) -> Self {
        let mut policy = QueuePolicy::default();
        if role != QueueRole::Queue {
            policy.expired = DeadLetter::Drop;
        }
        Self { policy, origins: std::array::from_fn(|_| PolicyOrigin::Default) }
    }

    fn apply(&mut self, pattern: &Pattern, set: &PartialPolicy) {
        let Self { policy, origins } = self;
        let mut origin = |field: PolicyField| origins[field as usize] = PolicyOrigin::Rule(pattern.clone());
        let mut put = |field, is_set| {
            if is_set {
                origin(field);
            }
        };
        put(PolicyField::Priority, assign(&mut policy.priority, &set.priority));
        put(PolicyField::MaxMessages, assign(&mut policy.max_messages, &set.max_messages));
        put(PolicyField::MaxBytes, assign(&mut policy.max_bytes, &set.max_bytes));
        put(PolicyField::Overflow, assign(&mut policy.overflow, &set.overflow));
        put(PolicyField::Expiry, assign(&mut policy.expiry, &set.expiry));
        put(PolicyField::MaxDeliveries, assign(&mut policy.max_deliveries, &set.max_deliveries));
        put(PolicyField::RedeliveryDelay, assign(&mut policy.redelivery_delay, &set.redelivery_delay));
        let backoff = assign(&mut policy.redelivery_backoff_permille, &set.redelivery_backoff_permille);
        put(PolicyField::RedeliveryBackoff, backoff);
        put(PolicyField::DeadLetter, assign(&mut policy.dead_letter, &set.dead_letter));
        put(PolicyField::Expired, assign(&mut policy.expired, &set.expired));
        put(PolicyField::ResidentBytes, assign(&mut policy.resident_bytes, &set.resident_bytes));
        assign(&mut policy.dedup, &set.dedup);
        assign(&mut policy.dedup_by, &set.dedup_by);
        assign(&mut policy.last_value, &set.last_value);
    }

    /// Whoever has to look into what went wrong finds it, however late and however often they try.
    fn keep_for_ever(&mut self) {
        self.policy.expiry = Millis::NEVER;
        self.policy.max_deliveries = 0;
        self.policy.dead_letter = DeadLetter::Drop;
        self.policy.expired = DeadLetter::Drop;
        for field in
            [PolicyField::Expiry, PolicyField::MaxDeliveries, PolicyField::DeadLetter, PolicyField::Expired]
        {
            self.origins[field as usize] = PolicyOrigin::DeadLetterQueue;
        }
    }
}

fn assign<T: Clone>(to: &mut T, from: &Option<T>) -> bool {
    if let Some(value) = from {
        to.clone_from(value);
    }
    from.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(
            origin(&settings, QueueRole::Queue, &address, PolicyField::MaxBytes),
            PolicyOrigin::Default
        );
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
        assert_eq!(
            origin(&counting, QueueRole::Session, &topic, PolicyField::MaxDeliveries),
            PolicyOrigin::Role
        );
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
}
