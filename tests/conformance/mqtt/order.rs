//! The order of messages and of answers (4.6).

use super::{all, both, gets};

#[test]
fn mqtt5_4_6_0_1_what_comes_again_comes_in_its_order() {
    all("again", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.with(&scene.kept("c"));
        client.subscribe(&topic, 2);
        let mut publisher = scene.client("p");
        for n in 0..60 {
            publisher.publish(&topic, n.to_string(), n % 2 + 1);
        }
        let sent: Vec<_> = (0..60).map(|_| client.receive()).collect();
        drop(client);
        let mut client = scene.with(&scene.kept("c"));
        for (n, first) in sent.iter().enumerate() {
            let again = client.receive();
            assert_eq!((again.text(), again.id, again.dup), (n.to_string().as_str(), first.id, true));
        }
        client.disconnect();
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_4_6_0_2_and_3_publications_are_answered_in_their_order() {
    all("answers", |scene| {
        let mut client = scene.client("c");
        client.subscribe(&scene.topic("1"), 1);
        for (qos, kind) in [(1_u8, 4), (2, 5)] {
            let ids = [9_u16, 3, 700, 4, 1, 65_535, 2];
            let bytes: Vec<u8> = ids
                .iter()
                .flat_map(|id| {
                    let topic = scene.topic(&(id % 2).to_string());
                    client.publish_bytes(&topic, b"x", qos, false, *id, &[])
                })
                .collect();
            client.write(&bytes);
            for id in ids {
                assert_eq!(client.expect(kind).body[..2], id.to_be_bytes());
            }
            if qos == 2 {
                for id in ids {
                    client.acknowledge(6, id);
                }
                for id in ids {
                    assert_eq!(client.expect(7).body[..2], id.to_be_bytes());
                }
            }
        }
    });
}

#[test]
fn mqtt5_4_6_0_4_pubrels_come_in_the_order_of_the_pubrecs() {
    all("pubrels", |scene| {
        for options in [scene.clean("c"), scene.kept("c")] {
            let topic = scene.topic("t");
            let mut client = scene.with(&options);
            client.subscribe(&topic, 2);
            let mut publisher = scene.client("p");
            for _ in 0..5 {
                publisher.publish(&topic, "x", 2);
            }
            let ids: Vec<u16> = (0..5).map(|_| client.receive().id).collect();
            for at in [3, 0, 4, 2, 1] {
                client.acknowledge(5, ids[at]);
            }
            for at in [3, 0, 4, 2, 1] {
                assert_eq!(client.expect(6).body, ids[at].to_be_bytes());
                client.acknowledge(7, ids[at]);
            }
            client.disconnect();
        }
        scene.client("c").disconnect();
    });
}

#[test]
fn mqtt5_4_6_0_5_and_6_every_topic_is_ordered() {
    all("ordered", |scene| {
        let mut live = scene.client("live");
        live.subscribe(&scene.topic("#"), 2);
        let mut kept = scene.with(&scene.kept("kept"));
        kept.subscribe(&scene.topic("+/t"), 2);
        for qos in [0, 1, 2] {
            let mut publisher = scene.client("p");
            let topic = scene.topic(&format!("{qos}/t"));
            for n in 0..300 {
                publisher.send(&topic, n.to_string().as_bytes(), qos, false);
                if qos == 2 {
                    let pubrec = publisher.expect(5);
                    publisher.acknowledge(6, u16::from_be_bytes([pubrec.body[0], pubrec.body[1]]));
                    publisher.expect(7);
                }
            }
            for client in [&mut live, &mut kept] {
                for n in 0..300 {
                    assert_eq!(gets(client, &n.to_string()).topic, topic);
                }
            }
        }
        kept.disconnect();
        scene.client("kept").disconnect();
    });
}

#[test]
fn mqtt5_4_6_0_6_a_message_that_waited_comes_before_one_that_did_not() {
    both("waited", |scene| {
        let topic = scene.topic("t");
        let mut client = scene.with(&scene.kept("c"));
        client.subscribe(&topic, 1);
        client.disconnect();
        let mut publisher = scene.client("p");
        for n in 0..500 {
            publisher.publish(&topic, n.to_string(), 1);
        }
        let mut client = scene.with(&scene.kept("c"));
        for n in 500..600 {
            publisher.publish(&topic, n.to_string(), 1);
        }
        for n in 0..600 {
            gets(&mut client, &n.to_string());
        }
        scene.client("c").disconnect();
    });
}
