//! What a destination header names: one destination or several, and options for its consumers.
//!
//! `/queue/a,/topic/b,c?consumer.priority=5` names three, the last of them a queue.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;
use wharfmq_core::{Address, Kind, NameError, Pattern};

use super::fault::Stop;
use crate::adapters::destination::{OPTIONS, StompName, StompNameError, ToStomp, own_name, stomp_name};
use crate::broker::{Port, is_temporary};

/// Destinations that one header may name.
const ELEMENTS_MAX: usize = 64;

/// A destination header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Elements<'a> {
    pub(super) list: SmallVec<[Element<'a>; 1]>,
    /// What stands behind the question mark; empty for nothing.
    pub(super) options: &'a str,
}

/// One destination of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element<'a> {
    /// By the name that all connections know.
    Common(StompName<'a>),
    /// A temporary one of the connection's own.
    Own(StompName<'a>),
}

/// Why a header is refused: the place of the element that is wrong, 0 where it is the only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ElementsError {
    TooMany,
    Empty(usize),
    Name(usize, StompNameError),
}

impl fmt::Display for ElementsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "a destination may name {ELEMENTS_MAX} destinations"),
            Self::Empty(nth) => write!(f, "number {nth} of the destinations is empty"),
            Self::Name(0, error) => error.fmt(f),
            Self::Name(nth, error) => write!(f, "number {nth} of the destinations: {error}"),
        }
    }
}

/// Whether a header names one destination that all connections know by it, without options.
pub(super) fn is_plain(text: &str) -> bool {
    !text.contains(',') && stomp_name(text).is_ok_and(|name| !is_temporary(name.name))
}

impl<'a> Elements<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, ElementsError> {
        let (names, options) = match text.find(OPTIONS) {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, ""),
        };
        let list = if names.contains(',') {
            read_list(names)?
        } else {
            let element = Element::read(names).map_err(|error| ElementsError::Name(0, error))?;
            std::iter::once(element).collect()
        };
        Ok(Self { list, options })
    }
}

fn read_list(names: &str) -> Result<SmallVec<[Element<'_>; 1]>, ElementsError> {
    let mut list: SmallVec<[Element<'_>; 1]> = SmallVec::new();
    // One comma at the end changes nothing, as in ActiveMQ.
    for (nth, text) in names.strip_suffix(',').unwrap_or(names).split(',').enumerate() {
        let text = text.trim();
        if text.is_empty() {
            return Err(ElementsError::Empty(nth + 1));
        }
        if list.len() == ELEMENTS_MAX {
            return Err(ElementsError::TooMany);
        }
        let element = match (Element::read(text), list.first()) {
            // ActiveMQ takes what says nothing of its kind for a queue, whatever stands before it.
            (Err(StompNameError::Prefix), Some(_)) => {
                Ok(Element::Common(StompName { kind: Kind::Queue, name: text }))
            }
            (read, _) => read,
        };
        list.push(element.map_err(|error| ElementsError::Name(nth + 1, error))?);
    }
    Ok(list)
}

impl<'a> Element<'a> {
    fn read(text: &'a str) -> Result<Self, StompNameError> {
        match own_name(text) {
            Some(name) => Ok(Self::Own(name)),
            None => stomp_name(text).map(Self::Common),
        }
    }

    /// What a SEND to it is addressed to. Every element of every SEND that is not [`is_plain`] passes here.
    pub(super) fn to_send(self, port: &mut Port) -> Result<Arc<Address>, Stop> {
        match self {
            Self::Own(name) => own_address(name, port),
            Self::Common(name) => {
                let address = name.address().map_err(Stop::fault)?;
                if is_temporary(&address.name) {
                    port.reach_temporary(&address)?;
                }
                Ok(Arc::new(address))
            }
        }
    }

    /// What a SUBSCRIBE to it asks for. Every element of every SUBSCRIBE passes here.
    pub(super) fn to_receive(self, port: &mut Port) -> Result<Pattern, Stop> {
        let pattern = match self {
            Self::Own(name) => Pattern::of(&*own_address(name, port)?).map_err(Stop::fault)?,
            Self::Common(name) => name.pattern().map_err(Stop::fault)?,
        };
        port.may_subscribe(&pattern)?;
        Ok(pattern)
    }
}

fn own_address(name: StompName<'_>, port: &mut Port) -> Result<Arc<Address>, Stop> {
    name.address().map_err(Stop::fault)?;
    Ok(port.temporary(name.kind, name.name)?)
}

/// The `reply-to` that other connections see for one that names a temporary destination of the sender's
/// own; `None` where it names anything else.
pub(super) fn reply_to(value: &str, port: &mut Port) -> Result<Option<String>, Stop> {
    match own_name(value) {
        None => Ok(None),
        Some(name) if name.name.contains(',') => Err(Stop::fault(StompNameError::Composite)),
        Some(name) => Ok(Some(ToStomp(&*own_address(name, port)?).to_string())),
    }
}

/// How a connection reads the name of a destination: its own temporary ones by the names it gave them.
pub(super) fn shown_as(address: &Address, port: &Port) -> String {
    let spelling = ToStomp(address);
    let (prefix, name) = spelling.parts();
    let own = port.temporary_prefix().and_then(|own| name.strip_prefix(&**own));
    match own {
        Some(name) => format!("/temp-{}/{name}", address.kind.scheme()),
        None => format!("{prefix}{name}"),
    }
}

/// All destinations as ActiveMQ writes them in one header: the first as STOMP has it, the rest canonical.
pub(super) fn as_list<'a>(addresses: impl IntoIterator<Item = &'a Arc<Address>>) -> String {
    let mut text = String::new();
    for address in addresses {
        if text.is_empty() {
            text = ToStomp(address).to_string();
        } else {
            text.push(',');
            text.push_str(&address.to_string());
        }
    }
    text
}

impl From<ElementsError> for Stop {
    fn from(error: ElementsError) -> Self {
        Self::fault(error)
    }
}

impl From<NameError> for Stop {
    fn from(error: NameError) -> Self {
        Self::fault(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(kind: Kind, name: &str) -> Element<'_> {
        Element::Common(StompName { kind, name })
    }

    #[test]
    fn headers_name_one_or_several() {
        let read = |text| Elements::read(text).map(|elements| elements.list.into_vec());
        let (queue, topic) = (Kind::Queue, Kind::Topic);
        assert_eq!(read("/queue/a").unwrap(), [common(queue, "a")]);
        assert_eq!(
            read("/topic/a,queue://b, c ,/queue/d/e,").unwrap(),
            [common(topic, "a"), common(queue, "b"), common(queue, "c"), common(queue, "d/e")]
        );
        let own = |kind, name| Element::Own(StompName { kind, name });
        assert_eq!(read("/temp-queue/a,b").unwrap(), [own(queue, "a"), common(queue, "b")]);
        assert_eq!(read("/queue/a,,b"), Err(ElementsError::Empty(2)));
        assert_eq!(read("a,/queue/b"), Err(ElementsError::Name(1, StompNameError::Prefix)));
        assert_eq!(read("b"), Err(ElementsError::Name(0, StompNameError::Prefix)));
        let many = |n| format!("/queue/a{}", ",b".repeat(n));
        assert_eq!(Elements::read(&many(63)).unwrap().list.len(), 64);
        assert_eq!(Elements::read(&many(64)), Err(ElementsError::TooMany));
    }

    #[test]
    fn options_are_split_off() {
        let read = Elements::read("/queue/a,b?consumer.selector=x IN ('1,2')&consumer.priority=1").unwrap();
        assert_eq!(
            (read.list.len(), read.options),
            (2, "consumer.selector=x IN ('1,2')&consumer.priority=1")
        );
        assert_eq!(Elements::read("/queue/why?").unwrap().list[0], common(Kind::Queue, "why?"));
    }

    #[test]
    fn most_headers_are_plain() {
        for text in ["/queue/a", "queue://a?b", "/topic/$SYS.x"] {
            assert!(is_plain(text), "{text}");
        }
        for text in ["/queue/a,b", "/queue/a?consumer.x", "/temp-queue/a", "/queue/$temp.x", "a"] {
            assert!(!is_plain(text), "{text}");
        }
    }
}
