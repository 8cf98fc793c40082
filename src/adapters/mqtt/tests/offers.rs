//! What CONNACK says.

use wharfmq_mqtt::{PropertyId, Value};

use super::kit::{Knock, block};
use super::*;

/// CONNACK: its code and its properties, in order.
fn connack<'a>(client: &Client, out: &'a [u8]) -> (Reason, Vec<(PropertyId, Value<'a>)>) {
    let Packet::Connack(Connack { code, properties, .. }) = client.all(out)[0] else { panic!("{out:?}") };
    (code, properties.iter().collect())
}

fn silent() -> MqttOptions {
    MqttOptions {
        receive_maximum: u16::MAX,
        max_packet: u32::MAX,
        topic_aliases: 0,
        ..MqttOptions::default()
    }
}

#[test]
fn bounds_are_told_where_they_say_something() {
    let on = TestBroker::new();
    let (client, out) = Knock::default().knock(&on);
    let expected = [
        (PropertyId::ReceiveMaximum, Value::U16(1_000)),
        (PropertyId::MaximumPacketSize, Value::U32(16 << 20)),
        (PropertyId::TopicAliasMaximum, Value::U16(64)),
    ];
    assert_eq!(connack(&client, &out), (Reason::SUCCESS, expected.to_vec()));
    let (client, out) = Knock { options: silent(), id: "d", ..Knock::default() }.knock(&on);
    assert_eq!(connack(&client, &out), (Reason::SUCCESS, Vec::new()));
    let (_, out) = Knock { version: Version::V311, id: "e", ..Knock::default() }.knock(&on);
    assert_eq!(out, [0x20, 2, 0, 0]);
}

#[test]
fn a_client_without_an_id_is_told_the_one_it_got() {
    let on = TestBroker::new();
    let (client, out) = Knock { options: silent(), id: "", ..Knock::default() }.knock(&on);
    let (_, properties) = connack(&client, &out);
    assert!(
        matches!(properties[..], [(PropertyId::AssignedClientIdentifier, Value::Text(id))] if !id.is_empty())
    );
}

#[test]
fn keep_alives_have_a_longest() {
    for (version, asked, told, deadline) in [
        (Version::V5, 60, None, 90_000),
        (Version::V5, 61, Some(60), 90_000),
        (Version::V5, 0, Some(60), 90_000),
        (Version::V311, 0, None, 90_000),
        (Version::V311, 600, None, 90_000),
        (Version::V31, 20, None, 30_000),
    ] {
        let on = TestBroker::new();
        let options = MqttOptions { max_keep_alive: Some(60), ..silent() };
        let (client, out) = Knock { options, version, keep_alive: asked, ..Knock::default() }.knock(&on);
        let told: Vec<_> =
            told.map(|told| (PropertyId::ServerKeepAlive, Value::U16(told))).into_iter().collect();
        assert_eq!(connack(&client, &out), (Reason::SUCCESS, told));
        assert_eq!(client.inner.session.deadline(), Some(Millis(deadline)));
    }
}

#[test]
fn where_to_expect_answers_is_told_to_who_asks() {
    let asked = [(PropertyId::RequestResponseInformation, Value::Byte(1))];
    for (id, template, properties, told) in [
        ("a", "response/%c", &asked[..], Some("response/a")),
        ("a/#", "response/%c", &asked, Some("response/a__")),
        ("a", "response/%c", &[], None),
        ("a", "", &asked, None),
        ("a", "response/%c", &[(PropertyId::RequestResponseInformation, Value::Byte(0))], None),
    ] {
        let on = TestBroker::new();
        let options = MqttOptions { response_topic: template.into(), ..silent() };
        let (client, out) = Knock { options, id, properties, ..Knock::default() }.knock(&on);
        let told: Vec<_> =
            told.map(|told| (PropertyId::ResponseInformation, Value::Text(told))).into_iter().collect();
        assert_eq!(connack(&client, &out), (Reason::SUCCESS, told));
    }
}

#[test]
fn connack_is_never_larger_than_the_client_takes() {
    // Five bytes, and three for the receive maximum; the response information takes twelve more.
    for (most, code, len) in [
        (20, Reason::SUCCESS, 20),
        (19, Reason::SUCCESS, 8),
        (8, Reason::SUCCESS, 8),
        (7, Reason::PACKET_TOO_LARGE, 5),
    ] {
        let on = TestBroker::new();
        let properties = [
            (PropertyId::RequestResponseInformation, Value::Byte(1)),
            (PropertyId::MaximumPacketSize, Value::U32(most)),
        ];
        let options = MqttOptions { receive_maximum: 5, response_topic: "response/".into(), ..silent() };
        let (client, out) = Knock { options, properties: &properties, ..Knock::default() }.knock(&on);
        assert_eq!((connack(&client, &out).0, out.len()), (code, len));
        assert_eq!(client.inner.closed.is_some(), code.is_error());
    }
}

#[test]
fn a_refusal_says_why() {
    let on = TestBroker::new();
    let id = "x".repeat(2_000);
    let (client, out) = Knock { id: &id, ..Knock::default() }.knock(&on);
    let expected = (PropertyId::ReasonString, Value::Text("the client id has more than 1024 bytes"));
    assert_eq!(connack(&client, &out), (Reason::CLIENT_IDENTIFIER_NOT_VALID, vec![expected]));
    // A reserved flag: the words come from the codec, with the clause.
    let mut client = on.client(MqttSession::new(options()));
    let out = client.send(&on, &[0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 5, 3, 0, 0, 0, 0, 1, b'a']);
    assert_eq!(out[..2], [0x20, out.len() as u8 - 2]);
    assert!(String::from_utf8_lossy(&out).contains("[MQTT-3.1.2-3]"), "{out:?}");
    // MQTT 3 has a code for this, and none for a topic of too many levels.
    let (_, out) = Knock { id: &id, version: Version::V311, ..Knock::default() }.knock(&on);
    assert_eq!(out, [0x20, 2, 0, 2]);
    let topic = "x/".repeat(200);
    let will = wharfmq_mqtt::Will {
        qos: Qos::AtMostOnce,
        retain: false,
        topic: &topic,
        payload: b"",
        properties: Properties::EMPTY,
    };
    let (client, out) = Knock { will: Some(will), version: Version::V311, ..Knock::default() }.knock(&on);
    assert!(out.is_empty() && client.inner.closed.is_some());
    let (client, out) = Knock { will: Some(will), ..Knock::default() }.knock(&on);
    assert_eq!(connack(&client, &out).0, Reason::TOPIC_NAME_INVALID);
}

#[test]
fn a_will_that_says_it_is_text_and_is_not_is_refused() {
    let on = TestBroker::new();
    let properties = block(&[(PropertyId::PayloadFormatIndicator, Value::Byte(1))]);
    for (checks, payload, code) in [
        (true, &b"\xff"[..], Reason::PAYLOAD_FORMAT_INVALID),
        (true, b"text", Reason::SUCCESS),
        (false, b"\xff", Reason::SUCCESS),
    ] {
        let will = wharfmq_mqtt::Will {
            qos: Qos::AtMostOnce,
            retain: false,
            topic: "w",
            payload,
            properties: Properties::from_raw(&properties),
        };
        let options = MqttOptions { check_payload_format: checks, ..silent() };
        let (mut client, out) = Knock { options, will: Some(will), ..Knock::default() }.knock(&on);
        assert_eq!(connack(&client, &out).0, code);
        client.inner.close(Closed::Lost);
    }
}
