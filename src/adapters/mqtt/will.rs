//! The message a client leaves for the case that it goes without a word.

use bytes::{Bytes, BytesMut};
use wharfmq_base::Millis;
use wharfmq_core::Head;
use wharfmq_mqtt::{PropertyId, PropertyWriter, Reason, Version, Will as Wish};

use super::Open;
use super::publish::core_qos;
use crate::adapters::convert::{MQTT3, MQTT5};
use crate::adapters::destination::mqtt_address;
use crate::broker::{Port, Will};

/// The will that CONNECT brought; `None` for one that nobody may publish, which MQTT 3 has no word for. The
/// error: why CONNECT is refused.
pub(super) fn will_of(wish: &Wish<'_>, version: Version) -> Result<Option<Box<Will>>, Reason> {
    if wish.topic.starts_with("$SYS/") {
        // The topic is the broker's own, as in PUBLISH (3.2.2.2).
        return if version.is_v5() { Err(Reason::TOPIC_NAME_INVALID) } else { Ok(None) };
    }
    let address = mqtt_address(wish.topic).map_err(|_| Reason::TOPIC_NAME_INVALID)?;
    let seconds = |id| wish.properties.u32(id).map(|seconds| Millis(u64::from(seconds) * 1_000));
    let mut raw = BytesMut::new();
    let mut writer = PropertyWriter::new(&mut raw);
    let skip = [PropertyId::WillDelayInterval, PropertyId::MessageExpiryInterval];
    writer.copy(wish.properties, |id| !skip.contains(&id));
    let tag = if version.is_v5() { MQTT5 } else { MQTT3 };
    Ok(Some(Box::new(Will {
        address,
        qos: core_qos(wish.qos),
        retain: wish.retain,
        head: Head { tag, bytes: raw.freeze() },
        body: Bytes::copy_from_slice(wish.payload),
        life: seconds(PropertyId::MessageExpiryInterval).unwrap_or(Millis::NEVER),
        delay: seconds(PropertyId::WillDelayInterval).unwrap_or_default(),
    })))
}

impl Open {
    /// A goodbye of reason 0x00 takes the will away [MQTT-3.14.4-3].
    pub(super) fn take_back_will(&mut self, port: &mut Port) {
        if let Some(will) = self.will.take() {
            port.drop_will(will);
        }
    }

    /// The connection has ended in any other way: the will goes out after its delay, or when the session ends
    /// (3.1.2.5 and 3.1.3.2.2).
    pub(super) fn let_will_go(&mut self, port: &mut Port) {
        if let Some(will) = self.will.take() {
            port.let_will_go(will, self.life.granted);
        }
    }
}
