//! The end of a connection that the broker wants: answers first, then DISCONNECT, then only settling.

use bytes::{Bytes, BytesMut};
use wharfmq_mqtt::{Limits, Packet, PropertyId, Qos, Reason, decode};

use super::{Close, Open, Progress};
use crate::adapters::{ROUND_BYTES, ROUND_FRAMES};
use crate::broker::Port;

impl Open {
    /// The broker stops: an MQTT 5 client is told, and where to go instead if there is such a place, once
    /// what it has published is answered.
    pub(super) fn drain(&mut self, port: &mut Port) {
        self.draining = true;
        self.part_when_settled(port);
    }

    /// Says goodbye as soon as nothing is to be answered any more, or nothing can be.
    pub(super) fn part_when_settled(&mut self, port: &mut Port) {
        if !self.draining || self.parted || !(port.is_settled() || port.failure().is_some()) {
            return;
        }
        let why = "the broker stops";
        match self.options.server_reference.clone() {
            Some(server) => {
                let texts = [(PropertyId::ServerReference, &*server), (PropertyId::ReasonString, why)];
                self.part(Reason::USE_ANOTHER_SERVER, &texts, port);
            }
            None => self.say_goodbye(Reason::SERVER_SHUTTING_DOWN, why, port),
        }
    }

    /// Reads what an MQTT 5 client has sent before it learns that the connection ends: acknowledgements
    /// and its own goodbye count, what needs no answer is published, and for the rest there is no answer.
    pub(super) fn on_last_input(&mut self, input: &mut BytesMut, port: &mut Port) -> Result<Progress, Close> {
        self.heard = port.now.mono;
        let mut at = 0;
        let mut frames = 0;
        let progress = loop {
            if frames >= ROUND_FRAMES || at >= ROUND_BYTES {
                break Progress::More;
            }
            let rest = input.get(at..).unwrap_or_default();
            let limits = Limits::from_client(self.options.max_packet);
            let decoded = match decode(rest, self.version, limits) {
                Ok(Some(decoded)) => decoded,
                Ok(None) => break Progress::NeedInput,
                Err(error) => {
                    self.flush(input.split_to(at).freeze(), port);
                    return Err(self.violation(error, port));
                }
            };
            frames += 1;
            let len = decoded.len;
            match decoded.packet {
                Packet::Publish(publish) if publish.qos == Qos::AtMostOnce => {
                    if let Err(close) = self.on_publish(&publish, at, len, port) {
                        self.flush(input.split_to(at).freeze(), port);
                        return Err(close);
                    }
                }
                Packet::Puback(ack) => self.on_puback(&ack, port),
                Packet::Pubcomp(ack) => self.on_pubcomp(ack.packet_id, port),
                Packet::Disconnect(disconnect) => {
                    let before = Bytes::copy_from_slice(input.get(..at).unwrap_or_default());
                    self.flush(before, port);
                    return Err(self.on_disconnect(&disconnect, port));
                }
                _ => {}
            }
            at += len;
        };
        let raw = input.split_to(at).freeze();
        self.flush(raw, port);
        Ok(progress)
    }
}
