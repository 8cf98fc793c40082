//! `$SYS`: what the broker says of itself.

use super::*;
use crate::broker::System;

fn broker() -> TestBroker {
    let on = TestBroker::new();
    let memory = || (1_000, 2_000);
    on.broker.publish_statistics(System { interval: Millis(10_000), version: "test version 1", memory });
    on
}

fn value<'a>(published: &'a [Publish<'_>], topic: &str) -> &'a str {
    let found = published.iter().find(|publish| publish.topic == format!("$SYS/broker/{topic}"));
    std::str::from_utf8(found.unwrap_or_else(|| panic!("no {topic}")).payload).unwrap()
}

#[test]
fn a_subscriber_gets_all_values_at_once_and_then_what_changes() {
    let on = broker();
    let mut client = Client::connect(&on, "a", true);
    let out = client.subscribe(&on, "$SYS/#", Qos::AtLeastOnce);
    let published = client.published(&out);
    assert!(published.iter().all(|publish| publish.retain && publish.qos == Qos::AtLeastOnce));
    assert_eq!(value(&published, "version"), "test version 1");
    assert_eq!(value(&published, "uptime"), "0 seconds");
    assert_eq!(value(&published, "clients/connected"), "1");
    assert_eq!(value(&published, "subscriptions/count"), "1");
    assert_eq!(value(&published, "heap/maximum"), "2000");
    assert_eq!(value(&published, "retained messages/count"), "0");
    assert_eq!(value(&published, "load/publish/received/5min"), "0.00");

    client.publish(&on, "x", Qos::AtLeastOnce, true, 7, "hello");
    on.advance(Millis(10_000));
    let out = client.inner.wait(&on, |out| out.windows(4).any(|part| part == b"10 s"));
    let published = client.published(&out);
    assert!(published.iter().all(|publish| !publish.retain), "what changes is live");
    assert!(published.iter().all(|publish| publish.topic != "$SYS/broker/version"), "it has not changed");
    assert_eq!(value(&published, "uptime"), "10 seconds");
    assert_eq!(value(&published, "retained messages/count"), "1");
    assert_eq!(value(&published, "publish/messages/received"), "1");
    assert_eq!(value(&published, "publish/bytes/received"), "5");
    assert_eq!(value(&published, "load/publish/received/1min"), "0.92");
}

#[test]
fn whoever_comes_later_gets_what_holds_then() {
    let on = broker();
    let _here = Client::connect(&on, "a", true);
    let mut kept = Client::connect(&on, "b", false);
    kept.subscribe(&on, "y", Qos::AtLeastOnce);
    kept.lose();
    on.advance(Millis(60_000));
    // Until the broker has taken its sample the values are those of the interval before.
    let mut late = Client::connect(&on, "c", true);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let out = late.subscribe(&on, "$SYS/broker/clients/+", Qos::AtMostOnce);
        let published = late.published(&out);
        assert_eq!(value(&published, "clients/maximum"), "3");
        if value(&published, "clients/disconnected") == "1" {
            assert_eq!(value(&published, "clients/connected"), "2");
            assert_eq!(value(&published, "clients/total"), "3");
            break;
        }
        assert!(std::time::Instant::now() < deadline);
    }
}

#[test]
fn they_are_no_topics_of_the_clients() {
    let on = broker();
    for version in [Version::V311, Version::V5] {
        let (mut client, _) = Client::connect_as(&on, version, "a", true);
        for filter in ["#", "+/broker/uptime"] {
            let out = client.subscribe(&on, filter, Qos::AtMostOnce);
            assert!(client.published(&out).is_empty(), "{filter}");
        }
        let out = client.subscribe(&on, "$share/g/$SYS/#", Qos::AtMostOnce);
        let packets = client.all(&out);
        let Packet::Suback(suback) = &packets[0] else { panic!("{packets:?}") };
        assert_eq!(suback.codes, [if version.is_v5() { 0x9E } else { 0x80 }]);
        client.publish(&on, "$SYS/broker/uptime", Qos::AtLeastOnce, true, 4, "99 seconds");
        let out = client.subscribe(&on, "$SYS/broker/uptime", Qos::AtMostOnce);
        assert_eq!(value(&client.published(&out), "uptime"), "0 seconds");
        client.lose();
    }
}

#[test]
fn a_session_that_is_away_collects_nothing_of_them() {
    let on = broker();
    let mut client = Client::connect(&on, "a", false);
    let out = client.subscribe(&on, "$SYS/broker/uptime", Qos::ExactlyOnce);
    assert_eq!(client.published(&out).len(), 1);
    client.lose();
    on.advance(Millis(20_000));
    let mut client = Client::connect(&on, "a", false);
    assert!(client.published(&client.early.clone()).is_empty());
    on.advance(Millis(10_000));
    let out = client.inner.wait(&on, |out| out.windows(7).any(|part| part == b"seconds"));
    assert_eq!(client.published(&out)[0].qos, Qos::ExactlyOnce);
    let stored: u64 = on.broker.queues().all().iter().map(|cell| cell.lock().queue().stats().stored()).sum();
    assert_eq!(stored, 0);
}
