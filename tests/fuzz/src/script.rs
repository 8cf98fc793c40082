//! Input bytes as what several clients do.

use bytes::BytesMut;
use wharfmq_mqtt::encode::{self, PublishHead};
use wharfmq_mqtt::{
    Ack, AckKind, Connect, Disconnect, PacketId, Properties, PropertyId, PropertyWriter, Qos, Reason,
    Subscription, SubscriptionOptions, Value, Version, Will,
};

/// Names that meet the filters below, and some that nobody may use.
pub(crate) const TOPICS: [&str; 8] = ["a", "a/b", "a/b/c", "b", "/", "$SYS/x", "$t/a", "a/*/>"];
const FILTERS: [&str; 12] =
    ["a", "a/b", "a/+", "#", "+/+", "a/#", "$share/g/a/#", "$share/h/#", "/", "$t/#", "b", "$share/g/b"];
const CLIENT_IDS: [&str; 4] = ["one", "two", "three", ""];

/// What a client does next, or what happens to it.
pub(crate) enum Step {
    /// These bytes are sent.
    Send(Vec<u8>),
    /// Of what is sent next, only so many bytes arrive before the write after it.
    Split(usize),
    /// Milliseconds pass.
    Pass(u64),
    /// The client's connection gets no attention until the same step comes again.
    Stall,
    /// The connection is lost.
    Lose,
    /// The broker says that it stops.
    Drain,
}

/// The steps that are left in an input.
pub(crate) struct Script<'a> {
    rest: &'a [u8],
}

impl<'a> Script<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    /// Which client, in which version it speaks, and what it does.
    pub(crate) fn next(&mut self, version: impl Fn(usize) -> Version) -> Option<(usize, Step)> {
        let first = self.byte()?;
        let who = usize::from(first & 3);
        let version = version(who);
        let step = match first >> 2 & 15 {
            0 => Step::Send(self.bytes()),
            1 | 2 => Step::Send(self.connect()?),
            3 => Step::Send(self.subscribe(version)?),
            4..=6 => Step::Send(self.publish(version)?),
            7 | 8 => Step::Send(self.ack(version)?),
            9 => Step::Send(self.unsubscribe(version)?),
            10 => Step::Send(self.disconnect(version)?),
            11 => Step::Split(usize::from(self.byte()?)),
            12 => Step::Pass(u64::from(self.byte()?).pow(2) * 10),
            13 => Step::Stall,
            14 if first & 0x40 == 0 => Step::Lose,
            14 => Step::Drain,
            _ => Step::Send(self.framed()?),
        };
        Some((who, step))
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = usize::from(self.byte().unwrap_or(0)).min(self.rest.len());
        let (bytes, rest) = self.rest.split_at(len);
        self.rest = rest;
        bytes.to_vec()
    }

    /// Any first byte and any body, with the right length between them.
    fn framed(&mut self) -> Option<Vec<u8>> {
        let first = self.byte()?;
        let body = self.bytes();
        let mut packet = vec![first];
        if body.len() >= 128 {
            packet.push(body.len() as u8 | 0x80);
            packet.push(1);
        } else {
            packet.push(body.len() as u8);
        }
        packet.extend(body);
        Some(packet)
    }

    fn connect(&mut self) -> Option<Vec<u8>> {
        let (how, more) = (self.byte()?, self.byte()?);
        let version = [Version::V31, Version::V311, Version::V5, Version::V5][usize::from(how & 3)];
        let (mut scratch, mut will_scratch) = (BytesMut::new(), BytesMut::new());
        let mut properties = PropertyWriter::new(&mut scratch);
        let mut will_properties = PropertyWriter::new(&mut will_scratch);
        if version.is_v5() {
            let expiry = [0, 1, 3_600, u32::MAX][usize::from(more & 3)];
            properties.put(PropertyId::SessionExpiryInterval, Value::U32(expiry)).unwrap();
            if more & 4 != 0 {
                properties.put(PropertyId::ReceiveMaximum, Value::U16(u16::from(more >> 6) + 1)).unwrap();
            }
            if more & 8 != 0 {
                properties.put(PropertyId::MaximumPacketSize, Value::U32(60)).unwrap();
            }
            if more & 16 != 0 {
                properties.put(PropertyId::TopicAliasMaximum, Value::U16(2)).unwrap();
            }
            if more & 32 != 0 {
                will_properties.put(PropertyId::WillDelayInterval, Value::U32(2)).unwrap();
            }
        }
        let will = (how & 64 != 0).then(|| Will {
            qos: qos(how >> 4),
            retain: more & 1 != 0,
            topic: "a/b",
            payload: b"will",
            properties: will_properties.finish(),
        });
        let connect = Connect {
            version,
            clean_start: how & 4 != 0,
            keep_alive: if how & 128 != 0 { 5 } else { 0 },
            client_id: CLIENT_IDS[usize::from(how >> 3 & 3)],
            will,
            user_name: None,
            password: None,
            properties: properties.finish(),
        };
        written(|out| encode::connect(out, &connect))
    }

    fn subscribe(&mut self, version: Version) -> Option<Vec<u8>> {
        let (which, bits) = (self.byte()?, self.byte()?);
        let filter = FILTERS[usize::from(which) % FILTERS.len()];
        let mut options = SubscriptionOptions::from_qos(qos(bits));
        let mut scratch = BytesMut::new();
        let mut properties = PropertyWriter::new(&mut scratch);
        if version.is_v5() {
            let bits = if filter.starts_with("$share") { bits & 0x3B } else { bits & 0x3F };
            options = SubscriptionOptions::from_bits(bits, version).unwrap_or(options);
            if bits & 0x20 != 0 {
                let id = Value::VarInt(u32::from(which) + 1);
                properties.put(PropertyId::SubscriptionIdentifier, id).unwrap();
            }
        }
        let list = [Subscription { filter, options }];
        written(|out| encode::subscribe(out, version, id(1), properties.finish(), &list))
    }

    fn unsubscribe(&mut self, version: Version) -> Option<Vec<u8>> {
        let filter = FILTERS[usize::from(self.byte()?) % FILTERS.len()];
        written(|out| encode::unsubscribe(out, version, id(2), Properties::EMPTY, &[filter]))
    }

    fn publish(&mut self, version: Version) -> Option<Vec<u8>> {
        let (which, how) = (self.byte()?, self.byte()?);
        let qos = qos(how);
        let above_0 = qos != Qos::AtMostOnce;
        let mut scratch = BytesMut::new();
        let mut properties = PropertyWriter::new(&mut scratch);
        let mut topic = TOPICS[usize::from(which & 7)];
        if version.is_v5() {
            if which & 8 != 0 {
                properties.put(PropertyId::TopicAlias, Value::U16(u16::from(which >> 6) + 1)).unwrap();
                if which & 16 != 0 {
                    topic = "";
                }
            }
            if which & 32 != 0 {
                properties.put(PropertyId::MessageExpiryInterval, Value::U32(1)).unwrap();
            }
        }
        let head = PublishHead {
            dup: above_0 && how & 4 != 0,
            qos,
            retain: how & 8 != 0,
            topic,
            packet_id: above_0.then(|| id(how >> 6)),
            properties: properties.finish(),
            shared_properties_len: 0,
        };
        let payload: &[u8] = match how >> 4 & 3 {
            0 => b"",
            1 => b"payload",
            2 => &[0xFF; 100],
            _ => &[b'x'; 3_000],
        };
        written(|out| encode::publish(out, version, &head, payload))
    }

    fn ack(&mut self, version: Version) -> Option<Vec<u8>> {
        let how = self.byte()?;
        let kind =
            [AckKind::Puback, AckKind::Pubrec, AckKind::Pubrel, AckKind::Pubcomp][usize::from(how & 3)];
        let mut ack = Ack::success(id(how >> 3));
        if version.is_v5() && how & 4 != 0 {
            ack.reason = match kind {
                AckKind::Puback | AckKind::Pubrec => Reason::UNSPECIFIED_ERROR,
                _ => Reason::PACKET_IDENTIFIER_NOT_FOUND,
            };
        }
        written(|out| encode::ack(out, version, kind, &ack))
    }

    fn disconnect(&mut self, version: Version) -> Option<Vec<u8>> {
        let how = self.byte()?;
        let mut disconnect = Disconnect { reason: Reason::SUCCESS, properties: Properties::EMPTY };
        let mut scratch = BytesMut::new();
        let mut properties = PropertyWriter::new(&mut scratch);
        if version.is_v5() {
            if how & 1 != 0 {
                disconnect.reason = Reason::DISCONNECT_WITH_WILL;
            }
            if how & 2 != 0 {
                let seconds = Value::U32(u32::from(how >> 2));
                properties.put(PropertyId::SessionExpiryInterval, seconds).unwrap();
            }
        }
        disconnect.properties = properties.finish();
        written(|out| encode::disconnect(out, version, &disconnect))
    }
}

fn written(write: impl FnOnce(&mut BytesMut) -> Result<usize, wharfmq_mqtt::EncodeError>) -> Option<Vec<u8>> {
    let mut out = BytesMut::new();
    write(&mut out).ok()?;
    Some(out.to_vec())
}

fn qos(bits: u8) -> Qos {
    Qos::from_bits(bits & 3).unwrap_or(Qos::ExactlyOnce)
}

/// One of the few packet identifiers in use: the broker draws its own from 1 on.
fn id(n: u8) -> PacketId {
    PacketId::new(u16::from(n) + 1).unwrap()
}
