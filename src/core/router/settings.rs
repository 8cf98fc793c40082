//! Settings by pattern, resolved to the policy of one queue.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytestring::ByteString;
use foldhash::fast::RandomState;
use smallvec::SmallVec;
use wharfmq_base::{Millis, RankedMutex};

use super::partial::{HistoryPolicy, Origins, PartialPolicy, PolicyField, PolicyOrigin};
use super::pattern::Pattern;
use crate::{Address, DeadLetter, Grouping, Kind, Overflow, QueuePolicy, limits};

/// What a queue is for, which decides its defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueRole {
    /// A queue that clients name.
    Queue,
    /// A durable subscription to a topic. What expires in it is dropped.
    Durable,
    /// An MQTT session. What expires in it is dropped, it never dead-letters by count, and its deliveries
    /// have no lock.
    Session,
    /// The last messages of a topic: the oldest make room, and nothing of it goes anywhere else.
    History,
}

/// The settings of all patterns. Never changed: a reload makes a new one.
#[derive(Debug)]
pub struct Settings {
    /// Ascending by specificity; of two alike the one written later is later.
    rules: Vec<(Pattern, PartialPolicy)>,
    /// What holds where no rule says otherwise.
    base: QueuePolicy,
    dead_letter_queues: HashSet<Address>,
    /// What stands before and after the name of a queue in the name of its dead-letter queue.
    dead_letter_names: HashSet<(ByteString, ByteString)>,
    keeps_history: bool,
    /// Messages that a session keeps where no rule says otherwise; 0 for any number.
    session_messages: u64,
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
        Self::with_base(rules, QueuePolicy::default())
    }

    /// The same over a policy other than the default.
    pub fn with_base(rules: impl IntoIterator<Item = (Pattern, PartialPolicy)>, base: QueuePolicy) -> Self {
        let mut rules: Vec<_> = rules.into_iter().take(usize::from(u16::MAX)).collect();
        rules.sort_by_key(|(pattern, _)| pattern.specificity());
        let (mut dead_letter_queues, mut dead_letter_names) = (HashSet::new(), HashSet::new());
        let named = rules.iter().flat_map(|(_, set)| [&set.dead_letter, &set.expired]).flatten();
        for target in named.chain([&base.dead_letter, &base.expired]) {
            match target {
                DeadLetter::Drop => {}
                DeadLetter::To(address) => drop(dead_letter_queues.insert(address.clone())),
                DeadLetter::Around(before, after) => {
                    dead_letter_names.insert((before.clone(), after.clone()));
                }
            }
        }
        let topics = rules.iter().filter(|(pattern, _)| pattern.kind() == Kind::Topic);
        let keeps_history =
            topics.into_iter().any(|(_, set)| set.history.is_some() || set.history_age.is_some());
        let made = RankedMutex::new(Made::default());
        let session_messages = 0;
        Self { rules, base, dead_letter_queues, dead_letter_names, keeps_history, session_messages, made }
    }

    /// The same, with a limit to the messages that a session keeps where no rule says otherwise: what comes
    /// beyond is not kept for it, and nobody is told.
    #[must_use]
    pub fn with_session_messages(self, most: u64) -> Self {
        Self { session_messages: most, made: RankedMutex::new(Made::default()), ..self }
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
        let is_around = |(before, after): &(ByteString, ByteString)| {
            let rest = address.name.strip_prefix(&**before).and_then(|rest| rest.strip_suffix(&**after));
            address.kind == Kind::Queue && rest.is_some_and(|name| !name.is_empty())
        };
        self.dead_letter_queues.contains(address) || self.dead_letter_names.iter().any(is_around)
    }

    /// Whether any topic can have a history.
    pub const fn keeps_history(&self) -> bool {
        self.keeps_history
    }

    /// What is kept of a topic.
    pub fn history(&self, topic: &Address) -> HistoryPolicy {
        if !self.keeps_history || topic.kind != Kind::Topic {
            return HistoryPolicy::NONE;
        }
        let mut history = HistoryPolicy::NONE;
        for nth in self.matching(topic) {
            if let Some((_, set)) = self.rules.get(usize::from(nth)) {
                history.history = set.history.unwrap_or(history.history);
                history.history_age = set.history_age.unwrap_or(history.history_age);
            }
        }
        history
    }

    fn takes_dead_letters(&self, role: QueueRole, address: &Address) -> bool {
        role == QueueRole::Queue && self.is_dead_letter_queue(address)
    }

    /// Indices of the rules that match, ascending.
    fn matching(&self, address: &Address) -> SmallVec<[u16; 8]> {
        let rules = self.rules.iter().zip(0u16..);
        rules.filter(|((pattern, _), _)| pattern.matches_address(address)).map(|(_, nth)| nth).collect()
    }

    fn make(&self, role: QueueRole, dead_letters: bool, matching: &[u16]) -> (QueuePolicy, Origins) {
        let mut making = Making::new(role, self.base.clone());
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
        match role {
            QueueRole::Session => making.deliver_once(self.session_messages),
            QueueRole::History => making.keep_the_last(),
            QueueRole::Queue | QueueRole::Durable => {}
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
    history: HistoryPolicy,
    origins: Origins,
}

impl Making {
    fn new(role: QueueRole, mut policy: QueuePolicy) -> Self {
        if role != QueueRole::Queue {
            policy.expired = DeadLetter::Drop;
        }
        let origins = std::array::from_fn(|_| PolicyOrigin::Default);
        Self { policy, history: HistoryPolicy::NONE, origins }
    }

    fn apply(&mut self, pattern: &Pattern, set: &PartialPolicy) {
        let Self { policy, history, origins } = self;
        set.apply(policy, history, |field| origins[field as usize] = PolicyOrigin::Rule(pattern.clone()));
    }

    /// A session: MQTT has no word for a delivery that failed, and sends nothing again while its connection
    /// lasts (MQTT 5, 4.4). One that keeps `most` messages leaves out what comes beyond.
    fn deliver_once(&mut self, most: u64) {
        self.policy.max_deliveries = 0;
        self.origins[PolicyField::MaxDeliveries as usize] = PolicyOrigin::Role;
        self.policy.lock = Millis(0);
        self.origins[PolicyField::Lock as usize] = PolicyOrigin::Role;
        if most == 0 || self.origins[PolicyField::MaxMessages as usize] != PolicyOrigin::Default {
            return;
        }
        self.policy.max_messages = most;
        self.origins[PolicyField::MaxMessages as usize] = PolicyOrigin::Role;
        if self.origins[PolicyField::Overflow as usize] == PolicyOrigin::Default {
            self.policy.overflow = Overflow::Reject;
            self.origins[PolicyField::Overflow as usize] = PolicyOrigin::Role;
        }
    }

    /// A ring of the topic's last messages, which nobody consumes: what is asked of queues that
    /// somebody does is left out.
    fn keep_the_last(&mut self) {
        let HistoryPolicy { history, history_age } = self.history;
        self.policy = QueuePolicy {
            max_messages: if history == 0 { limits::HISTORY_MESSAGES_MAX } else { history },
            max_bytes: if self.policy.max_bytes == 0 { self.share() } else { self.policy.max_bytes },
            overflow: Overflow::DropOldest,
            expiry: if history_age == Millis(0) { Millis::NEVER } else { history_age },
            max_deliveries: 0,
            dead_letter: DeadLetter::Drop,
            expired: DeadLetter::Drop,
            resident_bytes: self.policy.resident_bytes,
            groups: Grouping::None,
            ..QueuePolicy::default()
        };
        for field in PolicyField::ALL {
            let stays = [PolicyField::MaxBytes, PolicyField::ResidentBytes, PolicyField::History];
            if !stays.contains(&field) && field != PolicyField::HistoryAge {
                self.origins[field as usize] = PolicyOrigin::Role;
            }
        }
    }

    /// The least that one queue may take of anything; 0 where nothing is bounded.
    fn share(&self) -> u64 {
        let bounds = [self.policy.max_volatile_bytes, self.policy.max_stored_bytes];
        bounds.into_iter().filter(|bytes| *bytes > 0).min().unwrap_or(0)
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

#[cfg(test)]
mod tests;
