//! Shared subscriptions (4.8.2).

use super::bytes::{ack, subscribe};
use super::{Scene, both, code, five, gets, nothing_before};
use crate::support::wait::QUIET;
use crate::support::{Mqtt, PATIENCE};

fn shared(scene: &Scene, filter: &str) -> String {
    format!("$share/group/{}", scene.topic(filter))
}

/// The one of two clients that a message comes to, and the message.
#[track_caller]
fn taker<'a>(a: &'a mut Mqtt, b: &'a mut Mqtt) -> (&'a mut Mqtt, &'a mut Mqtt, super::Publish) {
    crate::support::until("the message comes", || {
        a.ping();
        b.ping();
        a.has_held() || b.has_held()
    });
    let (taker, other) = if a.has_held() { (a, b) } else { (b, a) };
    let publish = taker.receive();
    (taker, other, publish)
}

#[test]
fn mqtt5_4_8_2_1_and_2_a_share_name_and_a_filter() {
    five("grammar", |scene| {
        for filter in
            ["$share//a", "$share/+/a", "$share/g#/a", "$share/", "$share/g", "$share/g/", "$share/g/a#"]
        {
            let mut client = scene.client("offender");
            client.write(&subscribe(scene.version, 1, &[], &[(filter, 0)]));
            // Whether in a SUBACK or at the end of the connection.
            let answer = client.next_within(PATIENCE).unwrap();
            assert!(matches!(answer.kind, 9 | 14), "{filter}: {answer:02x?}");
            let at = if answer.kind == 14 { 0 } else { answer.body.len() - 1 };
            assert_eq!(code(&answer, at), 0x8F, "{filter}");
        }
        let mut client = scene.client("c");
        for filter in ["$share/g/a/#", "$share/g//", "$share/$x/+", "$share/g/$y/z"] {
            assert_eq!(client.try_subscribe(filter, 1), 1, "{filter}");
        }
    });
}

#[test]
fn mqtt5_4_8_2_a_message_goes_to_one_member_of_each_group() {
    both("one", |scene| {
        let mut members: Vec<Mqtt> = ["a", "b", "c"].map(|part| scene.client(part)).into();
        for member in &mut members {
            assert_eq!(member.try_subscribe(&shared(scene, "#"), 1), 1);
        }
        let mut alone = scene.client("alone");
        alone.try_subscribe(&format!("$share/other/{}", scene.topic("+")), 1);
        let mut plain = scene.client("plain");
        plain.subscribe(&scene.topic("t"), 1);
        let mut publisher = scene.client("p");
        for n in 0..30 {
            publisher.publish(&scene.topic("t"), n.to_string(), 1);
            gets(&mut alone, &n.to_string());
            gets(&mut plain, &n.to_string());
        }
        let mut seen = Vec::new();
        crate::support::until("all have come", || {
            for member in &mut members {
                member.ping();
                while member.has_held() {
                    seen.push(member.take().text().parse::<u32>().unwrap());
                }
            }
            seen.len() >= 30
        });
        seen.sort_unstable();
        assert_eq!(seen, (0..30).collect::<Vec<_>>());
    });
}

#[test]
fn mqtt5_4_8_2_a_shared_subscription_is_sent_nothing_retained() {
    five("retained", |scene| {
        let mut client = scene.client("c");
        let id = client.send(&scene.topic("t"), b"kept", 1, true);
        client.finish(id, 1);
        client.try_subscribe(&shared(scene, "t"), 1);
        client.ping();
        assert_eq!(client.pop_held(), None);
        client.send(&scene.topic("t"), b"", 0, true);
    });
}

#[test]
fn mqtt5_4_8_2_3_the_granted_qos_of_the_member_counts() {
    five("granted", |scene| {
        for granted in [0, 1] {
            let mut client = scene.client("c");
            let filter = shared(scene, &granted.to_string());
            assert_eq!(client.try_subscribe(&filter, granted), granted);
            for qos in [0, 1, 2] {
                client.publish(&scene.topic(&granted.to_string()), "x", qos);
                assert_eq!(gets(&mut client, "x").qos, granted.min(qos));
            }
            client.disconnect();
        }
    });
}

#[test]
fn mqtt5_4_8_2_3_qos_2_is_respected_too() {
    five("granted-2", |scene| {
        let mut client = scene.with(&scene.kept("c"));
        let granted = client.try_subscribe(&shared(scene, "t"), 2);
        client.publish(&scene.topic("t"), "x", 2);
        assert_eq!(gets(&mut client, "x").qos, granted);
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_4_8_2_4_a_delivery_begun_is_completed_when_its_client_is_back() {
    five("completed", |scene| {
        let mut a = scene.with(&scene.kept("a"));
        let mut b = scene.with(&scene.kept("b"));
        for member in [&mut a, &mut b] {
            assert_eq!(member.try_subscribe(&shared(scene, "t"), 2), 2);
        }
        scene.client("p").publish(&scene.topic("t"), "begun", 2);
        let (taker, _, publish) = taker(&mut a, &mut b);
        taker.acknowledge(5, publish.id);
        taker.expect(6);
        drop((a, b));
        // PUBREL comes to the one, and nothing to the other.
        let mut back = [scene.with(&scene.kept("a")), scene.with(&scene.kept("b"))];
        let kinds: Vec<u8> =
            back.iter_mut().filter_map(|client| Some(client.next_within(QUIET)?.kind)).collect();
        assert_eq!(kinds, [6]);
    });
}

#[test]
fn mqtt5_4_8_2_5_a_qos_2_delivery_begun_goes_to_nobody_else() {
    five("nobody-else", |scene| {
        let mut a = scene.client("a");
        let mut b = scene.client("b");
        for member in [&mut a, &mut b] {
            assert_eq!(member.try_subscribe(&shared(scene, "t"), 2), 2);
        }
        let mut publisher = scene.client("p");
        publisher.publish(&scene.topic("t"), "begun", 2);
        let (taker, other, _) = taker(&mut a, &mut b);
        // Its session ends with the connection.
        taker.write(&[0xE0, 0]);
        assert!(taker.is_closed_within(PATIENCE));
        nothing_before(other, &mut publisher, &scene.topic("t"));
    });
}

#[test]
fn mqtt5_4_8_2_6_what_a_member_refuses_goes_to_nobody_else() {
    five("refused", |scene| {
        let mut a = scene.client("a");
        let mut b = scene.client("b");
        for member in [&mut a, &mut b] {
            assert_eq!(member.try_subscribe(&shared(scene, "t"), 1), 1);
        }
        let mut publisher = scene.client("p");
        publisher.publish(&scene.topic("t"), "refused", 1);
        let (taker, other, publish) = taker(&mut a, &mut b);
        taker.write(&ack(0x40, publish.id, 0x80));
        taker.ping();
        taker.write(&[0xE0, 0]);
        assert!(taker.is_closed_within(PATIENCE));
        nothing_before(other, &mut publisher, &scene.topic("t"));
    });
}
