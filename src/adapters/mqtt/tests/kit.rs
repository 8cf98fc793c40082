//! Clients with options and properties of their own.

use wharfmq_mqtt::{
    Connect, Disconnect, PropertyId, PropertyWriter, Subscription, SubscriptionOptions, Value,
};

use super::*;
use crate::broker::Cause;

/// What CONNECT says, and what the broker is configured to.
pub(super) struct Knock<'a> {
    pub(super) options: MqttOptions,
    pub(super) version: Version,
    pub(super) id: &'a str,
    pub(super) clean: bool,
    pub(super) keep_alive: u16,
    pub(super) properties: &'a [(PropertyId, Value<'a>)],
    pub(super) will: Option<wharfmq_mqtt::Will<'a>>,
}

impl Default for Knock<'_> {
    fn default() -> Self {
        Self {
            options: MqttOptions::default(),
            version: Version::V5,
            id: "c",
            clean: true,
            keep_alive: 60,
            properties: &[],
            will: None,
        }
    }
}

impl Knock<'_> {
    /// Says CONNECT; the client, and all that came back.
    pub(super) fn knock(self, on: &TestBroker) -> (Client, Vec<u8>) {
        let version = self.version;
        let properties = block(self.properties);
        let connect = Connect {
            version,
            clean_start: self.clean,
            keep_alive: self.keep_alive,
            client_id: self.id,
            will: self.will,
            user_name: None,
            password: None,
            properties: Properties::from_raw(&properties),
        };
        let mut bytes = BytesMut::new();
        encode::connect(&mut bytes, &connect).unwrap();
        let inner = on.client(MqttSession::new(Arc::new(self.options)));
        let mut client = Client { version, inner, early: Vec::new() };
        let out = client.inner.send(on, &bytes);
        (client, out)
    }

    /// Connects.
    pub(super) fn enter(self, on: &TestBroker) -> Client {
        let (mut client, out) = self.knock(on);
        let connack = decode(&out, client.version, Limits::from_server(u32::MAX)).unwrap().unwrap();
        let Packet::Connack(Connack { code, .. }) = connack.packet else { panic!("{out:?}") };
        assert_eq!(code, Reason::SUCCESS);
        client.early = out[connack.len..].to_vec();
        client
    }
}

/// A block of properties.
pub(super) fn block(properties: &[(PropertyId, Value<'_>)]) -> BytesMut {
    let mut block = BytesMut::new();
    let mut writer = PropertyWriter::new(&mut block);
    for (id, value) in properties {
        writer.put(*id, *value).unwrap();
    }
    block
}

/// The reason of a DISCONNECT, which is all there is.
pub(super) fn goodbye(out: &[u8]) -> Reason {
    parting(out).reason
}

/// A DISCONNECT of MQTT 5, which is all there is.
pub(super) fn parting(out: &[u8]) -> Disconnect<'_> {
    let decoded = decode(out, Version::V5, Limits::from_server(u32::MAX)).unwrap().unwrap();
    assert_eq!(decoded.len, out.len(), "{out:?}");
    let Packet::Disconnect(disconnect) = decoded.packet else { panic!("{:?}", decoded.packet) };
    disconnect
}

/// The reason of an MQTT 5 answer, which is all there is; of SUBACK the last one.
pub(super) fn reason(out: &[u8]) -> Reason {
    let decoded = decode(out, Version::V5, Limits::from_server(u32::MAX)).unwrap().unwrap();
    assert_eq!(decoded.len, out.len(), "{out:?}");
    match decoded.packet {
        Packet::Puback(ack) | Packet::Pubrec(ack) => ack.reason,
        Packet::Suback(suback) => Reason(*suback.codes.last().unwrap()),
        Packet::Disconnect(disconnect) => disconnect.reason,
        other => panic!("{other:?}"),
    }
}

/// A PUBLISH as bytes, with any properties.
pub(super) fn publish(
    version: Version,
    topic: &str,
    id: u16,
    qos: Qos,
    properties: &[(PropertyId, Value<'_>)],
    body: &[u8],
) -> Vec<u8> {
    let block = block(properties);
    let head = encode::PublishHead {
        dup: false,
        qos,
        retain: false,
        topic,
        packet_id: PacketId::new(id).filter(|_| qos != Qos::AtMostOnce),
        properties: Properties::from_raw(&block),
        shared_properties_len: 0,
    };
    let mut bytes = BytesMut::new();
    encode::publish(&mut bytes, version, &head, body).unwrap();
    bytes.to_vec()
}

/// A SUBSCRIBE as bytes.
pub(super) fn subscribe(version: Version, filters: &[&str], qos: Qos) -> Vec<u8> {
    let options = SubscriptionOptions::from_qos(qos);
    let subscriptions: Vec<_> = filters.iter().map(|&filter| Subscription { filter, options }).collect();
    let mut bytes = BytesMut::new();
    let id = PacketId::new(9).unwrap();
    encode::subscribe(&mut bytes, version, id, Properties::EMPTY, &subscriptions).unwrap();
    bytes.to_vec()
}

/// How often something has happened.
pub(super) fn count(on: &TestBroker, cause: Cause) -> u64 {
    on.broker.counters().causes.of(cause)
}
