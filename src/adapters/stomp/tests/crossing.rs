//! STOMP and MQTT meet.

use super::*;
use crate::adapters::mqtt::{MqttOptions, MqttSession};

fn mqtt(bench: &Bench, version: u8) -> Client<'_> {
    let options = MqttOptions { max_packet: 1 << 20, max_packet_before_login: 1 << 16 };
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

fn subscribe(client: &mut Client<'_>, v5: bool, filter: &str) {
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
