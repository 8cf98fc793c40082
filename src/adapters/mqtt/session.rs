//! How long a session outlives its connection.

use std::sync::Arc;

use bytes::Bytes;
use wharfmq_base::Millis;
use wharfmq_core::QueueCell;
use wharfmq_mqtt::{PropertyId, PropertyWriter, Value, Version};

use super::{MqttOptions, Open};
use crate::broker::{EXPIRY_KEY, LEFT_KEY, Port};

/// The session expiry interval that means for ever (3.1.2.11.2).
const FOR_EVER: u32 = u32::MAX;

/// The life of a session after its connection, as CONNECT settled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    /// What the client asked for.
    pub(super) asked: Millis,
    /// What it gets.
    pub(super) granted: Millis,
}

impl Life {
    /// What a client gets that asks for so much: no more than the configuration allows.
    pub(super) fn new(asked: Millis, options: &MqttOptions) -> Self {
        Self { asked, granted: asked.min(options.max_session_expiry.unwrap_or(Millis::NEVER)) }
    }

    /// Tells the client if it gets less than it asked for (3.2.2.3.2).
    pub(super) fn tell(self, writer: &mut PropertyWriter<'_>) {
        if self.granted != self.asked {
            let seconds = u32::try_from(self.granted.0 / 1_000).unwrap_or(FOR_EVER);
            // Cannot fail: any number of seconds will do.
            let _ = writer.put(PropertyId::SessionExpiryInterval, Value::U32(seconds));
        }
    }
}

/// What CONNECT asks for: the interval in MQTT 5, in MQTT 3 nothing or for ever.
pub(super) fn asked(version: Version, clean_start: bool, seconds: Option<u32>) -> Millis {
    match (version.is_v5(), clean_start) {
        (true, _) => interval(seconds.unwrap_or(0)),
        (false, true) => Millis(0),
        (false, false) => Millis::NEVER,
    }
}

/// A session expiry interval in seconds as a span.
const fn interval(seconds: u32) -> Millis {
    if seconds == FOR_EVER { Millis::NEVER } else { Millis(seconds as u64 * 1_000) }
}

impl Open {
    /// A DISCONNECT that changes the session's life. False where it may not: a session that was to end with
    /// its connection cannot be made to stay (3.14.2.2.2).
    pub(super) fn change_life(&mut self, seconds: u32) -> bool {
        if self.life.asked == Millis(0) && seconds > 0 {
            return false;
        }
        self.life = Life::new(interval(seconds), &self.options);
        true
    }

    /// Remembers how long the session lives once this connection ends, and that it has one now.
    pub(super) fn begin_life(&self, cell: &Arc<QueueCell>, port: &mut Port) {
        let expiry = Bytes::copy_from_slice(&self.life.granted.0.to_be_bytes());
        port.remember(cell, Bytes::from_static(EXPIRY_KEY), Some(expiry));
        if port.recall_one(cell, LEFT_KEY).is_some() {
            port.remember(cell, Bytes::from_static(LEFT_KEY), None);
        }
        port.flush(Bytes::new());
    }

    /// The connection ends and the session stays: begins its time, and remembers `values` too.
    pub(super) fn end_after(&self, cell: &Arc<QueueCell>, mut values: Vec<(Bytes, Bytes)>, port: &mut Port) {
        let expiry = self.life.granted;
        let bytes = |time: Millis| Bytes::copy_from_slice(&time.0.to_be_bytes());
        if port.recall_one(cell, EXPIRY_KEY) != Some(bytes(expiry)) {
            values.push((Bytes::from_static(EXPIRY_KEY), bytes(expiry)));
        }
        if expiry != Millis::NEVER {
            values.push((Bytes::from_static(LEFT_KEY), bytes(port.now.wall)));
            port.expire_queue(cell, port.now.wall.plus(expiry));
        }
        if !values.is_empty() {
            port.remember_now(cell, values);
        }
    }
}
