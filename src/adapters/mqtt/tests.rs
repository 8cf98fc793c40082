mod aliases;
mod auth;
mod bounds;
mod early;
mod ends;
mod flow;
mod kit;
mod offers;
mod queue;
mod reasons;
mod sessions;
mod share;
mod sizes;
mod wills;

use wharfmq_base::Millis;
use wharfmq_mqtt::{
    Ack, AckKind, Connack, Limits, Packet, PacketId, Properties, Publish, Qos, Version, decode, encode,
};

use super::*;
use crate::adapters::testing::{TestBroker, TestClient};

fn options() -> Arc<MqttOptions> {
    Arc::new(MqttOptions::default())
}

mod retained;
mod statistics;

struct Client {
    version: Version,
    inner: TestClient,
    /// What came right behind CONNACK.
    early: Vec<u8>,
}

impl Client {
    fn connect(on: &TestBroker, id: &str, clean: bool) -> Self {
        Self::connect_as(on, Version::V311, id, clean).0
    }

    fn connect_as(on: &TestBroker, version: Version, id: &str, clean: bool) -> (Self, bool) {
        let expiry: &[u8] = if version.is_v5() && !clean { &[0x11, 0, 0, 1, 0] } else { &[] };
        Self::connect_with(on, version, id, clean, expiry)
    }

    fn connect_with(
        on: &TestBroker,
        version: Version,
        id: &str,
        clean: bool,
        properties: &[u8],
    ) -> (Self, bool) {
        let connect = wharfmq_mqtt::Connect {
            version,
            clean_start: clean,
            keep_alive: 60,
            client_id: id,
            will: None,
            user_name: None,
            password: None,
            properties: Properties::from_raw(properties),
        };
        let mut bytes = BytesMut::new();
        encode::connect(&mut bytes, &connect).unwrap();
        let mut client = Self { version, inner: on.client(MqttSession::new(options())), early: Vec::new() };
        client.inner.send_more(&bytes);
        let out = client.inner.wait(on, |out| !out.is_empty());
        let packets = client.all(&out);
        let Packet::Connack(Connack { session_present, code, .. }) = packets[0] else { panic!("{out:?}") };
        assert_eq!(code, Reason::SUCCESS);
        let connack = decode(&out, version, Limits::from_server(u32::MAX)).unwrap().unwrap().len;
        client.early = out[connack..].to_vec();
        (client, session_present)
    }

    fn all<'a>(&self, mut bytes: &'a [u8]) -> Vec<Packet<'a>> {
        let mut packets = Vec::new();
        while !bytes.is_empty() {
            let decoded = decode(bytes, self.version, Limits::from_server(u32::MAX)).unwrap().unwrap();
            packets.push(decoded.packet);
            bytes = &bytes[decoded.len..];
        }
        packets
    }

    fn published<'a>(&self, bytes: &'a [u8]) -> Vec<Publish<'a>> {
        let packets = self.all(bytes).into_iter();
        packets.filter_map(|p| if let Packet::Publish(publish) = p { Some(publish) } else { None }).collect()
    }

    fn turn(&mut self, on: &TestBroker) -> Vec<u8> {
        let mut out = std::mem::take(&mut self.early);
        out.extend(self.inner.turn(on));
        out
    }

    fn subscribe(&mut self, on: &TestBroker, filter: &str, qos: Qos) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        let options = wharfmq_mqtt::SubscriptionOptions::from_qos(qos);
        let id = PacketId::new(9).unwrap();
        encode::subscribe(&mut bytes, self.version, id, Properties::EMPTY, &[(filter, options)].map(sub))
            .unwrap();
        self.inner.send(on, &bytes)
    }

    fn publish(
        &mut self,
        on: &TestBroker,
        topic: &str,
        qos: Qos,
        retain: bool,
        id: u16,
        body: &str,
    ) -> Vec<u8> {
        let head = encode::PublishHead {
            dup: false,
            qos,
            retain,
            topic,
            packet_id: PacketId::new(id).filter(|_| qos != Qos::AtMostOnce),
            properties: Properties::EMPTY,
            shared_properties_len: 0,
        };
        let mut bytes = BytesMut::new();
        encode::publish(&mut bytes, self.version, &head, body.as_bytes()).unwrap();
        self.inner.send(on, &bytes)
    }

    fn ack(&mut self, on: &TestBroker, kind: AckKind, id: PacketId) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        encode::ack(&mut bytes, self.version, kind, &Ack::success(id)).unwrap();
        self.inner.send(on, &bytes)
    }

    fn lose(mut self) {
        self.inner.close(Closed::Lost);
    }
}

fn sub<'a>(
    (filter, options): (&'a str, wharfmq_mqtt::SubscriptionOptions),
) -> wharfmq_mqtt::Subscription<'a> {
    wharfmq_mqtt::Subscription { filter, options }
}

#[test]
fn qos0_passes_as_it_came() {
    let on = TestBroker::new();
    let mut to = Client::connect(&on, "to", true);
    assert!(matches!(to.subscribe(&on, "a/#", Qos::AtMostOnce)[..], [0x90, 3, 0, 9, 0]));
    let mut from = Client::connect(&on, "from", true);
    let frame = [0x30, 6, 0, 3, b'a', b'/', b'b', b'!'];
    assert!(from.inner.send(&on, &frame.repeat(3)).is_empty());
    assert_eq!(to.turn(&on), frame.repeat(3));
}

#[test]
fn qos1_and_2_are_answered_and_delivered_with_ids_of_their_own() {
    let on = TestBroker::new();
    let mut to = Client::connect(&on, "to", true);
    to.subscribe(&on, "a/+", Qos::ExactlyOnce);
    let mut from = Client::connect(&on, "from", true);
    let out = from.publish(&on, "a/b", Qos::AtLeastOnce, false, 700, "one");
    assert_eq!(out, [0x40, 2, 2, 188]);
    let out = to.turn(&on);
    let got = to.published(&out);
    assert_eq!(
        (got[0].payload, got[0].packet_id.unwrap().get(), got[0].qos),
        (&b"one"[..], 1, Qos::AtLeastOnce)
    );
    to.ack(&on, AckKind::Puback, PacketId::MIN);
    assert_eq!(from.publish(&on, "a/b", Qos::ExactlyOnce, false, 701, "two"), [0x50, 2, 2, 189]);
    // The same again is answered, not routed.
    assert_eq!(from.publish(&on, "a/b", Qos::ExactlyOnce, false, 701, "two"), [0x50, 2, 2, 189]);
    let id = PacketId::new(701).unwrap();
    assert_eq!(from.ack(&on, AckKind::Pubrel, id), [0x70, 2, 2, 189]);
    let out = to.turn(&on);
    let got = to.published(&out);
    assert_eq!(got.len(), 1);
    let id = got[0].packet_id.unwrap();
    assert_eq!(to.ack(&on, AckKind::Pubrec, id)[..2], [0x62, 2]);
    assert!(to.ack(&on, AckKind::Pubcomp, id).is_empty());
}

#[test]
fn a_persistent_session_is_kept_and_delivered_later() {
    for version in [Version::V311, Version::V5] {
        let on = TestBroker::new();
        let (mut to, present) = Client::connect_as(&on, version, "to", false);
        assert!(!present);
        to.subscribe(&on, "a/#", Qos::AtLeastOnce);
        to.lose();
        let mut from = Client::connect(&on, "from", true);
        from.publish(&on, "a/b", Qos::AtLeastOnce, false, 1, "one");
        from.publish(&on, "a/b", Qos::AtMostOnce, false, 1, "lost");
        from.publish(&on, "a/b", Qos::ExactlyOnce, false, 2, "two");
        let (mut to, present) = Client::connect_as(&on, version, "to", false);
        assert!(present);
        let out = to.turn(&on);
        let got = to.published(&out);
        let bodies: Vec<_> = got.iter().map(|p| p.payload).collect();
        assert_eq!(bodies, [b"one", b"two"]);
        assert!(got.iter().all(|p| p.qos == Qos::AtLeastOnce && !p.dup));
        let second = got[1].packet_id.unwrap();
        to.ack(&on, AckKind::Puback, got[0].packet_id.unwrap());
        to.lose();
        let (mut to, _) = Client::connect_as(&on, version, "to", false);
        let out = to.turn(&on);
        let got = to.published(&out);
        assert_eq!(got.len(), 1);
        assert_eq!((got[0].payload, got[0].dup, got[0].packet_id), (&b"two"[..], true, Some(second)));
        // What came before the subscription ended still comes live.
        from.publish(&on, "a/c", Qos::AtMostOnce, false, 0, "live");
        let out = to.turn(&on);
        assert_eq!(to.published(&out)[0].payload, b"live");
        to.lose();
        let (_, present) = Client::connect_as(&on, version, "to", true);
        assert!(!present);
    }
}

#[test]
fn retained_messages_come_with_the_subscription() {
    let on = TestBroker::new();
    let mut from = Client::connect(&on, "from", true);
    from.publish(&on, "r/1", Qos::AtMostOnce, true, 0, "old");
    from.publish(&on, "r/1", Qos::AtLeastOnce, true, 3, "new");
    from.publish(&on, "r/2", Qos::AtLeastOnce, true, 4, "gone");
    from.publish(&on, "r/2", Qos::AtLeastOnce, true, 5, "");
    let mut to = Client::connect(&on, "to", true);
    let out = to.subscribe(&on, "r/#", Qos::AtLeastOnce);
    let got = to.published(&out);
    assert_eq!(got.len(), 1);
    assert_eq!((got[0].payload, got[0].retain, got[0].topic), (&b"new"[..], true, "r/1"));
    from.publish(&on, "r/1", Qos::AtMostOnce, true, 0, "live");
    let out = to.turn(&on);
    let got = to.published(&out);
    assert_eq!((got[0].payload, got[0].retain), (&b"live"[..], false));
}

#[test]
fn a_will_is_published_unless_taken_away() {
    let on = TestBroker::new();
    let mut to = Client::connect(&on, "to", true);
    to.subscribe(&on, "w", Qos::AtMostOnce);
    for goodbye in [false, true] {
        let connect = wharfmq_mqtt::Connect {
            version: Version::V311,
            clean_start: true,
            keep_alive: 0,
            client_id: "w",
            will: Some(wharfmq_mqtt::Will {
                qos: Qos::AtLeastOnce,
                retain: false,
                topic: "w",
                payload: b"bye",
                properties: Properties::EMPTY,
            }),
            user_name: None,
            password: None,
            properties: Properties::EMPTY,
        };
        let mut bytes = BytesMut::new();
        encode::connect(&mut bytes, &connect).unwrap();
        let mut dying = on.client(MqttSession::new(options()));
        dying.send(&on, &bytes);
        if goodbye {
            dying.send(&on, &[0xE0, 0]);
            assert_eq!(dying.closed, Some(Close::Clean));
            dying.close(Closed::Session(Close::Clean));
        } else {
            dying.close(Closed::Lost);
        }
        let out = to.turn(&on);
        assert_eq!(to.published(&out).len(), usize::from(!goodbye));
    }
}

#[test]
fn a_newcomer_takes_the_client_id_over() {
    let on = TestBroker::new();
    let (mut old, _) = Client::connect_as(&on, Version::V5, "same", true);
    let mut new = on.client(MqttSession::new(options()));
    let connect = [0x10, 16, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0, 0, 4, b's', b'a', b'm', b'e'];
    assert!(new.send(&on, &connect).is_empty());
    assert_eq!(kit::goodbye(&old.turn(&on)), Reason::SESSION_TAKEN_OVER);
    old.inner.close(Closed::Session(old.inner.closed.clone().unwrap()));
    assert_eq!(new.turn(&on), [0x20, 2, 0, 0]);
}

#[test]
fn silence_beyond_the_keep_alive_ends_the_connection() {
    let on = TestBroker::new();
    let (mut client, _) = Client::connect_as(&on, Version::V5, "quiet", true);
    assert_eq!(client.inner.session.deadline(), Some(Millis(90_000)));
    on.advance(Millis(90_000));
    assert_eq!(kit::goodbye(&client.turn(&on)), Reason::KEEP_ALIVE_TIMEOUT);
    assert!(matches!(client.inner.closed, Some(Close::TimedOut(_))));
}

#[test]
fn a_full_window_holds_deliveries_until_they_are_acknowledged() {
    let on = TestBroker::new();
    let mut to = Client::connect(&on, "to", true);
    to.subscribe(&on, "q", Qos::AtLeastOnce);
    let mut from = Client::connect(&on, "from", true);
    for n in 1..=1_500u16 {
        from.publish(&on, "q", Qos::AtLeastOnce, false, n, "x");
    }
    let out = to.turn(&on);
    assert_eq!(to.published(&out).len(), usize::from(options().max_inflight));
    let out = to.ack(&on, AckKind::Puback, PacketId::MIN);
    assert_eq!(to.published(&out).len(), 1);
}

#[test]
fn shared_subscriptions_take_turns() {
    let on = TestBroker::new();
    let mut members: Vec<_> = (0..2)
        .map(|n| {
            let mut member = Client::connect_as(&on, Version::V5, &format!("m{n}"), true).0;
            member.subscribe(&on, "$share/g/job/#", Qos::AtLeastOnce);
            member
        })
        .collect();
    let mut from = Client::connect(&on, "from", true);
    for n in 1..=10 {
        from.publish(&on, "job/x", Qos::AtLeastOnce, false, n, "x");
    }
    let mut counts = Vec::new();
    for member in &mut members {
        let out = member.turn(&on);
        counts.push(member.published(&out).len());
    }
    assert_eq!(counts, [5, 5]);
    // One leaves: what it had not acknowledged goes to the other.
    members.remove(0).lose();
    let out = members[0].turn(&on);
    assert_eq!(members[0].published(&out).len(), 5);
}

#[test]
fn what_is_malformed_gets_its_reason_code() {
    let on = TestBroker::new();
    let (mut client, _) = Client::connect_as(&on, Version::V5, "bad", true);
    // A wildcard in the topic of a PUBLISH.
    let out = client.inner.send(&on, &[0x30, 4, 0, 1, b'#', 0]);
    assert_eq!(kit::goodbye(&out), Reason::TOPIC_NAME_INVALID);
    assert!(matches!(client.inner.closed, Some(Close::Violation(_))));
}

#[test]
fn a_refused_publication_of_qos_2_frees_its_packet_id_for_good() {
    let limited = wharfmq_core::PartialPolicy { max_messages: Some(1), ..Default::default() };
    let pattern = wharfmq_core::Pattern::parse_canonical("topic://full").unwrap();
    let on = TestBroker::with(wharfmq_core::Settings::new([(pattern, limited)]));
    let (mut full, _) = Client::connect_as(&on, Version::V5, "full", false);
    full.subscribe(&on, "t", Qos::AtLeastOnce);
    full.lose();
    let (mut from, _) = Client::connect_as(&on, Version::V5, "from", false);
    assert_eq!(from.publish(&on, "t", Qos::ExactlyOnce, false, 1, "one"), [0x50, 2, 0, 1]);
    let out = from.publish(&on, "t", Qos::ExactlyOnce, false, 2, "two");
    assert!(matches!(out[..], [0x50, _, 0, 2, 0x97, ..]), "{out:?}");
    from.lose();
    let (mut full, _) = Client::connect_as(&on, Version::V5, "full", false);
    let out = full.turn(&on);
    full.ack(&on, AckKind::Puback, full.published(&out)[0].packet_id.unwrap());
    let (mut from, _) = Client::connect_as(&on, Version::V5, "from", false);
    assert_eq!(from.publish(&on, "t", Qos::ExactlyOnce, false, 2, "three"), [0x50, 2, 0, 2]);
    let out = full.turn(&on);
    assert_eq!(full.published(&out)[0].payload, b"three");
}
