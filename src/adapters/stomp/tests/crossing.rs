//! STOMP and MQTT meet.

use super::*;
use crate::adapters::mqtt::{MqttOptions, MqttSession};

pub(super) fn mqtt(bench: &Bench, version: u8) -> Client<'_> {
    let options = std::sync::Arc::new(MqttOptions::default());
    let mut client = bench.client(MqttSession::new(options));
    let mut connect = vec![0x10, 0, 0, 4, b'M', b'Q', b'T', b'T', version, 2, 0, 0];
    if version == 5 {
        connect.push(0);
    }
    connect.extend_from_slice(&[0, 1, b'a' + version]);
    connect[1] = (connect.len() - 2) as u8;
    client.say(connect);
    assert_eq!(client.take()[0], 0x20);
    client
}

pub(super) fn subscribe(client: &mut Client<'_>, v5: bool, filter: &str) {
    let mut packet = vec![0x82, 0, 0, 1];
    if v5 {
        packet.push(0);
    }
    packet.extend_from_slice(&(filter.len() as u16).to_be_bytes());
    packet.extend_from_slice(filter.as_bytes());
    packet.push(1);
    packet[1] = (packet.len() - 2) as u8;
    client.say(packet);
    assert_eq!(client.take()[0], 0x90);
}

#[test]
fn from_mqtt_to_stomp() {
    let bench = Bench::new();
    let mut stomp = bench.stomp(Version::V1_2);
    stomp.subscribe("1", "/topic/plant.line1.temp", "");
    let mut old = mqtt(&bench, 4);
    old.say(b"\x30\x13\x00\x10plant/line1/temp7");
    let got = stomp.frames().remove(0);
    assert_eq!((got.text(), got.get("destination")), ("7", Some("/topic/plant.line1.temp")));
    assert_eq!((got.get("content-length"), got.get("persistent")), (None, None), "it looks like text");
    let mut new = mqtt(&bench, 5);
    new.say(b"\x32\x27\x00\x10plant/line1/temp\x00\x01\x0f\x26\x00\x04unit\x00\x01K\x09\x00\x02\xff\x00\x00\x01\xff");
    let got = stomp.frames().remove(0);
    assert_eq!((&*got.body, got.get("content-length")), (&b"\x00\x01\xff"[..], Some("3")));
    assert_eq!((got.get("unit"), got.get("correlation-id")), (Some("K"), Some("hex:ff00")));
    assert_eq!(got.get("persistent"), Some("true"));
}

#[test]
fn from_stomp_to_mqtt() {
    let bench = Bench::new();
    let mut old = mqtt(&bench, 4);
    let mut new = mqtt(&bench, 5);
    subscribe(&mut old, false, "plant/+/temp");
    subscribe(&mut new, true, "plant/#");
    let mut stomp = bench.stomp(Version::V1_1);
    stomp.send("/topic/plant.line1.temp", "unit:\\cK\nreply-to:/topic/a.b\nreceipt:1\n", "7");
    assert_eq!(stomp.frames().len(), 1);
    assert_eq!(old.take(), b"\x30\x13\x00\x10plant/line1/temp7");
    let properties = b"\x01\x01\x26\x00\x04unit\x00\x02:K\x08\x00\x03a/b";
    let mut expected = vec![0x30, (2 + 16 + 1 + properties.len() + 1) as u8, 0, 16];
    expected.extend_from_slice(b"plant/line1/temp");
    expected.push(properties.len() as u8);
    expected.extend_from_slice(properties);
    expected.push(b'7');
    assert_eq!(new.take(), expected);
}

#[test]
fn a_comma_in_a_topic_of_mqtt_is_a_comma() {
    let bench = Bench::new();
    let mut stomp = bench.stomp(Version::V1_2);
    stomp.subscribe("a", "/topic/a", "");
    stomp.subscribe("b", "/topic/b", "");
    stomp.subscribe("all", "/topic/*", "");
    let mut mqtt = mqtt(&bench, 4);
    subscribe(&mut mqtt, false, "a,b");
    mqtt.say(b"\x30\x06\x00\x03a,b7");
    assert_eq!(mqtt.take(), b"\x30\x06\x00\x03a,b7");
    let got = stomp.frames();
    assert_eq!((got.len(), got[0].get("subscription")), (1, Some("all")));
    assert_eq!(got[0].get("destination"), Some("/topic/a,b"));
    let mut again = bench.stomp(Version::V1_2);
    again.send("/topic/a,/topic/b", "", "8");
    assert!(mqtt.take().is_empty());
    assert_eq!(stomp.frames().len(), 4, "to a and to b, each of which `*` matches too");
}

#[test]
fn mqtt_answers_to_a_temporary_topic_and_reads_none() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/temp-topic/answers", "");
    let mut server = mqtt(&bench, 5);
    subscribe(&mut server, true, "requests");
    client.send("/topic/requests", "reply-to:/temp-topic/answers\n", "?");
    let request = server.take();
    let topic = "$temp/1/f4240/answers";
    let at = request.windows(topic.len()).position(|bytes| bytes == topic.as_bytes());
    assert_eq!(request[at.unwrap() - 3..at.unwrap()], [8, 0, topic.len() as u8], "the response topic");
    for filter in [topic, "$temp/#", "$temp/+/f4240/answers", "$share/g/$temp/#"] {
        let mut packet = vec![0x82, 0, 0, 1, 0];
        packet.extend_from_slice(&(filter.len() as u16).to_be_bytes());
        packet.extend_from_slice(filter.as_bytes());
        packet.push(1);
        packet[1] = (packet.len() - 2) as u8;
        server.say(packet);
        assert_eq!(server.take().last(), Some(&0x87), "{filter}");
    }
    let mut publish = vec![0x31, 0, 0, topic.len() as u8];
    publish.extend_from_slice(topic.as_bytes());
    publish.extend_from_slice(b"\0!");
    publish[1] = (publish.len() - 2) as u8;
    server.say(&publish);
    let got = client.frames().remove(0);
    assert_eq!((got.text(), got.get("destination")), ("!", Some("/temp-topic/answers")));
    assert!(server.take().is_empty());
    client.hang_up();
    server.say(&publish);
    assert!(server.take().is_empty() && server.closed().is_none(), "to nobody");
    let kept = bench.0.broker.queues().len();
    assert_eq!(kept, 0, "and nothing is left of it");
}
