//! Topic aliases towards a client that allows them (MQTT 5, 3.3.2.3.4).
//!
//! The first topics get one and keep it as long as the connection lasts. What is passed on as its publisher's
//! own bytes has none: that is cheaper than a shorter packet.

use bytestring::ByteString;
use wharfmq_mqtt::state::{AliasUse, OutboundAliases};

/// What an alias takes as a property; a topic of no more bytes is shorter without.
const PROPERTY_BYTES: usize = 3;

/// The aliases of one connection; nothing for the many clients that allow none.
pub(super) struct Aliases(Option<Box<OutboundAliases<ByteString>>>);

impl Aliases {
    /// At most as many as the client allows and the broker wants to remember.
    pub(super) fn new(allowed: u16, wanted: u16) -> Self {
        let most = allowed.min(wanted);
        Self((most > 0).then(|| Box::new(OutboundAliases::new(most))))
    }

    /// Whether there can be any.
    pub(super) const fn is_used(&self) -> bool {
        self.0.is_some()
    }

    /// How to send `topic`. A packet that does not go out in the order of its making must not set an
    /// alias, as others that use it might come first.
    pub(super) fn choose(&mut self, topic: &ByteString, may_set: bool) -> AliasUse {
        match &mut self.0 {
            Some(aliases) if topic.len() > PROPERTY_BYTES => {
                if may_set {
                    aliases.assign(topic)
                } else {
                    aliases.known(topic).map_or(AliasUse::None, AliasUse::Known)
                }
            }
            _ => AliasUse::None,
        }
    }

    /// The packet that would have set the alias does not go out.
    pub(super) fn take_back(&mut self, topic: &ByteString) {
        if let Some(aliases) = &mut self.0 {
            aliases.take_back(topic);
        }
    }
}
