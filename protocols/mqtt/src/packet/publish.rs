//! PUBLISH, with where its parts lie in the frame.

use super::{PacketId, Qos};
use crate::{Error, Properties, PropertyId};
use core::ops::Range;

/// PUBLISH (3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Sent before; never set with QoS 0.
    pub dup: bool,
    /// Quality of service.
    pub qos: Qos,
    /// To be kept, or (towards a client) was kept.
    pub retain: bool,
    /// A valid topic name; empty only in MQTT 5 and with a topic alias.
    pub topic: &'a str,
    /// There if QoS is above 0.
    pub packet_id: Option<PacketId>,
    /// Empty in MQTT 3.x.
    pub properties: Properties<'a>,
    /// Any bytes.
    pub payload: &'a [u8],
    /// Bytes of the fixed header.
    pub(crate) header_len: u8,
    /// Where the payload begins in the frame.
    pub(crate) payload_at: u32,
}

impl Publish<'_> {
    /// Where the topic's text lies in the frame.
    #[inline]
    #[must_use]
    pub const fn topic_range(&self) -> Range<usize> {
        let start = self.header_len as usize + 2;
        start..start + self.topic.len()
    }

    /// Where the packet identifier's two bytes lie in the frame: to put another one in their place.
    #[inline]
    #[must_use]
    pub const fn packet_id_range(&self) -> Option<Range<usize>> {
        match self.packet_id {
            Some(_) => {
                let start = self.topic_range().end;
                Some(start..start + 2)
            }
            None => None,
        }
    }

    /// Where the property block (without its length) lies in the frame; it ends where the payload begins.
    #[inline]
    #[must_use]
    pub const fn properties_range(&self) -> Range<usize> {
        let end = self.payload_at as usize;
        end - self.properties.raw().len()..end
    }

    /// Where the payload lies in the frame.
    #[inline]
    #[must_use]
    pub const fn payload_range(&self) -> Range<usize> {
        let start = self.payload_at as usize;
        start..start + self.payload.len()
    }

    /// Checks that the payload is UTF-8 if the payload format indicator says so (3.3.2.3.2).
    ///
    /// The decoder leaves this out: the specification lets the receiver choose, and it reads the whole payload.
    ///
    /// # Errors
    /// [`Error::PayloadFormat`].
    pub fn check_payload_format(&self) -> Result<(), Error> {
        match self.properties.byte(PropertyId::PayloadFormatIndicator) {
            Some(1) if str::from_utf8(self.payload).is_err() => Err(Error::PayloadFormat),
            _ => Ok(()),
        }
    }
}
