//! How long sessions live, and how they pass from one connection to the next.

use wharfmq_core::record::Class;
use wharfmq_mqtt::PropertyId;

use super::wills::Coming;
use super::*;

fn capped(seconds: u64) -> Arc<MqttOptions> {
    Arc::new(MqttOptions { max_session_expiry: Some(Millis(seconds * 1_000)), ..MqttOptions::default() })
}

/// The session expiry interval that CONNACK tells, if it tells one.
fn told(coming: &Coming, on: &TestBroker) -> (Client, Option<u32>) {
    let (client, out) = coming.knock(on);
    let packets = client.all(&out);
    let Packet::Connack(Connack { properties, .. }) = packets[0] else { panic!("{out:?}") };
    let told = properties.u32(PropertyId::SessionExpiryInterval);
    drop(packets);
    (client, told)
}

fn exists(on: &TestBroker) -> bool {
    on.broker.queues().find(Class::Session, &"s".into()).is_some()
}

/// Lets time pass; the session must be there until the end of it and then go.
fn lives(on: &TestBroker, seconds: u64) {
    on.advance(Millis(seconds * 1_000 - 1));
    assert!(exists(on));
    on.advance(Millis(1));
    let start = std::time::Instant::now();
    while exists(on) {
        assert!(start.elapsed() < std::time::Duration::from_secs(10), "the session is still there");
        std::thread::yield_now();
    }
}

fn goodbye(client: &mut Client, on: &TestBroker, expiry: u32) {
    client.inner.send(on, &[&[0xE0, 7, 0, 5, 0x11][..], &expiry.to_be_bytes()].concat());
    let how = client.inner.closed.clone().unwrap();
    assert_eq!(how, Close::Clean);
    client.inner.close(Closed::Session(how));
}

#[test]
fn a_session_lives_as_long_as_it_asked_and_no_longer_than_allowed() {
    for (asked, cap, expected, lifetime) in [
        (100, None, None, 100),
        (100, Some(100), None, 100),
        (100, Some(60), Some(60), 60),
        (u32::MAX, Some(60), Some(60), 60),
        (30, Some(60), None, 30),
    ] {
        let on = TestBroker::new();
        let options = cap.map_or_else(options, capped);
        let (client, told) = told(&Coming { expiry: asked, options, ..Coming::new("s") }, &on);
        assert_eq!(told, expected, "{asked} of {cap:?}");
        client.lose();
        lives(&on, lifetime);
    }
}

#[test]
fn a_session_of_mqtt_3_is_capped_without_a_word() {
    let on = TestBroker::new();
    let coming = Coming { version: Version::V311, options: capped(60), ..Coming::new("s") };
    coming.connect(&on).0.lose();
    lives(&on, 60);
}

#[test]
fn where_no_session_may_stay_none_does() {
    let on = TestBroker::new();
    let coming = Coming { options: capped(0), ..Coming::new("s") };
    let (mut client, told) = told(&coming, &on);
    assert_eq!(told, Some(0));
    assert!(!exists(&on));
    // It did not ask for 0, so this is no error of its own.
    goodbye(&mut client, &on, 100);
    assert!(!exists(&on));
}

#[test]
fn a_goodbye_changes_the_life_within_what_is_allowed() {
    for (goodbye_expiry, lifetime) in [(5, 5), (60, 60), (u32::MAX, 60)] {
        let on = TestBroker::new();
        let coming = Coming { expiry: 30, options: capped(60), ..Coming::new("s") };
        goodbye(&mut coming.connect(&on).0, &on, goodbye_expiry);
        lives(&on, lifetime);
    }
    let on = TestBroker::new();
    goodbye(&mut Coming { expiry: 30, ..Coming::new("s") }.connect(&on).0, &on, u32::MAX);
    on.advance(Millis(u64::from(u32::MAX) * 2_000));
    assert!(Coming::new("s").connect(&on).1, "0xFFFFFFFF is for ever");
}

#[test]
fn who_comes_back_has_all_the_time_again() {
    let on = TestBroker::new();
    let coming = Coming { expiry: 60, ..Coming::new("s") };
    coming.connect(&on).0.lose();
    on.advance(Millis(59_000));
    let (mut client, present) = coming.connect(&on);
    assert!(present);
    on.advance(Millis(600_000));
    client.turn(&on);
    assert!(exists(&on), "a session does not expire while its client is there");
    client.lose();
    lives(&on, 60);
}

#[test]
fn a_client_that_does_not_read_loses_its_session_within_a_second() {
    let on = TestBroker::new();
    let coming = Coming::new("s");
    let (mut old, _) = coming.connect(&on);
    old.subscribe(&on, "t", Qos::AtLeastOnce);
    let (mut from, _) = Client::connect_as(&on, Version::V5, "from", true);
    from.publish(&on, "t", Qos::AtLeastOnce, false, 1, "one");
    // It is handed the message, and then never turns again.
    let out = old.turn(&on);
    assert_eq!(old.published(&out).len(), 1);
    let (mut new, out) = coming.knock(&on);
    assert!(out.is_empty());
    on.advance(Millis(1_000));
    let mut out = new.turn(&on);
    assert!(old.inner.port.is_expelled());
    out.extend(new.turn(&on));
    let connack = decode(&out, Version::V5, Limits::from_server(u32::MAX)).unwrap().unwrap().len;
    assert_eq!(new.published(&out[connack..])[0].payload, b"one");
    // What is left of the old one no longer has anything to do with the session.
    old.inner.close(Closed::Session(Close::Refused(String::new())));
    from.publish(&on, "t", Qos::AtLeastOnce, false, 2, "two");
    let out = new.turn(&on);
    assert_eq!(new.published(&out)[0].payload, b"two");
    on.advance(Millis(7_200_000));
    assert!(exists(&on), "the old connection's end began the session's time");
}

#[test]
fn two_clients_that_fight_over_an_id_lose_nothing() {
    let on = TestBroker::new();
    let coming = Coming::new("s");
    let (mut holder, _) = coming.connect(&on);
    holder.subscribe(&on, "t", Qos::AtLeastOnce);
    let (mut from, _) = Client::connect_as(&on, Version::V5, "from", true);
    for n in 0..50u16 {
        from.publish(&on, "t", Qos::AtLeastOnce, false, n + 1, &n.to_string());
        let (mut new, out) = coming.knock(&on);
        assert!(out.is_empty());
        from.publish(&on, "t", Qos::AtLeastOnce, false, n + 101, &(n + 100).to_string());
        let out = holder.turn(&on);
        assert!(taken_over(&out), "{out:?}");
        holder.inner.close(Closed::Session(holder.inner.closed.clone().unwrap()));
        let out = new.turn(&on);
        let connack = decode(&out, Version::V5, Limits::from_server(u32::MAX)).unwrap().unwrap().len;
        new.early = out[connack..].to_vec();
        holder = new;
    }
    let out = holder.turn(&on);
    let got: std::collections::BTreeSet<_> =
        holder.published(&out).iter().map(|p| String::from_utf8(p.payload.to_vec()).unwrap()).collect();
    assert_eq!(got.len(), 100, "{got:?}");
}

/// Whether the last word is that another connection took over the client id.
fn taken_over(out: &[u8]) -> bool {
    let mut rest = out;
    let mut last = None;
    while let Some(decoded) = decode(rest, Version::V5, Limits::from_server(u32::MAX)).unwrap() {
        last = Some(decoded.packet);
        rest = &rest[decoded.len..];
    }
    matches!(last, Some(Packet::Disconnect(disconnect)) if disconnect.reason == Reason::SESSION_TAKEN_OVER)
}
