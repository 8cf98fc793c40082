//! Answers, and what is said in words beside their reason codes.
//!
//! A reason string or another property that is not needed is left out where the packet would be larger than
//! the client takes (MQTT 5, 3.2.2.3.9, 3.4.2.2.2, 3.9.2.1.2, 3.14.2.2.3).

use bytes::BytesMut;
use wharfmq_mqtt::{
    Ack, AckKind, Disconnect, EncodeError, Error, PacketId, Properties, PropertyId, PropertyWriter, Reason,
    Value, encode,
};

use super::{Close, Open};
use crate::broker::{Cause, Port};

/// Writes a packet with as many of `texts` as fit into `most` bytes, the first ones first. Empty where it
/// does not fit without them either.
pub(super) fn fitting(
    most: u32,
    texts: &[(PropertyId, &str)],
    write: impl Fn(&mut BytesMut, Properties<'_>) -> Result<usize, EncodeError>,
) -> BytesMut {
    let (mut scratch, mut packet) = (BytesMut::new(), BytesMut::new());
    for count in (0..=texts.len()).rev() {
        let mut writer = PropertyWriter::new(&mut scratch);
        for (id, text) in texts.iter().take(count) {
            // A text that cannot be said is left out.
            let _ = writer.put(*id, Value::Text(text));
        }
        packet.clear();
        if write(&mut packet, writer.finish()).is_ok() && packet.len() <= most as usize {
            return packet;
        }
    }
    BytesMut::new()
}

impl Open {
    /// Answers a packet of QoS 1 or 2 with a plain code.
    pub(super) fn send_ack(&self, kind: AckKind, id: PacketId, reason: Reason, port: &mut Port) {
        let ack = Ack { packet_id: id, reason, properties: Properties::EMPTY };
        port.traffic.answered();
        // Cannot fail: nothing in the packet has a length of its own. Five bytes every client takes.
        let _ = port.out.with(|out| encode::ack(out, self.version, kind, &ack));
    }

    /// The same, with words for an MQTT 5 client that wants them.
    pub(super) fn send_refusal(
        &self,
        kind: AckKind,
        id: PacketId,
        reason: Reason,
        why: &str,
        port: &mut Port,
    ) {
        let reason = self.reason_or_success(reason);
        let packet = self.explained(reason, why, |out, properties| {
            encode::ack(out, self.version, kind, &Ack { packet_id: id, reason, properties })
        });
        port.traffic.answered();
        port.out.put(&packet);
    }

    /// Writes an answer whose reason string is left out where nothing is wrong, where it does not fit, and
    /// where the client does not want to read it (MQTT-3.1.2-29).
    pub(super) fn explained(
        &self,
        reason: Reason,
        why: &str,
        write: impl Fn(&mut BytesMut, Properties<'_>) -> Result<usize, EncodeError>,
    ) -> BytesMut {
        let texts: &[_] = if self.version.is_v5() && self.problem_information && reason.is_error() {
            &[(PropertyId::ReasonString, why)]
        } else {
            &[]
        };
        fitting(self.client_max_packet, texts, write)
    }

    /// Tells an MQTT 5 client why the connection ends; to the others only the close says it. Nothing may
    /// follow (MQTT-3.14.4-1).
    pub(super) fn say_goodbye(&mut self, reason: Reason, why: &str, port: &mut Port) {
        self.part(reason, &[(PropertyId::ReasonString, why)], port);
    }

    /// [`Open::say_goodbye`] with any texts.
    pub(super) fn part(&mut self, reason: Reason, texts: &[(PropertyId, &str)], port: &mut Port) {
        // To one that has no CONNACK yet nothing is said either (MQTT-3.14.0-1).
        if !self.version.is_v5() || !self.answered || std::mem::replace(&mut self.parted, true) {
            return;
        }
        let packet = fitting(self.client_max_packet, texts, |out, properties| {
            encode::disconnect(out, self.version, &Disconnect { reason, properties })
        });
        port.out.put(&packet);
    }

    /// Ends the connection over bytes that are no MQTT.
    pub(super) fn violation(&mut self, error: Error, port: &mut Port) -> Close {
        let mut why = format!("{} [{}]", error.text(), error.clause());
        if error == Error::PacketTooLarge {
            port.count(Cause::PacketTooLarge);
            why = format!("the packet has more than {} bytes (maximum packet size)", self.options.max_packet);
        }
        self.say_goodbye(error.reason(), &why, port);
        Close::Violation(why)
    }

    /// Ends the connection over an answer that is larger than the client takes (MQTT-3.1.2-24).
    pub(super) fn cannot_answer(&mut self, port: &mut Port) -> Close {
        let why = "the answer would be larger than your maximum packet size: ask for less at once";
        self.say_goodbye(Reason::PACKET_TOO_LARGE, why, port);
        Close::Refused(why.into())
    }
}
