//! `queue://NAME` and `topic://NAME` as people type them, and each protocol's spelling.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Queue,
    Topic,
}

/// A destination, or a pattern of some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) kind: Kind,
    /// Canonical: levels split by `.`, `*` for one, `>` for the rest.
    pub(super) name: String,
}

impl Destination {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (kind, name) = match (text.strip_prefix("queue://"), text.strip_prefix("topic://")) {
            (Some(name), _) => (Kind::Queue, name),
            (_, Some(name)) => (Kind::Topic, name),
            _ => return Err(format!("`{text}` is no destination: write queue://NAME or topic://NAME")),
        };
        if name.is_empty() || name.contains(char::is_control) {
            return Err(format!("`{text}` names no destination"));
        }
        Ok(Self { kind, name: name.to_owned() })
    }

    /// Whether a level of it is a wildcard.
    pub(super) fn has_wildcard(&self) -> bool {
        self.name.split('.').any(|level| matches!(level, "*" | ">"))
    }

    /// As a topic name or filter of MQTT.
    pub(super) fn mqtt(&self) -> String {
        swap(&self.name)
    }

    /// As the destination header of STOMP.
    pub(super) fn stomp(&self) -> String {
        match self.kind {
            Kind::Queue => format!("/queue/{}", self.name),
            Kind::Topic => format!("/topic/{}", self.name),
        }
    }
}

/// The canonical spelling of an MQTT topic.
pub(super) fn from_mqtt(topic: &str) -> String {
    format!("topic://{}", swap(topic))
}

/// The canonical spelling of a STOMP destination; what is neither queue nor topic stays.
pub(super) fn from_stomp(header: &str) -> String {
    let kinds = [("/queue/", "queue://"), ("/topic/", "topic://")];
    let spelled = kinds.iter().find_map(|(from, to)| Some(format!("{to}{}", header.strip_prefix(from)?)));
    spelled.unwrap_or_else(|| header.to_owned())
}

/// Swaps the separators and wildcards of both worlds pairwise, so that every name comes back intact.
fn swap(name: &str) -> String {
    let swapped = name.chars().map(|c| match c {
        '.' => '/',
        '/' => '.',
        '*' => '+',
        '+' => '*',
        '>' => '#',
        '#' => '>',
        other => other,
    });
    swapped.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings() {
        let topic = Destination::parse("topic://plant.*.t/1.>").unwrap();
        assert_eq!(topic.mqtt(), "plant/+/t.1/#");
        assert_eq!(topic.stomp(), "/topic/plant.*.t/1.>");
        assert!(topic.has_wildcard());
        assert!(!Destination::parse("queue://a*b").unwrap().has_wildcard());
        assert_eq!(from_stomp("/queue/a.b"), "queue://a.b");
        assert_eq!(from_stomp("/temp-queue/a"), "/temp-queue/a");
        for wrong in ["", "a", "topic://", "/topic/a", "queue://a\nb"] {
            assert!(Destination::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn swapping_is_reversible(name in "[a./*+>#é]{1,12}") {
            let topic = Destination { kind: Kind::Topic, name: name.clone() };
            prop_assert_eq!(from_mqtt(&topic.mqtt()), format!("topic://{name}"));
        }
    }
}
