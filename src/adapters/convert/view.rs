//! Single headers of a head, as selectors ask for them.
//!
//! The names of JMS stand for what the protocols call otherwise:
//!
//! | name | STOMP header | MQTT 5 property |
//! | --- | --- | --- |
//! | `JMSCorrelationID` | `correlation-id` | correlation data; what is no plain text as `hex:…` |
//! | `JMSReplyTo` | `reply-to`, as `queue://NAME` or `topic://NAME` | response topic, as `topic://NAME` or `queue://NAME`; else user property `reply-to` |
//! | `JMSType` | `type` | user property `type` |
//! | `content-type` | `content-type` | content type |
//! | any other | of that name | user property |
//!
//! The names of STOMP for the first three do as well. Of a repeated header the first counts.

use std::borrow::Cow;

use memchr::memchr;
use wharfmq_core::{HeadTag, Kind, Value};
use wharfmq_mqtt::{Properties, PropertyId};
use wharfmq_stomp::{Version, get};

use super::{MQTT5, OPENWIRE, REPLY_TO, STOMP, TEXT_LINE, correlation_text, is_reserved, openwire};
use crate::adapters::destination;

const CONTENT_TYPE: &str = "content-type";
const CORRELATION: &str = "correlation-id";

/// The value of a header; [`Value::Null`] where there is none. A [`wharfmq_core::HeadView`].
pub fn header<'a>(tag: HeadTag, head: &'a [u8], name: &str) -> Value<'a> {
    let found = match tag {
        OPENWIRE => return openwire::header(head, name),
        // The broker's own of all others.
        _ if matches!(name, "JMSMessageID" | "JMSTimestamp") => None,
        STOMP => of_stomp(head, name),
        MQTT5 => of_mqtt5(head, name),
        _ => None,
    };
    found.map_or(Value::Null, Value::Text)
}

fn of_stomp<'a>(head: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    match name {
        "JMSCorrelationID" => stomp_line(head, CORRELATION),
        "JMSType" => stomp_line(head, "type"),
        "JMSReplyTo" => stomp_line(head, REPLY_TO).map(canonical),
        _ => stomp_line(head, name),
    }
}

/// The value in the first line of this name.
fn stomp_line<'a>(head: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    let mut rest = head.strip_prefix(TEXT_LINE).unwrap_or(head);
    let wanted = name.as_bytes();
    if wanted.iter().any(|byte| matches!(byte, b':' | b'\\' | b'\n' | b'\r')) {
        return get(rest, Version::V1_2, name).ok()?;
    }
    // A line with an escape in its name cannot be meant: what is escaped is in no such name.
    while !(rest.get(wanted.len()) == Some(&b':') && rest.starts_with(wanted)) {
        rest = rest.get(memchr(b'\n', rest)? + 1..)?;
    }
    let (line, _) = rest.split_at_checked(memchr(b'\n', rest)? + 1)?;
    let value = line.get(wanted.len() + 1..line.len() - 1)?;
    if memchr(b'\\', value).is_some() {
        return get(line, Version::V1_2, name).ok()?;
    }
    std::str::from_utf8(value).ok().map(Cow::Borrowed)
}

/// A destination in the spelling of `JMSDestination`. What is none stays as it is.
fn canonical(text: Cow<'_, str>) -> Cow<'_, str> {
    match destination::stomp_name(&text) {
        Ok(found) => Cow::Owned(format!("{}://{}", found.kind.scheme(), found.name)),
        Err(_) => text,
    }
}

fn of_mqtt5<'a>(head: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    match name {
        CORRELATION | "JMSCorrelationID" => {
            Properties::from_raw(head).binary(PropertyId::CorrelationData).map(correlation_text)
        }
        CONTENT_TYPE => Properties::from_raw(head).text(PropertyId::ContentType).map(Cow::Borrowed),
        REPLY_TO | "JMSReplyTo" => match Properties::from_raw(head).text(PropertyId::ResponseTopic) {
            Some(topic) => {
                let queue = topic.strip_prefix(destination::MQTT_QUEUE);
                let (kind, name) = queue.map_or((Kind::Topic, topic), |queue| (Kind::Queue, queue));
                Some(Cow::Owned(format!("{}://{}", kind.scheme(), destination::to_mqtt(name))))
            }
            None => user_property(head, REPLY_TO).map(canonical),
        },
        "JMSType" => user_property(head, "type"),
        _ if is_reserved(name) => None,
        _ => user_property(head, name),
    }
}

/// The value of the first user property of this name.
fn user_property<'a>(head: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    for (id, raw) in Properties::from_raw(head).raw_iter() {
        if id != PropertyId::UserProperty {
            continue;
        }
        // The identifier, then both texts with two bytes for their length before them.
        let (known, value) = raw.get(3..)?.split_at_checked(text_len(raw.get(1..)?)?)?;
        if known == name.as_bytes() {
            return std::str::from_utf8(value.get(2..)?).ok().map(Cow::Borrowed);
        }
    }
    None
}

fn text_len(raw: &[u8]) -> Option<usize> {
    raw.first_chunk().map(|len| usize::from(u16::from_be_bytes(*len)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::adapters::convert::{MQTT3, write_mqtt5_properties, write_stomp_headers};

    fn said(tag: HeadTag, head: &[u8], name: &str) -> Option<String> {
        match header(tag, head, name) {
            Value::Text(text) => Some(text.into_owned()),
            Value::Null => None,
            other => panic!("{other:?}"),
        }
    }

    const HEAD: &[u8] = b"amq-msg-type:text\ncontent-type:text/plain\ncorrelation-id:c\\c1\ntype:order\n\
        reply-to:/queue/re.ply\ncolor:red\ncolor:blue\ncolors:many\nempty:\nod\\cd:x\\\\y\nJMSXGroupID:g\n";

    #[test]
    fn stomp_headers_by_name() {
        let get = |name| said(STOMP, HEAD, name);
        for (name, value) in [
            ("content-type", "text/plain"),
            ("color", "red"),
            ("colors", "many"),
            ("empty", ""),
            ("od:d", "x\\y"),
            ("type", "order"),
            ("JMSType", "order"),
            ("correlation-id", "c:1"),
            ("JMSCorrelationID", "c:1"),
            ("reply-to", "/queue/re.ply"),
            ("JMSReplyTo", "queue://re.ply"),
            ("JMSXGroupID", "g"),
        ] {
            assert_eq!(get(name).as_deref(), Some(value), "{name}");
        }
        for name in ["", "colo", "Color", "amq-msg-type", "od\\cd", "text", "red", "a\nb", "JMSXGroupSeq"] {
            assert_eq!(get(name), None, "{name}");
        }
        assert_eq!(said(STOMP, b"reply-to:nowhere\n", "JMSReplyTo").as_deref(), Some("nowhere"));
        assert_eq!(said(STOMP, b"a:b", "a"), None, "a line without an end is none");
        assert_eq!(said(STOMP, b"a:\xff\nb:\\t\n", "a"), None);
        assert_eq!(said(STOMP, b"a:\\t\n", "a"), None);
    }

    #[test]
    fn a_plain_value_is_not_copied() {
        assert!(matches!(header(STOMP, HEAD, "color"), Value::Text(Cow::Borrowed("red"))));
        let properties = b"\x26\x00\x05color\x00\x03red";
        assert!(matches!(header(MQTT5, properties, "color"), Value::Text(Cow::Borrowed("red"))));
    }

    #[test]
    fn mqtt_properties_by_name() {
        let properties = b"\x01\x01\x03\x00\x01t\x09\x00\x02c1\x08\x00\x05a/b.c\x26\x00\x04type\x00\x01o\
            \x26\x00\x01k\x00\x01v\x26\x00\x01k\x00\x01w\x26\x00\x08priority\x00\x019";
        let get = |name| said(MQTT5, properties, name);
        for (name, value) in [
            ("content-type", "t"),
            ("JMSCorrelationID", "c1"),
            ("JMSReplyTo", "topic://a.b/c"),
            ("JMSType", "o"),
            ("k", "v"),
        ] {
            assert_eq!(get(name).as_deref(), Some(value), "{name}");
        }
        for name in ["", "priority", "K", "message-id"] {
            assert_eq!(get(name), None, "{name}");
        }
        let binary = b"\x09\x00\x02\x00\xff\x26\x00\x08reply-to\x00\x08/queue/q";
        assert_eq!(said(MQTT5, binary, "JMSCorrelationID").as_deref(), Some("hex:00ff"));
        assert_eq!(said(MQTT5, binary, "JMSReplyTo").as_deref(), Some("queue://q"));
        assert_eq!(said(MQTT3, properties, "k"), None);
    }

    fn text() -> impl Strategy<Value = String> {
        "[a-c:\\\\\n\r\u{e9}]{1,4}"
    }

    proptest! {
        #[test]
        fn both_layouts_say_the_same(pairs in prop::collection::vec((text(), text()), 0..6), asked in text()) {
            let first = pairs.iter().find(|(name, _)| *name == asked).map(|(_, value)| value.clone());
            let mut lines = bytes::BytesMut::new();
            for (name, value) in &pairs {
                super::super::put_header(&mut lines, name, &[value]);
            }
            prop_assert_eq!(said(STOMP, &lines, &asked), first.clone());
            let mut properties = Vec::new();
            for (name, value) in &pairs {
                properties.push(0x26);
                for part in [name, value] {
                    properties.extend((part.len() as u16).to_be_bytes());
                    properties.extend(part.as_bytes());
                }
            }
            prop_assert_eq!(said(MQTT5, &properties, &asked), first);
        }

        #[test]
        fn anything_is_survived(head in prop::collection::vec(any::<u8>(), 0..60), name in "[a-d:&\u{3}]{0,3}") {
            for name in [&*name, "JMSReplyTo", "JMSCorrelationID", "JMSType", "content-type"] {
                for tag in [STOMP, MQTT3, MQTT5, HeadTag(9)] {
                    let _ = header(tag, &head, name);
                }
            }
        }
    }

    #[test]
    fn a_head_keeps_its_meaning_when_it_changes_its_layout() {
        let notes = wharfmq_core::Notes::default();
        let (mut properties, mut lines) = (bytes::BytesMut::new(), bytes::BytesMut::new());
        write_mqtt5_properties(STOMP, HEAD, &notes, true, &mut properties);
        write_stomp_headers(MQTT5, &properties, &notes, &mut lines);
        for name in ["JMSCorrelationID", "JMSType", "JMSReplyTo", "color", "od:d", "content-type"] {
            let asked = said(STOMP, HEAD, name);
            assert_eq!(said(MQTT5, &properties, name), asked, "{name}");
            assert_eq!(said(STOMP, &lines, name), asked, "{name}");
        }
    }
}
