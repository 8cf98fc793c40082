//! Single headers of a head, in whatever layout their publisher sent them.

use std::borrow::Cow;

use wharfmq_core::{HeadTag, Value};
use wharfmq_mqtt::{Properties, PropertyId, Value as Property};
use wharfmq_stomp::{Version, headers};

use super::{MQTT5, STOMP, is_reserved};

/// The value of a header, or user property of MQTT 5; [`Value::Null`] where there is none. Of a repeated one
/// the first counts. A [`wharfmq_core::HeadView`].
pub fn header<'a>(tag: HeadTag, head: &'a [u8], name: &str) -> Value<'a> {
    let found = match tag {
        _ if is_reserved(name) => None,
        STOMP => headers(head, Version::V1_2)
            .map_while(Result::ok)
            .find_map(|found| (found.name == name).then_some(found.value)),
        MQTT5 => Properties::from_raw(head).iter().find_map(|(id, value)| match (id, value) {
            (PropertyId::UserProperty, Property::Pair(key, value)) if key == name => {
                Some(Cow::Borrowed(value))
            }
            _ => None,
        }),
        _ => None,
    };
    found.map_or(Value::Null, Value::Text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::convert::MQTT3;

    #[test]
    fn headers_are_found_by_name() {
        let head = b"amq-msg-type:text\nid:a\\cb\nid:second\n";
        assert_eq!(header(STOMP, head, "id"), Value::Text("a:b".into()));
        assert_eq!(header(STOMP, head, "amq-msg-type"), Value::Null);
        assert_eq!(header(STOMP, head, "i"), Value::Null);
        let properties = b"\x26\0\x02id\0\x01x\x26\0\x02no\0\x01y";
        assert_eq!(header(MQTT5, properties, "no"), Value::Text("y".into()));
        assert_eq!(header(MQTT5, b"\x26\0", "no"), Value::Null);
        assert_eq!(header(MQTT3, head, "id"), Value::Null);
    }
}
