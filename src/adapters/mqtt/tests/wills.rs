//! When a will goes out, and what it carries.

use wharfmq_core::record::Class;
use wharfmq_mqtt::{Connect, PropertyId, PropertyWriter, Value, Will};

use super::kit::goodbye;
use super::*;

const DELAY: u32 = 60;
const LONG: u32 = 3_600;

/// How a client comes.
#[derive(Clone)]
pub(super) struct Coming {
    pub(super) version: Version,
    pub(super) id: &'static str,
    pub(super) clean: bool,
    pub(super) expiry: u32,
    pub(super) keep_alive: u16,
    pub(super) options: Arc<MqttOptions>,
    pub(super) will: Option<Wish>,
}

/// A will to the topic `w`, whatever is not said otherwise.
#[derive(Clone)]
pub(super) struct Wish {
    topic: &'static str,
    qos: Qos,
    retain: bool,
    properties: Vec<(PropertyId, Value<'static>)>,
}

pub(super) fn wish(delay: u32) -> Wish {
    let properties = vec![(PropertyId::WillDelayInterval, Value::U32(delay))];
    Wish { topic: "w", qos: Qos::AtLeastOnce, retain: false, properties }
}

impl Coming {
    /// An MQTT 5 client whose session stays for an hour.
    pub(super) fn new(id: &'static str) -> Self {
        Self {
            version: Version::V5,
            id,
            clean: false,
            expiry: LONG,
            keep_alive: 0,
            options: options(),
            will: None,
        }
    }

    pub(super) fn with(will: Wish) -> Self {
        Self { will: Some(will), ..Self::new("mortal") }
    }

    pub(super) fn bytes(&self) -> BytesMut {
        let (mut scratch, mut wills) = (BytesMut::new(), BytesMut::new());
        let mut own = PropertyWriter::new(&mut scratch);
        if self.version.is_v5() {
            own.put(PropertyId::SessionExpiryInterval, Value::U32(self.expiry)).unwrap();
        }
        let mut writer = PropertyWriter::new(&mut wills);
        if self.version.is_v5() {
            for (id, value) in self.will.iter().flat_map(|will| &will.properties) {
                writer.put(*id, *value).unwrap();
            }
        }
        let will = self.will.as_ref().map(|will| Will {
            qos: will.qos,
            retain: will.retain,
            topic: will.topic,
            payload: b"gone",
            properties: writer.finish(),
        });
        let connect = Connect {
            version: self.version,
            clean_start: self.clean,
            keep_alive: self.keep_alive,
            client_id: self.id,
            will,
            user_name: None,
            password: None,
            properties: own.finish(),
        };
        let mut bytes = BytesMut::new();
        encode::connect(&mut bytes, &connect).unwrap();
        bytes
    }

    /// Sends CONNECT and answers what comes.
    pub(super) fn knock(&self, on: &TestBroker) -> (Client, Vec<u8>) {
        let inner = on.client(MqttSession::new(Arc::clone(&self.options)));
        let mut client = Client { version: self.version, inner, early: Vec::new() };
        let out = client.inner.send(on, &self.bytes());
        (client, out)
    }

    /// Connects; whether there was a session.
    pub(super) fn connect(&self, on: &TestBroker) -> (Client, bool) {
        let (client, out) = self.knock(on);
        let packets = client.all(&out);
        let Packet::Connack(Connack { session_present, code, .. }) = packets[0] else { panic!("{out:?}") };
        assert_eq!(code, Reason::SUCCESS);
        (client, session_present)
    }
}

struct Stage {
    on: TestBroker,
    witness: Client,
}

impl Stage {
    fn new() -> Self {
        Self::on(TestBroker::new())
    }

    fn on(on: TestBroker) -> Self {
        let (mut witness, _) = Coming { expiry: 0, ..Coming::new("witness") }.connect(&on);
        witness.subscribe(&on, "w", Qos::ExactlyOnce);
        Self { on, witness }
    }

    fn sent(&self) -> u64 {
        self.on.broker.counters().totals().wills_sent
    }

    /// Waits until a will has gone out, which must be the only one so far.
    fn goes_out(&mut self) {
        let version = self.witness.version;
        let out = self.witness.inner.wait(&self.on, |out| {
            let packet = decode(out, version, Limits::from_server(u32::MAX)).unwrap();
            packet.is_some_and(|decoded| matches!(decoded.packet, Packet::Publish(_)))
        });
        assert_eq!(self.witness.published(&out)[0].payload, b"gone");
        let start = std::time::Instant::now();
        while self.on.broker.wills() > 0 || self.sent() == 0 {
            assert!(start.elapsed() < std::time::Duration::from_secs(10), "the will is still kept");
            std::thread::yield_now();
        }
        assert_eq!(self.sent(), 1);
    }

    /// It waits: it is kept, and none has gone out.
    fn waits(&mut self) {
        assert_eq!((self.on.broker.wills(), self.sent()), (1, 0));
        assert!(self.witness.turn(&self.on).is_empty());
    }

    /// It is forgotten, and none has gone out: none ever will.
    fn is_forgotten(&mut self) {
        assert_eq!((self.on.broker.wills(), self.sent()), (0, 0));
    }

    fn pass(&self, seconds: u32) {
        self.on.advance(Millis(u64::from(seconds) * 1_000));
    }

    fn lost(&self, coming: &Coming) {
        coming.connect(&self.on).0.lose();
    }
}

fn disconnect(client: &mut Client, on: &TestBroker, bytes: &[u8]) {
    client.inner.send(on, bytes);
    let how = client.inner.closed.clone().expect("the connection is still open");
    client.inner.close(Closed::Session(how));
}

#[test]
fn it_goes_out_when_its_delay_has_passed() {
    let mut stage = Stage::new();
    stage.lost(&Coming::with(wish(DELAY)));
    stage.waits();
    stage.pass(DELAY - 1);
    stage.waits();
    stage.pass(1);
    stage.goes_out();
}

#[test]
fn it_is_forgotten_when_its_client_comes_back_in_time() {
    let mut stage = Stage::new();
    let coming = Coming::with(wish(DELAY));
    stage.lost(&coming);
    stage.pass(DELAY - 1);
    let (client, present) = Coming { will: None, ..coming.clone() }.connect(&stage.on);
    assert!(present);
    stage.is_forgotten();
    client.lose();
    // The new connection's own will counts from its own end.
    stage.lost(&coming);
    stage.pass(DELAY - 1);
    stage.waits();
    stage.pass(1);
    stage.goes_out();
}

#[test]
fn a_clean_start_ends_the_session_and_so_the_delay() {
    let mut stage = Stage::new();
    let coming = Coming::with(wish(DELAY));
    stage.lost(&coming);
    let (_client, present) = Coming { will: None, clean: true, ..coming }.connect(&stage.on);
    assert!(!present);
    stage.goes_out();
}

#[test]
fn a_goodbye_takes_it_away() {
    for version in [Version::V31, Version::V311, Version::V5] {
        let mut stage = Stage::new();
        for expiry in [0, LONG] {
            let clean = expiry == 0;
            let coming = Coming { version, expiry, clean, ..Coming::with(wish(0)) };
            disconnect(&mut coming.connect(&stage.on).0, &stage.on, &[0xE0, 0]);
            stage.is_forgotten();
        }
    }
}

#[test]
fn a_goodbye_that_asks_for_it_honours_the_delay() {
    let mut stage = Stage::new();
    disconnect(&mut Coming::with(wish(DELAY)).connect(&stage.on).0, &stage.on, &[0xE0, 1, 4]);
    stage.waits();
    stage.pass(DELAY);
    stage.goes_out();
}

#[test]
fn any_other_reason_publishes_it() {
    // Unspecified error, and a session expiry that is not allowed.
    for goodbye in [&[0xE0, 1, 0x80][..], &[0xE0, 7, 0, 5, 0x11, 0, 0, 0, 9]] {
        let mut stage = Stage::new();
        let coming = Coming { expiry: 0, ..Coming::with(wish(0)) };
        disconnect(&mut coming.connect(&stage.on).0, &stage.on, goodbye);
        stage.goes_out();
    }
}

#[test]
fn it_goes_out_after_silence_and_after_a_violation() {
    let mut stage = Stage::new();
    let (mut client, _) = Coming { keep_alive: 10, ..Coming::with(wish(0)) }.connect(&stage.on);
    stage.pass(15);
    client.turn(&stage.on);
    let how = client.inner.closed.clone().unwrap();
    assert!(matches!(how, Close::TimedOut(_)));
    client.inner.close(Closed::Session(how));
    stage.goes_out();

    let mut stage = Stage::new();
    let (mut client, _) = Coming::with(wish(0)).connect(&stage.on);
    // A wildcard in the topic of a PUBLISH.
    disconnect(&mut client, &stage.on, &[0x30, 4, 0, 1, b'#', 0]);
    stage.goes_out();
}

#[test]
fn it_goes_out_when_the_broker_ends_the_connection() {
    let mut stage = Stage::new();
    let (mut client, _) = Coming { expiry: 0, ..Coming::with(wish(DELAY)) }.connect(&stage.on);
    client.inner.session.drain(&mut client.inner.port);
    client.inner.close(Closed::Shutdown);
    stage.goes_out();

    let mut stage = Stage::new();
    let (mut client, _) = Coming::with(wish(DELAY)).connect(&stage.on);
    client.inner.close(Closed::Shutdown);
    stage.waits();
}

#[test]
fn the_end_of_the_session_ends_the_delay() {
    let mut stage = Stage::new();
    stage.lost(&Coming { expiry: 10, ..Coming::with(wish(DELAY)) });
    stage.pass(9);
    stage.waits();
    stage.pass(1);
    stage.goes_out();

    let mut stage = Stage::new();
    stage.lost(&Coming { expiry: 0, ..Coming::with(wish(DELAY)) });
    stage.goes_out();

    let mut stage = Stage::new();
    stage.lost(&Coming::with(wish(DELAY)));
    let (mut admin, _) = Client::connect_as(&stage.on, Version::V5, "admin", true);
    let cell = admin.inner.port.find(Class::Session, &"mortal".into()).unwrap();
    admin.inner.port.delete(&cell).unwrap();
    stage.goes_out();
}

#[test]
fn an_expiry_given_with_the_goodbye_counts() {
    let goodbye = |seconds: u32| [&[0xE0, 7, 4, 5, 0x11][..], &seconds.to_be_bytes()].concat();
    let mut stage = Stage::new();
    disconnect(&mut Coming::with(wish(DELAY)).connect(&stage.on).0, &stage.on, &goodbye(0));
    stage.goes_out();

    let mut stage = Stage::new();
    disconnect(&mut Coming::with(wish(DELAY)).connect(&stage.on).0, &stage.on, &goodbye(10));
    stage.waits();
    stage.pass(10);
    stage.goes_out();

    // Longer than what CONNECT asked for.
    let mut stage = Stage::new();
    let short = Coming { expiry: 10, ..Coming::with(wish(DELAY)) };
    disconnect(&mut short.connect(&stage.on).0, &stage.on, &goodbye(LONG));
    stage.pass(DELAY - 1);
    stage.waits();
    stage.pass(1);
    stage.goes_out();
}

#[test]
fn a_take_over_publishes_what_does_not_wait_for_the_session() {
    let take_over = |old: Coming, clean: bool| {
        let stage = Stage::new();
        let (mut old, _) = old.connect(&stage.on);
        let (mut new, out) = Coming { clean, ..Coming::new("mortal") }.knock(&stage.on);
        assert!(out.is_empty());
        assert_eq!(goodbye(&old.turn(&stage.on)), Reason::SESSION_TAKEN_OVER);
        old.inner.close(Closed::Session(old.inner.closed.clone().unwrap()));
        assert!(!new.turn(&stage.on).is_empty());
        stage
    };
    take_over(Coming::with(wish(0)), false).goes_out();
    take_over(Coming::with(wish(DELAY)), true).goes_out();
    take_over(Coming { expiry: 0, ..Coming::with(wish(DELAY)) }, false).goes_out();
    take_over(Coming::with(wish(DELAY)), false).is_forgotten();
}

#[test]
fn a_take_over_of_a_client_that_does_not_go_decides_once() {
    for (delay, clean, goes) in [(0, false, true), (DELAY, true, true), (DELAY, false, false)] {
        let mut stage = Stage::new();
        let (mut old, _) = Coming::with(wish(delay)).connect(&stage.on);
        let (mut new, _) = Coming { clean, ..Coming::new("mortal") }.knock(&stage.on);
        stage.pass(1);
        assert!(!new.turn(&stage.on).is_empty());
        assert!(old.inner.port.is_expelled());
        old.inner.close(Closed::Lost);
        if goes { stage.goes_out() } else { stage.is_forgotten() }
    }
}

#[test]
fn a_retained_will_is_kept_for_later_subscribers() {
    let mut stage = Stage::new();
    stage.lost(&Coming::with(Wish { retain: true, ..wish(0) }));
    stage.goes_out();
    let (mut late, _) = Client::connect_as(&stage.on, Version::V5, "late", true);
    let out = late.subscribe(&stage.on, "w", Qos::AtMostOnce);
    assert!(late.published(&out)[0].retain);
}

#[test]
fn it_carries_all_its_properties_and_lives_from_its_publication_on() {
    let mut stage = Stage::new();
    let mut will = Wish { qos: Qos::ExactlyOnce, ..wish(DELAY) };
    let properties = [
        (PropertyId::PayloadFormatIndicator, Value::Byte(1)),
        (PropertyId::ContentType, Value::Text("text/plain")),
        (PropertyId::ResponseTopic, Value::Text("answers/1")),
        (PropertyId::CorrelationData, Value::Binary(b"c-7")),
        (PropertyId::UserProperty, Value::Pair("colour", "red")),
        (PropertyId::UserProperty, Value::Pair("colour", "blue")),
    ];
    will.properties.extend(properties);
    will.properties.push((PropertyId::MessageExpiryInterval, Value::U32(DELAY / 2)));
    stage.lost(&Coming::with(will));
    stage.pass(DELAY);
    let start = std::time::Instant::now();
    let out = loop {
        let out = stage.witness.turn(&stage.on);
        if !out.is_empty() {
            break out;
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(10));
    };
    let got = stage.witness.published(&out);
    assert_eq!((got[0].qos, got[0].payload), (Qos::ExactlyOnce, &b"gone"[..]));
    let came: Vec<_> = got[0].properties.iter().collect();
    for property in properties {
        assert!(came.contains(&property), "{property:?} is not among {came:?}");
    }
    assert!(came.contains(&(PropertyId::MessageExpiryInterval, Value::U32(DELAY / 2))), "{came:?}");
    assert!(came.iter().all(|(id, _)| *id != PropertyId::WillDelayInterval));
}

#[test]
fn nobody_leaves_a_will_to_the_broker_s_own_topics() {
    let mut stage = Stage::new();
    let will = Wish { topic: "$SYS/broker/uptime", ..wish(0) };
    let (client, out) = Coming::with(will.clone()).knock(&stage.on);
    assert!(matches!(client.all(&out)[0], Packet::Connack(Connack { code: Reason::TOPIC_NAME_INVALID, .. })));
    stage.lost(&Coming { version: Version::V311, ..Coming::with(will) });
    stage.is_forgotten();
}

#[test]
fn its_own_session_does_not_get_it_where_it_wants_nothing_of_its_own() {
    let mut stage = Stage::new();
    let coming = Coming::with(wish(10));
    let (mut client, _) = coming.connect(&stage.on);
    let mut bytes = BytesMut::new();
    let mut options = wharfmq_mqtt::SubscriptionOptions::from_qos(Qos::AtLeastOnce);
    options.no_local = true;
    let id = PacketId::new(9).unwrap();
    encode::subscribe(&mut bytes, Version::V5, id, Properties::EMPTY, &[("w", options)].map(sub)).unwrap();
    assert!(!client.inner.send(&stage.on, &bytes).is_empty());
    client.lose();
    stage.pass(10);
    stage.goes_out();
    let (mut client, present) = Coming { will: None, ..coming }.connect(&stage.on);
    assert!(present);
    assert!(client.turn(&stage.on).is_empty());
}

#[test]
fn one_that_is_refused_is_tried_again() {
    let limited = wharfmq_core::PartialPolicy {
        max_messages: Some(1),
        overflow: Some(wharfmq_core::Overflow::Block),
        ..Default::default()
    };
    let pattern = wharfmq_core::Pattern::parse_canonical("topic://full").unwrap();
    let mut stage = Stage::on(TestBroker::with(wharfmq_core::Settings::new([(pattern, limited)])));
    let (mut full, _) = Coming::new("full").connect(&stage.on);
    full.subscribe(&stage.on, "w", Qos::AtLeastOnce);
    full.lose();
    let (mut from, _) = Client::connect_as(&stage.on, Version::V5, "from", true);
    from.publish(&stage.on, "w", Qos::AtLeastOnce, false, 1, "first");
    assert!(!stage.witness.turn(&stage.on).is_empty());
    stage.lost(&Coming::with(wish(0)));
    stage.waits();
    assert_eq!(stage.on.broker.counters().totals().wills_put_off, 1);
    let (mut full, _) = Coming { clean: true, ..Coming::new("full") }.connect(&stage.on);
    full.turn(&stage.on);
    stage.pass(1);
    stage.goes_out();
}

#[test]
fn what_comes_behind_connect_waits_for_its_answer() {
    let on = TestBroker::new();
    let coming = Coming { expiry: 0, ..Coming::with(wish(0)) };
    let inner = on.client(MqttSession::new(options()));
    let mut client = Client { version: Version::V5, inner, early: Vec::new() };
    let out = client.inner.send(&on, &[&coming.bytes()[..], &[0xC0, 0]].concat());
    let packets = client.all(&out);
    assert!(matches!(packets[..], [Packet::Connack(_), Packet::Pingresp]), "{packets:?}");
}
