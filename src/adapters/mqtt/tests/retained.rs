//! Many retained messages, and readers of every speed.

use super::*;

/// Retains `count` messages below `r/`.
fn retain(on: &TestBroker, count: usize) {
    let mut publisher = Client::connect(on, "publisher", true);
    for n in 0..count {
        publisher.publish(on, &format!("r/{n}"), Qos::AtMostOnce, true, 0, "0123456789");
    }
}

#[test]
fn many_come_in_turns_and_each_once() {
    let on = TestBroker::new();
    retain(&on, 5_000);
    let mut reader = Client::connect(&on, "reader", true);
    let mut out = reader.subscribe(&on, "r/+", Qos::AtMostOnce);
    let first = reader.published(&out).len();
    out.extend(reader.turn(&on));
    let published = reader.published(&out);
    let topics: std::collections::HashSet<_> = published.iter().map(|publish| publish.topic).collect();
    assert_eq!((published.len(), topics.len()), (5_000, 5_000));
    assert!(published.iter().all(|publish| publish.retain));
    assert!(first <= 5_000);
}

#[test]
fn a_full_window_holds_them_back() {
    let on = TestBroker::new();
    let mut publisher = Client::connect(&on, "publisher", true);
    for n in 0..1_500_u16 {
        publisher.publish(&on, &format!("r/{n}"), Qos::AtLeastOnce, true, n + 1, "x");
    }
    let mut reader = Client::connect(&on, "reader", true);
    let mut out = reader.subscribe(&on, "r/#", Qos::AtLeastOnce);
    out.extend(reader.turn(&on));
    let ids: Vec<_> = reader.published(&out).iter().map(|publish| publish.packet_id.unwrap()).collect();
    assert_eq!(ids.len(), 1_000);
    // While they wait another value comes, which must not be followed by an older one.
    publisher.publish(&on, "r/1", Qos::AtMostOnce, true, 0, "newer");
    let mut rest = Vec::new();
    for id in ids {
        rest.extend(reader.ack(&on, AckKind::Puback, id));
    }
    rest.extend(reader.turn(&on));
    let published = reader.published(&rest);
    assert_eq!(published.iter().filter(|publish| publish.retain).count(), 500);
    assert_eq!(published.iter().rfind(|publish| publish.topic == "r/1").unwrap().payload, b"newer");
}

#[test]
fn what_is_unsubscribed_comes_no_more() {
    let on = TestBroker::new();
    let mut publisher = Client::connect(&on, "publisher", true);
    for n in 0..1_500_u16 {
        publisher.publish(&on, &format!("r/{n}"), Qos::AtLeastOnce, true, n + 1, "x");
    }
    let mut reader = Client::connect(&on, "reader", true);
    let mut out = reader.subscribe(&on, "r/#", Qos::AtLeastOnce);
    out.extend(reader.turn(&on));
    let mut bytes = BytesMut::new();
    encode::unsubscribe(&mut bytes, reader.version, PacketId::new(5).unwrap(), Properties::EMPTY, &["r/#"])
        .unwrap();
    reader.inner.send(&on, &bytes);
    let ids: Vec<_> = reader.published(&out).iter().map(|publish| publish.packet_id.unwrap()).collect();
    let mut rest = Vec::new();
    for id in ids {
        rest.extend(reader.ack(&on, AckKind::Puback, id));
    }
    assert!(reader.published(&rest).is_empty());
}

#[test]
fn what_has_expired_is_swept() {
    let on = TestBroker::new();
    let (mut publisher, _) = Client::connect_as(&on, Version::V5, "publisher", true);
    let head = encode::PublishHead {
        dup: false,
        qos: Qos::AtMostOnce,
        retain: true,
        topic: "r/short",
        packet_id: None,
        properties: Properties::from_raw(&[0x02, 0, 0, 0, 5]),
        shared_properties_len: 0,
    };
    let mut bytes = BytesMut::new();
    encode::publish(&mut bytes, Version::V5, &head, b"x").unwrap();
    publisher.inner.send(&on, &bytes);
    publisher.publish(&on, "r/long", Qos::AtMostOnce, true, 0, "x");
    on.advance(Millis(6_000));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while on.broker.counters().totals().retained_expired < 1 {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
    let out = publisher.subscribe(&on, "r/#", Qos::AtMostOnce);
    let topics: Vec<_> = publisher.published(&out).iter().map(|publish| publish.topic.to_owned()).collect();
    assert_eq!(topics, ["r/long"]);
}

#[test]
fn ten_thousand_filters_in_one_packet() {
    let on = TestBroker::new();
    retain(&on, 300);
    let mut client = Client::connect(&on, "a", true);
    let filters: Vec<String> = (0..10_000).map(|n| format!("r/{n}")).collect();
    let options = wharfmq_mqtt::SubscriptionOptions::from_qos(Qos::AtMostOnce);
    let subs: Vec<_> = filters.iter().map(|filter| sub((filter.as_str(), options))).collect();
    let mut bytes = BytesMut::new();
    encode::subscribe(&mut bytes, client.version, PacketId::new(1).unwrap(), Properties::EMPTY, &subs)
        .unwrap();
    let mut out = client.inner.send(&on, &bytes);
    out.extend(client.turn(&on));
    let packets = client.all(&out);
    let Packet::Suback(suback) = &packets[0] else { panic!("{:?}", packets[0]) };
    assert!(suback.codes.len() == 10_000 && suback.codes.iter().all(|code| *code == 0));
    assert_eq!(packets.len(), 301);
    let out = client.subscribe(&on, "one/more", Qos::AtMostOnce);
    let packets = client.all(&out);
    let Packet::Suback(suback) = &packets[0] else { panic!("{packets:?}") };
    assert_eq!(suback.codes, [0x80]);
}
