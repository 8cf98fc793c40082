//! The message expiry interval (3.3.2.3.3).

use super::bytes::{find, number};
use super::{Scene, code, five, gets, nothing_before};
use crate::support::mqtt::Publish;
use crate::support::{Mqtt, until};

const SECONDS: u8 = 0x02;

#[track_caller]
fn publish(client: &mut Mqtt, topic: &str, payload: &str, qos: u8, retain: bool, seconds: u8) {
    let id = u16::from(qos > 0) * 7_000;
    let properties = number(SECONDS, &[0, 0, 0, seconds]);
    let bytes = client.publish_bytes(topic, payload.as_bytes(), qos, retain, id, &properties);
    client.write(&bytes);
    client.finish(id, qos);
}

/// The retained message of a topic.
#[track_caller]
fn retained(scene: &Scene, topic: &str) -> Option<Publish> {
    let mut client = scene.client("reader");
    client.subscribe(topic, 0);
    client.ping();
    client.pop_held().map(|packet| client.decode(&packet))
}

fn seconds_left(publish: &Publish) -> u32 {
    let Some(value) = find(&publish.properties, SECONDS) else { panic!("no Message Expiry Interval") };
    u32::from_be_bytes(value.try_into().unwrap())
}

#[test]
fn mqtt5_3_3_2_5_what_has_expired_is_not_delivered() {
    five("expired", |scene| {
        let topic = scene.topic("t");
        let mut kept = scene.with(&scene.kept("kept"));
        kept.subscribe(&topic, 2);
        kept.disconnect();
        let mut publisher = scene.client("p");
        for qos in [1, 2] {
            publish(&mut publisher, &topic, "short", qos, false, 1);
        }
        publisher.publish(&topic, "for ever", 1);
        publish(&mut publisher, &topic, "retained", 1, true, 1);
        assert_eq!(retained(scene, &topic).unwrap().text(), "retained");
        until("the retained message expires", || retained(scene, &topic).is_none());
        let mut kept = scene.with(&scene.kept("kept"));
        gets(&mut kept, "for ever");
        nothing_before(&mut kept, &mut publisher, &topic);
    });
}

#[test]
fn mqtt5_3_3_2_6_the_interval_is_passed_on_less_the_time_waited() {
    five("less", |scene| {
        let topic = scene.topic("t");
        let mut live = scene.client("live");
        live.subscribe(&topic, 1);
        let mut kept = scene.with(&scene.kept("kept"));
        kept.subscribe(&topic, 1);
        kept.disconnect();
        let mut publisher = scene.client("p");
        for qos in [0, 1] {
            publish(&mut publisher, &topic, "x", qos, true, 100);
            assert!((98..=100).contains(&seconds_left(&gets(&mut live, "x"))));
        }
        until("a second passes", || seconds_left(&retained(scene, &topic).unwrap()) < 100);
        let mut kept = scene.with(&scene.kept("kept"));
        assert!((90..100).contains(&seconds_left(&gets(&mut kept, "x"))));
        publisher.send(&topic, b"", 0, true);
    });
}

#[test]
fn mqtt5_4_3_3_13_a_qos_2_flow_towards_the_broker_goes_on_over_its_expiry() {
    five("flow-in", |scene| {
        let mut publisher = scene.client("p");
        let bytes =
            publisher.publish_bytes(&scene.topic("t"), b"x", 2, false, 9, &number(SECONDS, &[0, 0, 0, 1]));
        publisher.write(&bytes);
        publisher.expect(5);
        pass(scene);
        publisher.acknowledge(6, 9);
        let pubcomp = publisher.expect(7);
        assert_eq!((&pubcomp.body[..2], code(&pubcomp, 2)), (&[0, 9][..], 0));
    });
}

#[test]
fn mqtt5_4_3_3_7_a_qos_2_flow_towards_the_client_goes_on_over_its_expiry() {
    five("flow-out", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.client("c");
        client.subscribe(&topic, 2);
        let mut publisher = scene.client("p");
        publish(&mut publisher, &topic, "x", 2, false, 1);
        let sent = client.receive();
        pass(scene);
        client.settle(&sent);
        nothing_before(&mut client, &mut publisher, &topic);
    });
}

#[test]
fn mqtt5_4_3_3_7_what_was_sent_is_sent_again_expired_or_not() {
    five("again", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.with(&scene.kept("c"));
        client.subscribe(&topic, 2);
        let mut publisher = scene.client("p");
        publish(&mut publisher, &topic, "x", 2, false, 1);
        let sent = client.receive();
        pass(scene);
        drop(client);
        let mut client = scene.with(&scene.kept("c"));
        let again = client.receive();
        assert_eq!((again.text(), again.id, again.dup), ("x", sent.id, true));
        client.settle(&again);
        nothing_before(&mut client, &mut publisher, &topic);
    });
}

/// Waits until a message of a second that is published now has expired.
#[track_caller]
fn pass(scene: &Scene) {
    let timer = scene.topic("timer");
    publish(&mut scene.client("timer"), &timer, "timer", 1, true, 1);
    until("a second passes", || retained(scene, &timer).is_none());
}
