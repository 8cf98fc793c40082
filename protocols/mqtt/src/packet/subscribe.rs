//! SUBSCRIBE, UNSUBSCRIBE and their acknowledgements.

use super::{PacketId, Qos, Version};
use crate::read::Reader;
use crate::{Error, Properties, Reason};
use core::fmt;

/// SUBSCRIBE (3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// To be answered by a SUBACK.
    pub packet_id: PacketId,
    /// Empty in MQTT 3.x.
    pub properties: Properties<'a>,
    /// At least one.
    pub subscriptions: Subscriptions<'a>,
}

/// SUBACK (3.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suback<'a> {
    /// Of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// Empty in MQTT 3.x.
    pub properties: Properties<'a>,
    /// One [`Reason`] byte for each subscription; in MQTT 3.x the granted QoS or 0x80.
    pub codes: &'a [u8],
}

/// UNSUBSCRIBE (3.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// To be answered by an UNSUBACK.
    pub packet_id: PacketId,
    /// Empty in MQTT 3.x.
    pub properties: Properties<'a>,
    /// At least one.
    pub filters: Filters<'a>,
}

/// UNSUBACK (3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsuback<'a> {
    /// Of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// Empty in MQTT 3.x.
    pub properties: Properties<'a>,
    /// One [`Reason`] byte for each filter; none in MQTT 3.x.
    pub codes: &'a [u8],
}

impl Suback<'_> {
    /// The codes in the order of the subscriptions.
    pub fn reasons(&self) -> impl ExactSizeIterator<Item = Reason> + '_ {
        self.codes.iter().map(|&code| Reason(code))
    }
}

/// One entry of a SUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription<'a> {
    /// A valid topic filter, with `$share/{name}/` if it has one.
    pub filter: &'a str,
    /// QoS and the options of MQTT 5.
    pub options: SubscriptionOptions,
}

/// The options byte of a subscription (3.8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionOptions {
    /// The highest QoS wanted.
    pub qos: Qos,
    /// Not the messages of one's own connection. MQTT 5.
    pub no_local: bool,
    /// Keep the retain flag as it was published. MQTT 5.
    pub retain_as_published: bool,
    /// When to send retained messages. MQTT 5.
    pub retain_handling: RetainHandling,
}

/// When a subscription is sent the retained messages (3.8.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum RetainHandling {
    /// At every SUBSCRIBE.
    #[default]
    Send = 0,
    /// Only if the subscription is new.
    SendIfNew = 1,
    /// Never.
    DoNotSend = 2,
}

impl SubscriptionOptions {
    /// Options of MQTT 3.x: QoS and nothing else.
    #[must_use]
    pub const fn from_qos(qos: Qos) -> Self {
        Self { qos, no_local: false, retain_as_published: false, retain_handling: RetainHandling::Send }
    }

    /// Reads the options byte.
    ///
    /// # Errors
    /// Reserved bits (MQTT-3.8.3-5; all but QoS in MQTT 3.x), QoS 3, retain handling 3.
    pub const fn from_bits(bits: u8, version: Version) -> Result<Self, Error> {
        let reserved = if version.is_v5() { 0xC0 } else { 0xFC };
        if bits & reserved != 0 {
            return Err(Error::SubscriptionOptions);
        }
        let Some(qos) = Qos::from_bits(bits & 3) else { return Err(Error::SubscriptionQos) };
        let retain_handling = match bits >> 4 {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return Err(Error::RetainHandling),
        };
        Ok(Self { qos, no_local: bits & 4 != 0, retain_as_published: bits & 8 != 0, retain_handling })
    }

    /// The options byte.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.qos as u8
            | (self.no_local as u8) << 2
            | (self.retain_as_published as u8) << 3
            | (self.retain_handling as u8) << 4
    }
}

/// The entries of a SUBSCRIBE, validated, read lazily.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Subscriptions<'a> {
    pub(crate) raw: &'a [u8],
    pub(crate) count: u32,
    pub(crate) version: Version,
}

impl<'a> Subscriptions<'a> {
    /// How many there are; never zero.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// The entries in the order of the wire.
    #[must_use]
    pub const fn iter(&self) -> SubscriptionIter<'a> {
        SubscriptionIter { reader: Reader::new(self.raw), version: self.version }
    }
}

impl fmt::Debug for Subscriptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for &Subscriptions<'a> {
    type Item = Subscription<'a>;
    type IntoIter = SubscriptionIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator of [`Subscriptions::iter`].
#[derive(Clone)]
pub struct SubscriptionIter<'a> {
    reader: Reader<'a>,
    version: Version,
}

impl<'a> Iterator for SubscriptionIter<'a> {
    type Item = Subscription<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let filter = self.reader.text().ok()?;
        let options = SubscriptionOptions::from_bits(self.reader.u8().ok()?, self.version).ok()?;
        Some(Subscription { filter, options })
    }
}

/// The filters of an UNSUBSCRIBE, validated, read lazily.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Filters<'a> {
    pub(crate) raw: &'a [u8],
    pub(crate) count: u32,
}

impl<'a> Filters<'a> {
    /// How many there are; never zero.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// The filters in the order of the wire.
    #[must_use]
    pub const fn iter(&self) -> FilterIter<'a> {
        FilterIter { reader: Reader::new(self.raw) }
    }
}

impl fmt::Debug for Filters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for &Filters<'a> {
    type Item = &'a str;
    type IntoIter = FilterIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator of [`Filters::iter`].
#[derive(Clone)]
pub struct FilterIter<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for FilterIter<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        self.reader.text().ok()
    }
}
