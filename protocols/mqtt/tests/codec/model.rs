//! Packets that own their parts, random ones, and how to write them.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use wharfmq_mqtt::encode::{self, PublishHead};
use wharfmq_mqtt::*;

#[derive(Clone, Debug)]
pub(crate) enum Owned {
    Byte(u8),
    U16(u16),
    U32(u32),
    VarInt(u32),
    Text(String),
    Binary(Vec<u8>),
    Pair(String, String),
}

pub(crate) type Props = Vec<(PropertyId, Owned)>;

#[derive(Clone, Debug)]
pub(crate) struct WillModel {
    qos: Qos,
    retain: bool,
    topic: String,
    payload: Vec<u8>,
    props: Props,
}

/// One packet of any type; what its version has not is left out when it is written.
#[derive(Clone, Debug)]
pub(crate) enum Model {
    Connect(bool, u16, String, Option<WillModel>, Option<String>, Option<Vec<u8>>, Props),
    Connack(bool, Props),
    Publish(bool, Qos, bool, String, PacketId, Props, Vec<u8>),
    Ack(AckKind, PacketId, bool, Props),
    Subscribe(PacketId, Props, Vec<(String, u8)>),
    Suback(PacketId, Props, Vec<u8>),
    Unsubscribe(PacketId, Props, Vec<String>),
    Unsuback(PacketId, Props, Vec<u8>),
    Ping(bool),
    Disconnect(bool, Props),
    Auth(Props),
}

impl Model {
    /// Whether this version has such a packet.
    pub(crate) fn exists_in(&self, version: Version) -> bool {
        version.is_v5() || !matches!(self, Self::Auth(_))
    }

    /// The end that sends it, where only one does.
    pub(crate) fn from(&self) -> Peer {
        match self {
            Self::Connack(..) | Self::Suback(..) | Self::Unsuback(..) | Self::Ping(false) => Peer::Server,
            _ => Peer::Client,
        }
    }

    pub(crate) fn encode(&self, version: Version) -> Vec<u8> {
        let mut out = BytesMut::new();
        let len = self.write(version, &mut out).unwrap();
        assert_eq!(len, out.len());
        out.to_vec()
    }

    fn write(&self, version: Version, out: &mut BytesMut) -> Result<usize, EncodeError> {
        let mut scratch = BytesMut::new();
        let mut writer = PropertyWriter::new(&mut scratch);
        let failed = |wanted: bool| {
            if wanted && version.is_v5() { Reason::UNSPECIFIED_ERROR } else { Reason::SUCCESS }
        };
        match self {
            Self::Connect(.., props) => {
                self.write_connect(version, fill(&mut writer, version, props).finish(), out)
            }
            Self::Connack(session_present, props) => {
                let properties = fill(&mut writer, version, props).finish();
                let connack =
                    Connack { session_present: *session_present, code: Reason::SUCCESS, properties };
                encode::connack(out, version, &connack)
            }
            Self::Publish(dup, qos, retain, topic, id, props, payload) => {
                let above_0 = *qos != Qos::AtMostOnce;
                let head = PublishHead {
                    dup: *dup && above_0,
                    qos: *qos,
                    retain: *retain,
                    topic,
                    packet_id: above_0.then_some(*id),
                    properties: fill(&mut writer, version, props).finish(),
                    shared_properties_len: 0,
                };
                encode::publish(out, version, &head, payload)
            }
            Self::Ack(kind, id, fail, props) => {
                let fail = *fail && matches!(kind, AckKind::Puback | AckKind::Pubrec);
                let properties = fill(&mut writer, version, props).finish();
                encode::ack(out, version, *kind, &Ack { packet_id: *id, reason: failed(fail), properties })
            }
            Self::Subscribe(id, props, list) => {
                let list: Vec<_> =
                    list.iter().map(|(filter, bits)| subscription(version, filter, *bits)).collect();
                encode::subscribe(out, version, *id, fill(&mut writer, version, props).finish(), &list)
            }
            Self::Suback(id, props, codes) => {
                let properties = fill(&mut writer, version, props).finish();
                encode::suback(out, version, &Suback { packet_id: *id, properties, codes })
            }
            Self::Unsubscribe(id, props, filters) => {
                let filters: Vec<_> = filters.iter().map(String::as_str).collect();
                encode::unsubscribe(out, version, *id, fill(&mut writer, version, props).finish(), &filters)
            }
            Self::Unsuback(id, props, codes) => {
                let properties = fill(&mut writer, version, props).finish();
                encode::unsuback(out, version, &Unsuback { packet_id: *id, properties, codes })
            }
            Self::Ping(true) => Ok(encode::pingreq(out)),
            Self::Ping(false) => Ok(encode::pingresp(out)),
            Self::Disconnect(fail, props) => {
                let properties = fill(&mut writer, version, props).finish();
                encode::disconnect(out, version, &Disconnect { reason: failed(*fail), properties })
            }
            Self::Auth(props) => {
                writer.put(PropertyId::AuthenticationMethod, Value::Text("m"))?;
                let properties = fill(&mut writer, version, props).finish();
                encode::auth(out, &Auth { reason: Reason::CONTINUE_AUTHENTICATION, properties })
            }
        }
    }

    fn write_connect(
        &self,
        version: Version,
        properties: Properties<'_>,
        out: &mut BytesMut,
    ) -> Result<usize, EncodeError> {
        let Self::Connect(clean_start, keep_alive, client_id, will, user_name, password, _) = self else {
            unreachable!()
        };
        let mut scratch = BytesMut::new();
        let mut writer = PropertyWriter::new(&mut scratch);
        if let Some(will) = will {
            fill(&mut writer, version, &will.props);
        }
        let will = will.as_ref().map(|will| Will {
            qos: will.qos,
            retain: will.retain,
            topic: &will.topic,
            payload: &will.payload,
            properties: writer.finish(),
        });
        let connect = Connect {
            version,
            clean_start: *clean_start,
            keep_alive: *keep_alive,
            client_id,
            will,
            user_name: user_name.as_deref(),
            password: password.as_deref().filter(|_| version.is_v5() || user_name.is_some()),
            properties,
        };
        encode::connect(out, &connect)
    }
}

fn fill<'w, 'b>(
    writer: &'w mut PropertyWriter<'b>,
    version: Version,
    props: &Props,
) -> &'w mut PropertyWriter<'b> {
    for (id, value) in props.iter().filter(|_| version.is_v5()) {
        let value = match value {
            Owned::Byte(value) => Value::Byte(*value),
            Owned::U16(value) => Value::U16(*value),
            Owned::U32(value) => Value::U32(*value),
            Owned::VarInt(value) => Value::VarInt(*value),
            Owned::Text(value) => Value::Text(value),
            Owned::Binary(value) => Value::Binary(value),
            Owned::Pair(name, value) => Value::Pair(name, value),
        };
        writer.put(*id, value).unwrap();
    }
    writer
}

fn subscription(version: Version, filter: &str, bits: u8) -> Subscription<'_> {
    let bits = if version.is_v5() { bits } else { bits & 3 };
    Subscription { filter, options: SubscriptionOptions::from_bits(bits, version).unwrap() }
}

pub(crate) fn version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::V31), Just(Version::V311), Just(Version::V5)]
}

fn id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_map(|id| PacketId::new(id).unwrap())
}

fn qos() -> impl Strategy<Value = Qos> {
    (0..3u8).prop_map(|bits| Qos::from_bits(bits).unwrap())
}

fn text() -> impl Strategy<Value = String> {
    "[a-zé日/ ]{0,12}"
}

pub(crate) fn topic() -> impl Strategy<Value = String> {
    "[a-zé日/$]{1,30}"
}

pub(crate) fn filter() -> impl Strategy<Value = String> {
    "#|/?(\\+|[a-z日]{1,9})(/(\\+|[a-z日]{0,9})){0,2}(/#)?"
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..40), vec(any::<u8>(), 100..300)]
}

fn value(id: PropertyId) -> BoxedStrategy<Owned> {
    match id {
        PropertyId::ResponseTopic => topic().prop_map(Owned::Text).boxed(),
        _ => match id.kind() {
            PropertyType::Byte => (0..=1u8).prop_map(Owned::Byte).boxed(),
            PropertyType::U16 => (1..=u16::MAX).prop_map(Owned::U16).boxed(),
            PropertyType::U32 => (1..=u32::MAX).prop_map(Owned::U32).boxed(),
            PropertyType::VarInt => (1..=MAX_VAR_INT).prop_map(Owned::VarInt).boxed(),
            PropertyType::Text => text().prop_map(Owned::Text).boxed(),
            PropertyType::Binary => payload().prop_map(Owned::Binary).boxed(),
            PropertyType::Pair => (text(), text()).prop_map(|(name, value)| Owned::Pair(name, value)).boxed(),
        },
    }
}

/// Some of the given properties, each once, and up to two user properties.
fn props(ids: &[PropertyId]) -> impl Strategy<Value = Props> + use<> {
    let each: Vec<_> =
        ids.iter().map(|&id| option::of(value(id).prop_map(move |value| (id, value)))).collect();
    let user = vec(value(PropertyId::UserProperty).prop_map(|value| (PropertyId::UserProperty, value)), 0..3);
    (each, user).prop_map(|(each, user)| each.into_iter().flatten().chain(user).collect())
}

const MESSAGE: [PropertyId; 5] = [
    PropertyId::PayloadFormatIndicator,
    PropertyId::MessageExpiryInterval,
    PropertyId::ContentType,
    PropertyId::ResponseTopic,
    PropertyId::CorrelationData,
];
const REASON: [PropertyId; 1] = [PropertyId::ReasonString];

pub(crate) fn model() -> impl Strategy<Value = Model> {
    let kind = prop_oneof![
        Just(AckKind::Puback),
        Just(AckKind::Pubrec),
        Just(AckKind::Pubrel),
        Just(AckKind::Pubcomp)
    ];
    let publish = [&MESSAGE[..], &[PropertyId::TopicAlias]].concat();
    let bits = (0..3u8, any::<bool>(), any::<bool>(), 0..3u8)
        .prop_map(|(qos, nl, rap, rh)| qos | u8::from(nl) << 2 | u8::from(rap) << 3 | rh << 4);
    let disconnect =
        [PropertyId::ReasonString, PropertyId::ServerReference, PropertyId::SessionExpiryInterval];
    prop_oneof![
        connect(),
        connack(),
        (any::<bool>(), qos(), any::<bool>(), topic(), id(), props(&publish), payload())
            .prop_map(|(a, b, c, d, e, f, g)| Model::Publish(a, b, c, d, e, f, g)),
        (kind, id(), any::<bool>(), props(&REASON)).prop_map(|(a, b, c, d)| Model::Ack(a, b, c, d)),
        (id(), props(&[PropertyId::SubscriptionIdentifier]), vec((filter(), bits), 1..4))
            .prop_map(|(a, b, c)| Model::Subscribe(a, b, c)),
        (id(), props(&REASON), vec(prop_oneof![0..3u8, Just(0x80)], 1..5))
            .prop_map(|(a, b, c)| Model::Suback(a, b, c)),
        (id(), props(&[]), vec(filter(), 1..4)).prop_map(|(a, b, c)| Model::Unsubscribe(a, b, c)),
        (id(), props(&REASON), vec(prop_oneof![Just(0), Just(0x11)], 1..5))
            .prop_map(|(a, b, c)| Model::Unsuback(a, b, c)),
        any::<bool>().prop_map(Model::Ping),
        (any::<bool>(), props(&disconnect)).prop_map(|(a, b)| Model::Disconnect(a, b)),
        props(&[PropertyId::AuthenticationData, PropertyId::ReasonString]).prop_map(Model::Auth),
    ]
}

fn connect() -> impl Strategy<Value = Model> {
    let ids = [
        PropertyId::SessionExpiryInterval,
        PropertyId::ReceiveMaximum,
        PropertyId::MaximumPacketSize,
        PropertyId::TopicAliasMaximum,
        PropertyId::RequestResponseInformation,
        PropertyId::RequestProblemInformation,
        PropertyId::AuthenticationMethod,
    ];
    let will_ids = [&MESSAGE[..], &[PropertyId::WillDelayInterval]].concat();
    let will = (qos(), any::<bool>(), topic(), payload(), props(&will_ids))
        .prop_map(|(qos, retain, topic, payload, props)| WillModel { qos, retain, topic, payload, props });
    let login = (option::of(text()), option::of(payload()));
    (any::<bool>(), any::<u16>(), "[a-z日]{1,30}", option::of(will), login, props(&ids))
        .prop_map(|(a, b, c, d, (e, f), g)| Model::Connect(a, b, c, d, e, f, g))
}

fn connack() -> impl Strategy<Value = Model> {
    let ids = [
        PropertyId::SessionExpiryInterval,
        PropertyId::ReceiveMaximum,
        PropertyId::MaximumQos,
        PropertyId::RetainAvailable,
        PropertyId::MaximumPacketSize,
        PropertyId::AssignedClientIdentifier,
        PropertyId::TopicAliasMaximum,
        PropertyId::ReasonString,
        PropertyId::WildcardSubscriptionAvailable,
        PropertyId::SubscriptionIdentifiersAvailable,
        PropertyId::SharedSubscriptionAvailable,
        PropertyId::ServerKeepAlive,
        PropertyId::ResponseInformation,
        PropertyId::ServerReference,
    ];
    (any::<bool>(), props(&ids)).prop_map(|(session_present, props)| Model::Connack(session_present, props))
}
