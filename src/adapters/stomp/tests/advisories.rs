//! What the broker tells, as clients of STOMP and MQTT get it and as they are told of.

use std::sync::Arc;

use super::crossing::{mqtt, subscribe};
use super::*;
use crate::adapters::openwire::{OpenWireOptions, OpenWireVoice};

/// A broker that tells what happens.
fn telling() -> Bench {
    let bench = Bench::new();
    bench.0.broker.set_voice(Arc::new(OpenWireVoice::new(Arc::new(OpenWireOptions::default()))));
    bench
}

/// What each message says in short: its topic, its count and what it is.
fn short(got: &Got) -> (String, String, String) {
    let get = |name| got.get(name).unwrap_or_default();
    let topic = get("destination").strip_prefix("/topic/ActiveMQ.Advisory.").unwrap().to_owned();
    let count = get("consumerCount").to_owned();
    let payload: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
    (topic, count, payload.as_object().unwrap().keys().next().unwrap().clone())
}

fn told(client: &mut Client<'_>) -> Vec<(String, String, String)> {
    client.frames().iter().map(short).collect()
}

fn line(topic: &str, count: u32, what: &str) -> (String, String, String) {
    (topic.to_owned(), count.to_string(), what.to_owned())
}

#[test]
fn stomp_clients_get_headers_and_json() {
    let bench = telling();
    let mut listener = bench.stomp(Version::V1_2);
    listener.subscribe("1", "/topic/ActiveMQ.Advisory.Consumer.>", "");
    let mut other = bench.stomp(Version::V1_2);
    other.subscribe("7", "/queue/orders", "selector:color = 'red'\n");
    let got = listener.frames().remove(0);
    assert_eq!(got.get("destination"), Some("/topic/ActiveMQ.Advisory.Consumer.Queue.orders"));
    assert_eq!((got.get("type"), got.get("consumerCount")), (Some("Advisory"), Some("1")));
    assert_eq!((got.get("originBrokerName"), got.get("content-length")), (Some("wharfmq"), None));
    let payload: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
    let info = &payload["ConsumerInfo"];
    assert_eq!(info["selector"], "color = 'red'");
    assert_eq!(info["destination"]["string"], "orders");
    assert_eq!(info["consumerId"]["connectionId"], "ID:wharfmq-2:1");
    drop(other);
}

#[test]
fn stomp_clients_are_told_of() {
    let bench = telling();
    let mut listener = bench.stomp(Version::V1_2);
    listener.subscribe("1", "/topic/ActiveMQ.Advisory.Consumer.>", "");
    let mut other = bench.stomp_as("CONNECT\naccept-version:1.2\nhost:h\nclient-id:me\n\n\0");
    other.subscribe("1", "/queue/a,/topic/b", "");
    other.subscribe("2", "/topic/c.*", "activemq.subscriptionName:kept\n");
    other.say("UNSUBSCRIBE\nid:1\n\n\0");
    other.hang_up();
    let (queue, topic, pattern) = ("Consumer.Queue.a", "Consumer.Topic.b", "Consumer.Topic.c.*");
    let mut all = told(&mut listener);
    all.sort();
    let mut expected = Vec::new();
    for topic in [queue, topic] {
        expected.extend([line(topic, 0, "RemoveInfo"), line(topic, 1, "ConsumerInfo")]);
    }
    // The subscription stays when its client has gone.
    expected.extend([line(pattern, 1, "ConsumerInfo"), line(pattern, 1, "RemoveInfo")]);
    assert_eq!(all, expected);
}

#[test]
fn mqtt_subscriptions_are_told_once_each() {
    let bench = telling();
    let mut listener = bench.stomp(Version::V1_2);
    listener.subscribe("1", "/topic/ActiveMQ.Advisory.Consumer.>", "");
    let mut client = mqtt(&bench, 5);
    subscribe(&mut client, true, "plant/line1");
    let on = "Consumer.Topic.plant.line1";
    assert_eq!(told(&mut listener), [line(on, 1, "ConsumerInfo")]);
    subscribe(&mut client, true, "plant/line1");
    let replaced = [line(on, 0, "RemoveInfo"), line(on, 1, "ConsumerInfo")];
    assert_eq!(told(&mut listener), replaced, "a new one under the same filter");
    subscribe(&mut client, true, "other/+");
    assert_eq!(told(&mut listener), [line("Consumer.Topic.other.*", 1, "ConsumerInfo")]);
    client.hang_up();
    let mut gone = told(&mut listener);
    gone.sort();
    let expected = [line("Consumer.Topic.other.*", 0, "RemoveInfo"), line(on, 0, "RemoveInfo")];
    assert_eq!(gone, expected);
}

#[test]
fn mqtt_clients_listen_too_but_not_by_chance() {
    let bench = telling();
    let (mut new, mut all) = (mqtt(&bench, 5), mqtt(&bench, 4));
    subscribe(&mut new, true, "ActiveMQ/Advisory/Queue");
    subscribe(&mut all, false, "#");
    bench.stomp(Version::V1_2).send("/queue/orders", "", "m");
    let heard = String::from_utf8_lossy(&new.take()).into_owned();
    assert!(heard.contains(r#""string":"orders""#) && heard.contains("originBrokerName"), "{heard}");
    assert!(all.take().is_empty());
    new.say(b"\x30\x19\x00\x17ActiveMQ/Advisory/Queue");
    assert!(all.take().is_empty(), "only the broker publishes there");
}
