//! `[[address]]` and `[[forward]]` in the words of the core.

use std::sync::Arc;

use wharfmq_core::{
    Address, DeadLetter, Filter, Forward, Grouping, Kind, Nack, Overflow, PartialPolicy, Pattern,
    QueuePolicy, Selector, Settings as Addresses, Typing,
};

use super::Failure;
use crate::adapters::convert;
use crate::config::settings::{self, AddressSettings, ForwardSettings, Grave};

/// What messages of one queue may take, in bytes; 0 for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shares {
    /// In memory only.
    pub(super) volatile: u64,
    /// Stored.
    pub(super) stored: u64,
}

/// The settings of destinations, as the core has them.
pub(super) fn addresses(
    written: &[AddressSettings],
    shares: Shares,
    session_messages: Option<u64>,
) -> Result<Addresses, Failure> {
    let mut rules = Vec::with_capacity(written.len());
    for set in written {
        let pattern = Pattern::parse_canonical(&set.pattern)
            .map_err(|error| format!("address `{}`: {error}", set.pattern))?;
        rules.push((pattern, partial(set)));
    }
    let base = QueuePolicy {
        max_volatile_bytes: shares.volatile,
        max_stored_bytes: shares.stored,
        ..QueuePolicy::default()
    };
    Ok(Addresses::with_base(rules, base).with_session_messages(session_messages.unwrap_or(0)))
}

/// What is passed on, as the core has it.
pub(super) fn forwards(written: &[ForwardSettings]) -> Result<Vec<Forward>, Failure> {
    let place = |n: usize, key: &str, why: String| format!("[[forward]] number {n}, `{key}`: {why}");
    let mut forwards = Vec::with_capacity(written.len());
    for (n, set) in written.iter().enumerate() {
        let from =
            Pattern::parse_canonical(&set.from).map_err(|error| place(n, "from", error.to_string()))?;
        let to = set.to.iter().map(|name| destination(name)).collect::<Result<_, _>>();
        let to = to.map_err(|why| place(n, "to", why))?;
        let filter =
            set.filter.as_deref().map(selector).transpose().map_err(|why| place(n, "filter", why))?;
        let filter = filter.map(|selector| Filter::new(selector, convert::header));
        forwards.push(Forward { from, to, filter, keep: set.keep });
    }
    Ok(forwards)
}

fn destination(name: &str) -> Result<Arc<Address>, String> {
    let (kind, name) = Kind::split(name).ok_or_else(|| format!("`{name}` is no destination"))?;
    Address::new(kind, name).map(Arc::new).map_err(|error| error.to_string())
}

/// Reads a selector of the configuration.
pub(super) fn selector(text: &str) -> Result<Selector, String> {
    Selector::parse(text, Typing::Loose).map_err(|error| error.to_string())
}

fn partial(set: &AddressSettings) -> PartialPolicy {
    PartialPolicy {
        priority: set.priority,
        max_messages: set.max_messages,
        max_bytes: set.max_bytes.map(|bytes| bytes.0),
        overflow: set.overflow.map(overflow),
        expiry: set.expiry,
        max_deliveries: set.max_deliveries,
        redelivery_delay: set.redelivery_delay,
        redelivery_backoff_permille: set.redelivery_backoff.map(|factor| (factor * 1_000.0) as u32),
        dead_letter: set.dead_letter.as_ref().map(dead_letter),
        expired: set.expired.as_ref().map(dead_letter),
        resident_bytes: None,
        nack: set.nack.map(nack),
        lock: set.lock_timeout,
        groups: set.groups.map(groups),
        dedup: set.dedup,
        dedup_by: set.dedup_by.as_deref().map(Into::into),
        single_active: set.single_active,
        last_value: set.last_value.as_deref().map(|name| Some(name.into())),
        paused: set.paused,
        history: set.history,
        history_age: set.history_age,
    }
}

fn dead_letter(written: &Grave) -> DeadLetter {
    match written {
        Grave::Drop => DeadLetter::Drop,
        Grave::Queue(name) => DeadLetter::To(Address::queue(name.as_str())),
        Grave::Around(before, after) => DeadLetter::Around(before.as_str().into(), after.as_str().into()),
    }
}

const fn overflow(written: settings::Overflow) -> Overflow {
    match written {
        settings::Overflow::Block => Overflow::Block,
        settings::Overflow::Reject => Overflow::Reject,
        settings::Overflow::DropOldest => Overflow::DropOldest,
        settings::Overflow::DeadLetter => Overflow::DeadLetter,
    }
}

const fn nack(written: settings::Nack) -> Nack {
    match written {
        settings::Nack::Retry => Nack::Retry,
        settings::Nack::DeadLetter => Nack::DeadLetter,
        settings::Nack::Discard => Nack::Discard,
    }
}

const fn groups(written: settings::Groups) -> Grouping {
    match written {
        settings::Groups::Sticky => Grouping::Sticky,
        settings::Groups::Strict => Grouping::Strict,
        settings::Groups::None => Grouping::None,
    }
}

#[cfg(test)]
mod tests {
    use wharfmq_base::Millis;
    use wharfmq_core::QueueRole;

    use super::*;
    use crate::config::{Sources, load};

    const FILE: &str = r#"
        [[address]]
        match = "queue://orders.>"
        max_deliveries = 255
        redelivery_delay = "2s"
        redelivery_backoff = 1.5
        nack = "discard"
        lock_timeout = "30s"
        dead_letter = "queue://DLQ.%n"
        expired = "drop"
        expiry = "4d"
        max_messages = 5
        max_bytes = "1KiB"
        overflow = "drop-oldest"
        priority = true
        groups = "strict"
        dedup = "5m"
        dedup_by = "order-id"
        single_active = true
        last_value = "symbol"
        paused = true
        [[address]]
        match = "topic://prices"
        history = 10
        history_age = "10m"
        [[forward]]
        from = "queue://orders.>"
        to = ["queue://audit", "topic://events"]
        keep = false
    "#;

    #[test]
    fn what_is_written_is_what_holds() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("w.toml");
        std::fs::write(&file, FILE).unwrap();
        let loaded = load(&Sources { file: Some(file), ..Sources::default() }).unwrap();
        let shares = Shares { volatile: 7, stored: 8 };
        let addresses = addresses(&loaded.settings.addresses, shares, None).unwrap();
        let expected = QueuePolicy {
            durable: true,
            priority: true,
            max_messages: 5,
            max_bytes: 1_024,
            overflow: Overflow::DropOldest,
            expiry: Millis(4 * 86_400_000),
            max_deliveries: 255,
            redelivery_delay: Millis(2_000),
            redelivery_backoff_permille: 1_500,
            dead_letter: DeadLetter::Around("DLQ.".into(), "".into()),
            expired: DeadLetter::Drop,
            max_volatile_bytes: 7,
            max_stored_bytes: 8,
            nack: Nack::Discard,
            lock: Millis(30_000),
            groups: Grouping::Strict,
            dedup: Millis(300_000),
            dedup_by: "order-id".into(),
            single_active: true,
            last_value: Some("symbol".into()),
            paused: true,
            ..QueuePolicy::default()
        };
        assert_eq!(*addresses.resolve(QueueRole::Queue, &Address::queue("orders.eu")), expected);
        let history = addresses.history(&Address::topic("prices"));
        assert_eq!((history.history, history.history_age), (10, Millis(600_000)));
        let forwards = forwards(&loaded.settings.forwards).unwrap();
        let [forward] = &forwards[..] else { panic!("{forwards:?}") };
        assert_eq!(forward.from, Pattern::parse_canonical("queue://orders.>").unwrap());
        assert_eq!(forward.to, [Address::queue("audit"), Address::topic("events")].map(Arc::new));
        assert!(forward.filter.is_none() && !forward.keep);
    }
}
