//! What CONNACK tells an MQTT 5 client of the broker's bounds (3.2.2.3), each only where it says something.

use bytes::{Bytes, BytesMut};
use wharfmq_mqtt::{
    Connack, MAX_VAR_INT, Properties, PropertyId, PropertyWriter, Reason, Value, Version, encode,
};

use super::MqttOptions;
use super::session::Life;

/// The largest packet there can be: one byte, a length of four, and what they announce.
const LARGEST_PACKET: u32 = MAX_VAR_INT + 5;

/// What is offered to one client.
pub(super) struct Offer<'a> {
    pub(super) options: &'a MqttOptions,
    pub(super) client_id: &'a str,
    /// The broker chose the client id.
    pub(super) assigned: bool,
    /// The keep-alive, where it is not the one the client asked for.
    pub(super) keep_alive: Option<u16>,
    /// How long the session outlives the connection.
    pub(super) life: Life,
    /// The client asks where to expect answers.
    pub(super) asks_response: bool,
    /// The largest packet the client takes.
    pub(super) max_packet: u32,
}

impl Offer<'_> {
    /// The properties of CONNACK. `None` where it would be larger than the client takes (MQTT-3.1.2-24); where
    /// to expect answers goes first then, as it is a courtesy.
    pub(super) fn properties(&self) -> Option<Bytes> {
        let with_response = self.asks_response && !self.options.response_topic.is_empty();
        let full = with_response.then(|| self.write(true)).filter(|block| self.fits(block));
        full.or_else(|| Some(self.write(false)).filter(|block| self.fits(block))).map(BytesMut::freeze)
    }

    fn write(&self, with_response: bool) -> BytesMut {
        let mut block = BytesMut::new();
        let mut writer = PropertyWriter::new(&mut block);
        self.life.tell(&mut writer);
        // What cannot be said, such as a text that is too long, is left out.
        let mut put = |id, value| {
            let _ = writer.put(id, value);
        };
        let options = self.options;
        if options.receive_maximum < u16::MAX {
            put(PropertyId::ReceiveMaximum, Value::U16(options.receive_maximum));
        }
        if options.max_packet < LARGEST_PACKET {
            put(PropertyId::MaximumPacketSize, Value::U32(options.max_packet));
        }
        if options.topic_aliases > 0 {
            put(PropertyId::TopicAliasMaximum, Value::U16(options.topic_aliases));
        }
        if self.assigned {
            put(PropertyId::AssignedClientIdentifier, Value::Text(self.client_id));
        }
        if let Some(seconds) = self.keep_alive {
            put(PropertyId::ServerKeepAlive, Value::U16(seconds));
        }
        if with_response {
            let topic = response_topic(&options.response_topic, self.client_id);
            put(PropertyId::ResponseInformation, Value::Text(&topic));
        }
        block
    }

    fn fits(&self, block: &BytesMut) -> bool {
        let properties = Properties::from_raw(block);
        let connack = Connack { session_present: false, code: Reason::SUCCESS, properties };
        let mut packet = BytesMut::new();
        encode::connack(&mut packet, Version::V5, &connack).is_ok()
            && packet.len() <= self.max_packet as usize
    }
}

/// The template with the client id in the place of `%c`. The id stays one level and no wildcard.
fn response_topic(template: &str, client_id: &str) -> String {
    template.replace("%c", &client_id.replace(['/', '+', '#'], "_"))
}

/// The keep-alive that holds, in seconds, and whether the client is to be told. 0, which is none at all, is
/// longer than any bound.
pub(super) const fn keep_alive(asked: u16, most: Option<u16>) -> (u16, bool) {
    match most {
        Some(most) if asked == 0 || asked > most => (most, true),
        _ => (asked, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_cannot_leave_its_level() {
        assert_eq!(response_topic("response/%c", "a1"), "response/a1");
        assert_eq!(response_topic("r/%c/%c", "../+/#"), "r/..____/..____");
        assert_eq!(response_topic("fixed", "x"), "fixed");
    }

    #[test]
    fn keep_alives() {
        assert_eq!(keep_alive(60, None), (60, false));
        assert_eq!(keep_alive(0, None), (0, false));
        assert_eq!(keep_alive(60, Some(60)), (60, false));
        assert_eq!(keep_alive(61, Some(60)), (60, true));
        assert_eq!(keep_alive(0, Some(60)), (60, true));
    }
}
