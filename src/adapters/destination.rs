//! How each protocol spells the names of destinations.
//!
//! A canonical name has its levels split by `.`, with the wildcards `*` and `>`. MQTT maps to it by
//! swapping `/` with `.`, `+` with `*` and `#` with `>`, each both ways, so that every legal name comes
//! back as it went. `$queue/NAME` is the queue NAME, everything else a topic. STOMP names are canonical
//! already, behind a prefix that tells queue from topic, and temporary destinations from others. OpenWire
//! names are canonical too; that a destination is temporary is said by its type and not by its name.

use std::borrow::Cow;
use std::fmt;

use bytestring::ByteString;
use wharfmq_core::{Address, Kind, NameError, Pattern};
use wharfmq_openwire::{Destination, DestinationKind};

use crate::broker::{chosen_name, is_temporary, temporary_name};

/// Before the name of a queue, where MQTT clients mean one.
pub const MQTT_QUEUE: &str = "$queue/";

/// The destination that a legal MQTT topic name means: a topic, or a queue behind `$queue/`.
pub fn mqtt_address(topic: &str) -> Result<Address, NameError> {
    let (kind, name) = mqtt_kind(topic);
    Address::new(kind, owned(swap(name)))
}

/// The pattern that a legal MQTT topic filter means, without any `$share/GROUP/` before it.
pub fn mqtt_pattern(filter: &str) -> Result<Pattern, NameError> {
    let (kind, name) = mqtt_kind(filter);
    Pattern::parse(kind, owned(swap(name)))
}

fn mqtt_kind(name: &str) -> (Kind, &str) {
    match name.strip_prefix(MQTT_QUEUE) {
        Some(queue) => (Kind::Queue, queue),
        None => (Kind::Topic, name),
    }
}

/// The topic name by which MQTT clients know a destination.
pub fn mqtt_topic(address: &Address) -> Cow<'_, str> {
    match address.kind {
        Kind::Topic => to_mqtt(&address.name),
        Kind::Queue => Cow::Owned(format!("{MQTT_QUEUE}{}", to_mqtt(&address.name))),
    }
}

/// The MQTT spelling of a canonical name or pattern. Borrowed where nothing changes.
pub fn to_mqtt(canonical: &str) -> Cow<'_, str> {
    swap(canonical)
}

/// Appends the MQTT spelling of a canonical name, which has as many bytes as the name.
pub fn put_mqtt(canonical: &str, out: &mut impl Extend<u8>) {
    out.extend(canonical.bytes().map(swap_byte));
}

/// Whether a canonical name has a legal MQTT spelling: MQTT allows no wildcard character in the name of a
/// topic, not even as a part of a level, and no U+0000 (MQTT 5, 4.7.1 and 4.7.3).
pub fn is_legal_in_mqtt(canonical: &str) -> bool {
    !canonical.bytes().any(|byte| matches!(byte, b'*' | b'>' | 0))
}

/// A destination as a STOMP header names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StompName<'a> {
    /// Queue or topic.
    pub kind: Kind,
    /// The name, verbatim; may be a pattern.
    pub name: &'a str,
}

/// Before the name of a queue of the connection's own.
pub const OWN_QUEUE: &str = "/temp-queue/";
/// Before the name of a topic of the connection's own.
pub const OWN_TOPIC: &str = "/temp-topic/";
/// Before the canonical name of anybody's temporary queue.
pub const REMOTE_QUEUE: &str = "/remote-temp-queue/";
/// Before the canonical name of anybody's temporary topic.
pub const REMOTE_TOPIC: &str = "/remote-temp-topic/";

/// Reads the name of one destination that all connections know by it: `/queue/NAME`, `/topic/NAME`,
/// `queue://NAME` or `topic://NAME`, and a temporary one as a `reply-to` names it.
pub fn stomp_name(text: &str) -> Result<StompName<'_>, StompNameError> {
    const PREFIXES: [(&str, Kind); 6] = [
        ("/queue/", Kind::Queue),
        ("/topic/", Kind::Topic),
        ("queue://", Kind::Queue),
        ("topic://", Kind::Topic),
        (REMOTE_QUEUE, Kind::Queue),
        (REMOTE_TOPIC, Kind::Topic),
    ];
    let stripped = PREFIXES.iter().find_map(|(prefix, kind)| Some((text.strip_prefix(prefix)?, *kind)));
    let Some((name, kind)) = stripped else {
        return Err(if own_name(text).is_some() { StompNameError::Own } else { StompNameError::Prefix });
    };
    if text.starts_with("/remote-temp-") && !is_temporary(name) {
        return Err(StompNameError::Remote);
    }
    if name.contains(',') {
        return Err(StompNameError::Composite);
    }
    if name.contains(OPTIONS) {
        return Err(StompNameError::Options);
    }
    Ok(StompName { kind, name })
}

/// What stands between a destination and ActiveMQ's options of its consumers; the sign is not a part of
/// them.
pub const OPTIONS: &str = "?consumer.";

/// Reads the name of a temporary destination of the connection's own, as only it knows it:
/// `/temp-queue/NAME`, `/temp-topic/NAME`, `temp-queue://NAME` or `temp-topic://NAME`.
pub fn own_name(text: &str) -> Option<StompName<'_>> {
    const PREFIXES: [(&str, Kind); 4] = [
        (OWN_QUEUE, Kind::Queue),
        (OWN_TOPIC, Kind::Topic),
        ("temp-queue://", Kind::Queue),
        ("temp-topic://", Kind::Topic),
    ];
    PREFIXES.iter().find_map(|(prefix, kind)| {
        let name = text.strip_prefix(prefix)?;
        Some(StompName { kind: *kind, name })
    })
}

impl StompName<'_> {
    /// The destination to send to. A topic's name must have a spelling in every protocol, so `*` and `>`
    /// are refused anywhere in it; in a queue's name only where they stand for a level.
    pub fn address(self) -> Result<Address, StompNameError> {
        if self.kind == Kind::Topic && self.name.contains(['*', '>']) {
            return Err(NameError::Wildcard.into());
        }
        Ok(Address::new(self.kind, self.name)?)
    }

    /// What to subscribe to.
    pub fn pattern(self) -> Result<Pattern, StompNameError> {
        Ok(Pattern::parse(self.kind, self.name)?)
    }
}

/// The STOMP spelling of a destination, to be written or formatted.
#[derive(Clone, Copy, Debug)]
pub struct ToStomp<'a>(pub &'a Address);

impl ToStomp<'_> {
    /// The two parts of the spelling.
    pub fn parts(&self) -> (&'static str, &str) {
        let prefix = match (self.0.kind, is_temporary(&self.0.name)) {
            (Kind::Queue, false) => "/queue/",
            (Kind::Topic, false) => "/topic/",
            (Kind::Queue, true) => REMOTE_QUEUE,
            (Kind::Topic, true) => REMOTE_TOPIC,
        };
        (prefix, &self.0.name)
    }
}

impl fmt::Display for ToStomp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, name) = self.parts();
        f.write_str(prefix)?;
        f.write_str(name)
    }
}

/// A destination as an OpenWire structure names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenWireName<'a> {
    /// Queue or topic.
    pub kind: Kind,
    /// Whether the structure is that of a temporary destination.
    pub is_temporary: bool,
    /// The name in it.
    pub name: &'a str,
}

impl<'a> OpenWireName<'a> {
    /// The OpenWire spelling of a destination. A temporary one's name loses what tells it from others.
    pub fn of(address: &'a Address) -> Self {
        match chosen_name(&address.name) {
            Some(name) => Self { kind: address.kind, is_temporary: true, name },
            None => Self { kind: address.kind, is_temporary: false, name: &address.name },
        }
    }

    /// The one destination that it names. Anybody's temporary destination is found by it, whatever protocol
    /// its owner speaks.
    pub fn address(self) -> Result<Address, NameError> {
        if self.is_temporary {
            // By itself too: behind what is put before it nobody would see that it is empty.
            Address::new(self.kind, self.name)?;
            return Address::new(self.kind, temporary_name(self.name));
        }
        Address::new(self.kind, self.name)
    }
}

/// A destination as an OpenWire structure.
pub fn openwire(address: &Address) -> Destination {
    let OpenWireName { kind, is_temporary, name } = OpenWireName::of(address);
    let kind = match (kind, is_temporary) {
        (Kind::Queue, false) => DestinationKind::Queue,
        (Kind::Topic, false) => DestinationKind::Topic,
        (Kind::Queue, true) => DestinationKind::TempQueue,
        (Kind::Topic, true) => DestinationKind::TempTopic,
    };
    Destination::new(kind, name)
}

/// Why a STOMP destination is refused, in words for its ERROR frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StompNameError {
    /// None of the known prefixes.
    Prefix,
    /// A temporary destination of the connection's own, which has no name among all.
    Own,
    /// A temporary destination of another connection that no `reply-to` can have named.
    Remote,
    /// Several destinations in one, split by commas.
    Composite,
    /// ActiveMQ's destination options.
    Options,
    /// The name itself.
    Name(NameError),
}

impl From<NameError> for StompNameError {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}

impl fmt::Display for StompNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prefix => "a destination is written /queue/NAME, /topic/NAME, queue://NAME, topic://NAME, /temp-queue/NAME or \
                 /temp-topic/NAME",
            Self::Own => "a temporary destination of the connection's own cannot be used here",
            Self::Remote => {
                "the temporary destination is gone: it does not exist"
            }
            Self::Composite => "a comma in a destination means several destinations, of which one is meant here",
            Self::Options => "options in a destination (?consumer.…) cannot be used here",
            Self::Name(error) => return error.fmt(f),
        })
    }
}

impl std::error::Error for StompNameError {}

/// Swaps the signs of MQTT with the canonical ones. Its own inverse.
fn swap(name: &str) -> Cow<'_, str> {
    let Some(first) = name.bytes().position(|byte| swap_byte(byte) != byte) else {
        return Cow::Borrowed(name);
    };
    // Only ASCII is swapped for ASCII, so what was UTF-8 remains it; by characters, as `str` has no safe
    // way to change its bytes.
    let (same, rest) = name.split_at(first);
    let mut swapped = String::with_capacity(name.len());
    swapped.push_str(same);
    let mut left = rest;
    while let Some(at) = left.bytes().position(|byte| swap_byte(byte) != byte) {
        let (same, tail) = left.split_at(at);
        swapped.push_str(same);
        let mut chars = tail.chars();
        if let Some(sign) = chars.next() {
            swapped.push(char::from(swap_byte(sign as u8)));
        }
        left = chars.as_str();
    }
    swapped.push_str(left);
    Cow::Owned(swapped)
}

const fn swap_byte(byte: u8) -> u8 {
    match byte {
        b'/' => b'.',
        b'.' => b'/',
        b'+' => b'*',
        b'*' => b'+',
        b'#' => b'>',
        b'>' => b'#',
        other => other,
    }
}

fn owned(name: Cow<'_, str>) -> ByteString {
    match name {
        Cow::Borrowed(name) => ByteString::from(name),
        Cow::Owned(name) => ByteString::from(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mqtt_names_as_activemq_maps_them() {
        for (mqtt, canonical) in [
            ("plant/line1/temp", "plant.line1.temp"),
            ("a.b/c", "a/b.c"),
            ("/a//b/", ".a..b."),
            ("a*/b>", "a+.b#"),
            ("$SYS/uptime", "$SYS.uptime"),
            ("grün", "grün"),
        ] {
            assert_eq!(mqtt_address(mqtt).unwrap(), Address::topic(canonical));
            assert_eq!(to_mqtt(canonical), mqtt);
            assert!(is_legal_in_mqtt(canonical));
        }
        assert_eq!(mqtt_pattern("plant/+/temp/#").unwrap().text(), "plant.*.temp.>");
        assert!(mqtt_pattern("plant/*/x").unwrap().is_exact(), "`*` is a literal of MQTT");
        assert!(matches!(to_mqtt("nothing to do"), Cow::Borrowed(_)));
        assert!(!is_legal_in_mqtt("a*b"));
    }

    #[test]
    fn stomp_names_are_verbatim() {
        for (text, kind, name) in [
            ("/queue/a/b", Kind::Queue, "a/b"),
            ("/topic/plant.line1.temp", Kind::Topic, "plant.line1.temp"),
            ("queue://orders", Kind::Queue, "orders"),
            ("topic://a.>", Kind::Topic, "a.>"),
            ("/queue//queue/x", Kind::Queue, "/queue/x"),
        ] {
            assert_eq!(stomp_name(text), Ok(StompName { kind, name }));
        }
        let address = stomp_name("/topic/plant.line1.temp").unwrap().address().unwrap();
        assert_eq!(ToStomp(&address).to_string(), "/topic/plant.line1.temp");
        assert_eq!(ToStomp(&Address::queue("a/b")).parts(), ("/queue/", "a/b"));
        let temporary = stomp_name("/remote-temp-topic/$temp.1.f.x").unwrap();
        assert_eq!(temporary, StompName { kind: Kind::Topic, name: "$temp.1.f.x" });
        assert_eq!(ToStomp(&temporary.address().unwrap()).to_string(), "/remote-temp-topic/$temp.1.f.x");
        assert_eq!(own_name("temp-queue://a/b"), Some(StompName { kind: Kind::Queue, name: "a/b" }));
        assert!(stomp_name("/topic/a.*").unwrap().pattern().unwrap().matches("a.b"));
    }

    #[test]
    fn temporary_destinations_have_one_name_in_all_protocols() {
        let jms = OpenWireName { kind: Kind::Queue, is_temporary: true, name: "ID:host.x-1-2-1:1:1" };
        let address = jms.address().unwrap();
        assert_eq!(OpenWireName::of(&address), jms);
        let stomp = ToStomp(&address).to_string();
        assert_eq!(stomp, "/remote-temp-queue/$temp.ID:host.x-1-2-1:1:1");
        assert_eq!(stomp_name(&stomp).unwrap().address().unwrap(), address);
        assert_eq!(mqtt_address(&super::mqtt_topic(&address)).unwrap(), address);
        let of_stomp = stomp_name("/remote-temp-topic/$temp.7.1f.my/x").unwrap().address().unwrap();
        let seen = OpenWireName::of(&of_stomp);
        assert_eq!(seen, OpenWireName { kind: Kind::Topic, is_temporary: true, name: "7.1f.my/x" });
        assert_eq!(seen.address().unwrap(), of_stomp);
        let plain = OpenWireName { kind: Kind::Topic, is_temporary: false, name: "a.b" };
        assert_eq!(OpenWireName::of(&plain.address().unwrap()), plain);
        for name in ["", "a.*", ">"] {
            assert!(OpenWireName { name, ..jms }.address().is_err(), "{name}");
        }
    }

    #[test]
    fn what_stomp_cannot_name() {
        use StompNameError::{Composite, Name, Options, Own, Prefix, Remote};
        assert_eq!(stomp_name("/temp-queue/x"), Err(Own));
        assert_eq!(stomp_name("temp-topic://x"), Err(Own));
        assert_eq!(stomp_name("/remote-temp-queue/orders"), Err(Remote));
        assert_eq!(stomp_name("/queue/a,/queue/b"), Err(Composite));
        assert_eq!(stomp_name("/queue/a?consumer.prefetchSize=10"), Err(Options));
        for text in ["", "a", "queue/a", "/exchange/a", "QUEUE://a", "/queue"] {
            assert_eq!(stomp_name(text), Err(Prefix), "{text}");
        }
        let address = |text| stomp_name(text).and_then(StompName::address);
        assert_eq!(address("/queue/"), Err(Name(NameError::Empty)));
        assert_eq!(address("/queue/a.>"), Err(Name(NameError::Wildcard)));
        assert_eq!(address("/topic/a*b"), Err(Name(NameError::Wildcard)));
        assert!(address("/queue/a->b").is_ok());
    }

    /// MQTT's own matching of legal filters and names (MQTT 5, 4.7).
    fn mqtt_matches(filter: &str, topic: &str) -> bool {
        if topic.starts_with('$') && filter.starts_with(['+', '#']) {
            return false;
        }
        let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
        loop {
            match (filter.next(), topic.next()) {
                (Some("#"), _) | (None, None) => return true,
                (Some("+"), Some(_)) => {}
                (Some(a), Some(b)) if a == b => {}
                _ => return false,
            }
        }
    }

    fn mqtt_level() -> impl Strategy<Value = String> {
        prop_oneof![
            3 => "[ab.*>$]{0,2}",
            1 => "[^+#/\0]{0,4}",
        ]
    }

    fn mqtt_topic() -> impl Strategy<Value = String> {
        let levels = prop::collection::vec(mqtt_level(), 1..5).prop_map(|levels| levels.join("/"));
        levels.prop_filter("not empty", |topic| !topic.is_empty())
    }

    fn mqtt_filter() -> impl Strategy<Value = String> {
        let level = prop_oneof![2 => mqtt_level(), 1 => Just("+".to_owned())];
        let parts = (prop::collection::vec(level, 0..5), any::<bool>());
        let joined = parts.prop_map(|(mut levels, rest)| {
            if rest {
                levels.push("#".to_owned());
            }
            levels.join("/")
        });
        joined.prop_filter("not empty", |filter| !filter.is_empty())
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "\\PC*") {
            let swapped = swap(&text);
            let mut bytes = Vec::new();
            put_mqtt(&text, &mut bytes);
            prop_assert_eq!(bytes.as_slice(), swapped.as_bytes());
            prop_assert_eq!(swap(&swapped), text.as_str());
        }

        #[test]
        fn legal_topics_come_back(topic in mqtt_topic()) {
            let address = mqtt_address(&topic).unwrap();
            prop_assert!(is_legal_in_mqtt(&address.name));
            prop_assert_eq!(to_mqtt(&address.name), topic.as_str());
        }

        #[test]
        fn filters_come_back(filter in mqtt_filter()) {
            let pattern = mqtt_pattern(&filter).unwrap();
            prop_assert_eq!(to_mqtt(pattern.text()), filter.as_str());
        }

        #[test]
        fn matching_commutes_with_the_mapping(filter in mqtt_filter(), topic in mqtt_topic()) {
            let pattern = mqtt_pattern(&filter).unwrap();
            let address = mqtt_address(&topic).unwrap();
            prop_assert_eq!(pattern.matches(&address.name), mqtt_matches(&filter, &topic));
        }

        #[test]
        fn what_is_sent_to_a_stomp_topic_is_legal_in_mqtt(name in "[a-c.*>+#/]{1,8}") {
            if let Ok(address) = stomp_name(&format!("/topic/{name}")).and_then(StompName::address) {
                prop_assert!(is_legal_in_mqtt(&address.name));
                prop_assert_eq!(mqtt_address(&to_mqtt(&address.name)), Ok(address));
            }
        }
    }
}
