//! UNSUBSCRIBE and UNSUBACK (3.10, 3.11).

use super::bytes::{subscribe, unsubscribe, with_block};
use super::{Scene, all, both, five, gets, nothing_before};
use crate::support::Mqtt;
use crate::support::mqtt::string;

/// Ends subscriptions; gives the codes, of which MQTT 3 has none.
#[track_caller]
fn end(scene: &Scene, client: &mut Mqtt, filters: &[&str]) -> Vec<u8> {
    client.write(&unsubscribe(scene.version, 0x1234, filters));
    let unsuback = client.expect(11);
    assert_eq!((unsuback.flags, &unsuback.body[..2]), (0, &[0x12, 0x34][..]));
    unsuback.body.get(3..).unwrap_or_default().to_vec()
}

#[test]
fn mqtt5_3_10_3_1_and_2_there_is_a_filter_and_it_is_text() {
    both("filters", |scene| {
        scene.is_refused("none", &with_block(scene.version, 0xA2, &[0, 1], &[]), 0x82);
        scene.is_refused("no text", &with_block(scene.version, 0xA2, &[0, 1], &[0, 1, 0xFF]), 0x81);
        let cut_off = [&string("a")[..], &[0, 2, b'b']].concat();
        scene.is_refused("cut off", &with_block(scene.version, 0xA2, &[0, 1], &cut_off), 0x81);
    });
}

#[test]
fn mqtt5_3_10_4_1_filters_are_compared_character_by_character() {
    all("compare", |scene| {
        let filters = ["a/b", "a/+", "a/#", "A/b", "a/b/", "/a/b"].map(|filter| scene.topic(filter));
        for options in [scene.clean("c"), scene.kept("c")] {
            let mut client = scene.with(&options);
            for filter in &filters {
                client.subscribe(filter, 1);
            }
            let mut publisher = scene.client("p");
            // A wildcard ends the subscription of that name, not what it matches.
            end(scene, &mut client, &[&filters[2]]);
            publisher.publish(&scene.topic("a/b"), "1", 1);
            gets(&mut client, "1");
            end(scene, &mut client, &[&filters[1]]);
            publisher.publish(&scene.topic("a/b"), "2", 1);
            gets(&mut client, "2");
            end(scene, &mut client, &[&filters[0]]);
            publisher.publish(&scene.topic("a/b"), "3", 1);
            for topic in ["A/b", "a/b/", "/a/b"] {
                publisher.publish(&scene.topic(topic), topic, 1);
                gets(&mut client, topic);
            }
            client.disconnect();
        }
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_3_10_4_2_after_it_nothing_new_is_added() {
    all("stop", |scene| {
        for options in [scene.clean("c"), scene.kept("c")] {
            let topic = scene.topic("t");
            let mut client = scene.with(&options);
            client.subscribe(&topic, 2);
            client.subscribe(&scene.topic("end"), 1);
            end(scene, &mut client, &[&topic]);
            let mut publisher = scene.client("p");
            for qos in [0, 1, 2] {
                publisher.publish(&topic, "x", qos);
            }
            nothing_before(&mut client, &mut publisher, &scene.topic("end"));
            client.disconnect();
            publisher.publish(&topic, "x", 1);
            let mut client = scene.with(&options);
            client.subscribe(&scene.topic("end"), 1);
            nothing_before(&mut client, &mut publisher, &scene.topic("end"));
            client.disconnect();
        }
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_3_10_4_3_what_was_begun_is_completed() {
    all("complete", |scene| {
        for options in [scene.clean("c"), scene.kept("c")] {
            let topic = scene.topic("t");
            let mut client = scene.with(&options);
            client.subscribe(&topic, 2);
            client.publish(&topic, "1", 1);
            client.publish(&topic, "2", 2);
            let open = [client.receive(), client.receive()];
            end(scene, &mut client, &[&topic]);
            for publish in &open {
                client.settle(publish);
            }
            client.ping();
            client.disconnect();
        }
        // Also over a reconnect.
        let topic = scene.topic("t");
        let mut client = scene.with(&scene.kept("c"));
        client.subscribe(&topic, 2);
        client.publish(&topic, "1", 1);
        client.publish(&topic, "2", 2);
        let open = [client.receive(), client.receive()];
        end(scene, &mut client, &[&topic]);
        drop(client);
        let mut client = scene.with(&scene.kept("c"));
        for publish in &open {
            let again = client.receive();
            assert_eq!((again.text(), again.id, again.dup), (publish.text(), publish.id, true));
            client.settle(&again);
        }
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_3_10_4_4_and_5_it_is_answered_also_where_nothing_ends() {
    all("answer", |scene| {
        let mut client = scene.client("c");
        let codes = end(scene, &mut client, &[&scene.topic("never")]);
        assert_eq!(codes, if scene.is_v5() { vec![0x11] } else { vec![] });
    });
}

#[test]
fn mqtt5_3_10_4_6_and_3_11_3_1_several_filters_have_one_answer_in_order() {
    all("several", |scene| {
        let (a, b, c) = (scene.topic("a"), scene.topic("b"), scene.topic("+/c"));
        let mut client = scene.client("c");
        client.write(&subscribe(scene.version, 1, &[], &[(&a, 0), (&c, 1)]));
        client.expect(9);
        let codes = end(scene, &mut client, &[&a, &b, &c, &a]);
        assert_eq!(codes, if scene.is_v5() { vec![0, 0x11, 0, 0x11] } else { vec![] });
        client.ping();
        assert_eq!(client.pop_held(), None);
    });
}

#[test]
fn mqtt5_3_11_3_2_every_code_is_one_of_unsuback() {
    five("codes", |scene| {
        let shared = format!("$share/g/{}", scene.topic("t"));
        let mut client = scene.client("c");
        client.write(&subscribe(scene.version, 1, &[], &[(&shared, 1)]));
        assert_eq!(client.expect(9).body[3], 1);
        // The filter of a shared subscription is all of it.
        assert_eq!(end(scene, &mut client, &[&scene.topic("t"), &shared, &shared]), [0x11, 0, 0x11]);
    });
}
