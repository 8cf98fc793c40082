//! The message a client leaves for the case that it goes without a word.

use bytes::Bytes;
use wharfmq_base::Millis;
use wharfmq_core::{Item, Qos, Span};
use wharfmq_mqtt::{PropertyId, PropertyWriter, Version, Will};

use super::Open;
use super::publish::{NO_PASS, Reply, core_qos};
use crate::adapters::convert::{MQTT3, MQTT5};
use crate::broker::Port;

/// A will, as CONNECT brought it.
pub(super) struct StoredWill {
    topic: Box<str>,
    qos: Qos,
    retain: bool,
    expiry: Option<u32>,
    /// The properties, and behind them the payload.
    raw: Bytes,
    properties_len: u32,
    v5: bool,
}

impl StoredWill {
    pub(super) fn new(will: &Will<'_>, version: Version) -> Self {
        let mut raw = bytes::BytesMut::new();
        let mut writer = PropertyWriter::new(&mut raw);
        let skip = [PropertyId::WillDelayInterval, PropertyId::MessageExpiryInterval];
        writer.copy(will.properties, |id| !skip.contains(&id));
        let properties_len = raw.len() as u32;
        raw.extend_from_slice(will.payload);
        Self {
            topic: will.topic.into(),
            qos: core_qos(will.qos),
            retain: will.retain,
            expiry: will.properties.u32(PropertyId::MessageExpiryInterval),
            raw: raw.freeze(),
            properties_len,
            v5: version.is_v5(),
        }
    }
}

impl Open {
    /// Publishes the will, which a goodbye without reason 0x04 has taken away (3.1.2.5).
    pub(super) fn publish_will(&mut self, port: &mut Port) {
        let Some(will) = self.will.take() else { return };
        let Ok(route) = self.routes.get(&will.topic, port).cloned() else { return };
        let len = will.raw.len() as u32;
        let item = Item {
            frame: Span { start: 0, len },
            head: Span { start: 0, len: will.properties_len },
            body: Span { start: will.properties_len, len: len - will.properties_len },
            address: 0,
            patch: NO_PASS,
            tag: if will.v5 { MQTT5 } else { MQTT3 },
            qos: will.qos,
            retain: will.retain,
            priority: 4,
            expires: match will.expiry {
                Some(seconds) => port.now.wall.plus(Millis(u64::from(seconds) * 1_000)),
                None => Millis::NEVER,
            },
        };
        port.publish(&route, item, Some(Reply::Nothing.token()));
        port.flush(will.raw);
    }
}
