//! rumqttc's client of MQTT 5.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ::rumqttc::Outgoing;
use ::rumqttc::v5::mqttbytes::QoS;
use ::rumqttc::v5::mqttbytes::v5::{
    ConnAck, Filter, LastWill, LastWillProperties, PubAckReason, PubRecReason, Publish, PublishProperties,
    RetainForwardRule, SubscribeProperties, SubscribeReasonCode,
};
use ::rumqttc::v5::{AsyncClient, Event, Incoming, MqttOptions};
use bytes::Bytes;
use tokio::task::JoinHandle;

use super::super::{broker, rows};
use super::{Inbox, Link, Message, Way, block_on, common, message, shared};
use crate::support::Broker;

rows! {
    version_5
    qos_0
    qos_1
    qos_2
    wildcards
    unsubscribe
    retained
    retain_handling
    retain_as_published
    no_local
    will
    will_with_delay
    disconnect
    persistent_session
    session_expiry
    take_over
    assigned_client_id
    keep_alive
    shared_subscription
    subscription_identifiers
    request_and_response
    user_properties
    content_type
    payload_format
    message_expiry
    topic_alias_to_broker
    topic_alias_to_client
    receive_maximum
    maximum_packet_size
    megabyte
    ten_megabytes
    empty_payload
    utf8_topics
    no_subscribers
    refused_subscription
    queue
    password
    tls
    tls_client_certificate
    websocket
    websocket_tls
}

pub(in crate::interop::features) const CANNOT: &[(&str, &str)] = &[
    ("version_3_1", "rumqttc speaks 3.1.1 and 5"),
    ("version_3_1_1", "the other client"),
    ("scram", "rumqttc 0.25 answers no AUTH"),
];

shared! { V5:
    qos_0
    qos_1
    qos_2
    wildcards
    unsubscribe
    retained
    will
    disconnect
    persistent_session
    shared_subscription
    megabyte
    ten_megabytes
    empty_payload
    utf8_topics
    queue
    tls
    tls_client_certificate
    websocket
    websocket_tls
}

fn version_5() {
    block_on(common::version::<V5>());
}

fn password() {
    block_on(async {
        let why = common::password::<V5>().await;
        assert!(why.contains("BadUserNamePassword"), "{why}");
    });
}

fn take_over() {
    block_on(async {
        let why = common::take_over::<V5>().await;
        assert!(why.contains("SessionTakenOver"), "{why}");
    });
}

fn keep_alive() {
    // Shorter ones this client refuses.
    block_on(common::keep_alive::<V5>(5));
}

fn retain_handling() {
    block_on(async {
        let broker = broker();
        let mut writer = V5::plain("w", &broker).await;
        writer.publish("h", "kept", 1, true).await;
        let mut reader = V5::plain("r", &broker).await;
        let with = |rule| Filter { retain_forward_rule: rule, ..filter("h") };
        let kept = || Message { retain: true, ..message("h", "kept", 1) };
        for rule in [RetainForwardRule::Never, RetainForwardRule::OnNewSubscribe] {
            reader.subscribe_as(with(rule), None).await;
            reader.nothing().await;
        }
        reader.subscribe_as(with(RetainForwardRule::OnEverySubscribe), None).await;
        assert_eq!(reader.take().await, kept());
        writer.subscribe_as(with(RetainForwardRule::OnNewSubscribe), None).await;
        assert_eq!(writer.take().await, kept());
    });
}

fn retain_as_published() {
    block_on(async {
        let broker = broker();
        let (mut plain, mut kept) = (V5::plain("p", &broker).await, V5::plain("k", &broker).await);
        plain.subscribe("r", 1).await;
        kept.subscribe_as(Filter { preserve_retain: true, ..filter("r") }, None).await;
        plain.publish("r", "x", 1, true).await;
        assert_eq!(plain.take().await, message("r", "x", 1));
        assert_eq!(kept.take().await, Message { retain: true, ..message("r", "x", 1) });
    });
}

fn no_local() {
    block_on(async {
        let broker = broker();
        let (mut own, mut other) = (V5::plain("s", &broker).await, V5::plain("o", &broker).await);
        own.subscribe_as(Filter { nolocal: true, ..filter("n") }, None).await;
        own.publish("n", "mine", 1, false).await;
        other.publish("n", "theirs", 1, false).await;
        assert_eq!(own.take().await, message("n", "theirs", 1));
        own.nothing().await;
    });
}

/// Loses a client that leaves a session for so long and a will with a delay.
async fn lose(id: &str, broker: &Broker, session: u32, topic: &str, delay: u32) {
    let properties = LastWillProperties {
        delay_interval: Some(delay),
        payload_format_indicator: None,
        message_expiry_interval: None,
        content_type: None,
        response_topic: None,
        correlation_data: None,
        user_properties: Vec::new(),
    };
    let will = LastWill::new(topic, "gone", QoS::AtLeastOnce, false, Some(properties));
    let client = V5::adapted(id, broker, |options| {
        options.set_session_expiry_interval(Some(session)).set_last_will(will);
    });
    client.await.vanish().await;
}

fn will_with_delay() {
    block_on(async {
        let broker = broker();
        let mut witness = V5::plain("w", &broker).await;
        witness.subscribe("lost/+", 1).await;
        let begun = Instant::now();
        lose("a", &broker, 3600, "lost/late", 1).await;
        assert_eq!(witness.take().await, message("lost/late", "gone", 1));
        assert!(begun.elapsed() >= Duration::from_secs(1));
        // Who comes back in time takes it back.
        lose("b", &broker, 3600, "lost/never", 2).await;
        let back = V5::open("b", &Way::tcp(&broker).session()).await.unwrap();
        assert!(back.session_present());
        lose("c", &broker, 3600, "lost/last", 2).await;
        assert_eq!(witness.take().await, message("lost/last", "gone", 1));
    });
}

fn session_expiry() {
    block_on(async {
        let broker = broker();
        let mut witness = V5::plain("w", &broker).await;
        witness.subscribe("over", 1).await;
        // A will that waits longer than the session lives comes when the session ends.
        let begun = Instant::now();
        lose("short", &broker, 1, "over", 600).await;
        lose("long", &broker, 600, "never", 600).await;
        assert_eq!(witness.take().await, message("over", "gone", 1));
        assert!(begun.elapsed() >= Duration::from_secs(1));
        for (id, present) in [("short", false), ("long", true)] {
            let client = V5::open(id, &Way::tcp(&broker).session()).await.unwrap();
            assert_eq!(client.session_present(), present, "{id}");
        }
    });
}

fn assigned_client_id() {
    block_on(async {
        let broker = broker();
        let clients = [V5::plain("", &broker).await, V5::plain("", &broker).await];
        let ids = clients
            .map(|client| client.connack.properties.and_then(|all| all.assigned_client_identifier).unwrap());
        assert!(!ids[0].is_empty() && ids[0] != ids[1], "{ids:?}");
    });
}

fn subscription_identifiers() {
    block_on(async {
        let broker = broker();
        let mut client = V5::plain("i", &broker).await;
        let identified = |id| Some(SubscribeProperties { id: Some(id), user_properties: Vec::new() });
        client.subscribe_as(filter("a/#"), identified(7)).await;
        client.subscribe_as(filter("a/b"), identified(268_435_455)).await;
        client.subscribe("+", 1).await;
        for (topic, expected) in [("a/x", vec![7]), ("a/b", vec![7, 268_435_455]), ("none", Vec::new())] {
            client.publish(topic, "x", 1, false).await;
            let mut came = Vec::new();
            // One copy with both, or a copy for each, as the broker likes (MQTT 5, 3.3.4).
            loop {
                let publish = client.messages.take("message").await;
                came.extend(publish.properties.unwrap_or_default().subscription_identifiers);
                if came.len() >= expected.len() {
                    break;
                }
            }
            came.sort_unstable();
            assert_eq!(came, expected, "{topic}");
        }
    });
}

fn request_and_response() {
    block_on(async {
        let broker = broker();
        let (mut asker, mut worker) = (V5::plain("a", &broker).await, V5::plain("w", &broker).await);
        worker.subscribe("questions", 1).await;
        asker.subscribe("answers/1", 1).await;
        let asks = PublishProperties {
            response_topic: Some("answers/1".to_owned()),
            correlation_data: Some(vec![0, 0xFF, 7].into()),
            ..Default::default()
        };
        asker.publish_as("questions", "why?", asks.clone()).await;
        let question = worker.messages.take("question").await.properties.unwrap();
        assert_eq!(question, asks);
        let answers = PublishProperties { correlation_data: question.correlation_data, ..Default::default() };
        worker.publish_as("answers/1", "because", answers.clone()).await;
        assert_eq!(asker.messages.take("answer").await.properties.unwrap(), answers);
    });
}

/// Sends with properties that are to come through as they are, and without.
fn comes_through(properties: &PublishProperties) {
    block_on(async {
        let broker = broker();
        let mut client = V5::plain("p", &broker).await;
        client.subscribe("p", 1).await;
        for sent in [properties.clone(), PublishProperties::default()] {
            client.publish_as("p", "x", sent.clone()).await;
            let came = client.messages.take("message").await.properties.unwrap_or_default();
            assert_eq!(came, sent);
        }
    });
}

fn user_properties() {
    let pairs = [("colour", "red"), ("colour", "blue"), ("", ""), ("ä", "ö:\n")];
    let user_properties = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    comes_through(&PublishProperties { user_properties, ..Default::default() });
}

fn content_type() {
    let content_type = Some("application/json".to_owned());
    comes_through(&PublishProperties { content_type, ..Default::default() });
}

fn payload_format() {
    comes_through(&PublishProperties { payload_format_indicator: Some(1), ..Default::default() });
}

fn message_expiry() {
    block_on(async {
        let broker = broker();
        let session = Way::tcp(&broker).session();
        let mut reader = V5::open("s", &session).await.unwrap();
        reader.subscribe("e", 1).await;
        reader.leave().await;
        let mut writer = V5::plain("w", &broker).await;
        writer.subscribe("clock", 1).await;
        for (payload, seconds) in [("short", 1), ("long", 600)] {
            let expires = Some(seconds);
            let properties = PublishProperties { message_expiry_interval: expires, ..Default::default() };
            writer.publish_as("e", payload, properties).await;
        }
        // Two seconds of the broker's clock.
        lose("clock", &broker, 600, "clock", 2).await;
        writer.take().await;
        let mut reader = V5::open("s", &session).await.unwrap();
        let came = reader.messages.take("message").await;
        assert_eq!(came.payload, "long");
        let left = came.properties.unwrap().message_expiry_interval.unwrap();
        assert!((560..=598).contains(&left), "{left}");
        reader.nothing().await;
    });
}

fn topic_alias_to_broker() {
    block_on(async {
        let broker = broker();
        let mut client = V5::plain("a", &broker).await;
        client.subscribe("a/#", 1).await;
        let alias = || PublishProperties { topic_alias: Some(3), ..Default::default() };
        for (sent, means) in [("a/long", "a/long"), ("", "a/long"), ("a/other", "a/other"), ("", "a/other")] {
            client.publish_as(sent, "x", alias()).await;
            assert_eq!(client.take().await, message(means, "x", 1));
        }
    });
}

fn topic_alias_to_client() {
    block_on(async {
        let broker = broker();
        let reader = V5::adapted("r", &broker, |options| {
            options.set_topic_alias_max(Some(2));
        });
        let (mut reader, mut writer) = (reader.await, V5::plain("w", &broker).await);
        reader.subscribe("many/#", 1).await;
        let (mut known, mut shortened) = (BTreeMap::<u16, Bytes>::new(), 0_u32);
        for n in 0..12 {
            let topic = format!("many/{}", n % 3);
            writer.publish(&topic, "x", 1, false).await;
            let came = reader.messages.take("message").await;
            let alias = came.properties.unwrap_or_default().topic_alias;
            assert!(alias.is_none_or(|alias| alias == 1 || alias == 2), "{alias:?}");
            shortened += u32::from(came.topic.is_empty());
            let full =
                if came.topic.is_empty() { known[&alias.unwrap()].clone() } else { came.topic.clone() };
            assert_eq!(full, topic);
            alias.map(|alias| known.insert(alias, full));
        }
        assert!(shortened > 0, "no alias stood for a topic");
    });
}

fn receive_maximum() {
    block_on(async {
        let broker = broker();
        let reader = V5::adapted("r", &broker, |options| {
            options.set_receive_maximum(Some(1)).set_manual_acks(true);
        });
        let (mut reader, mut writer) = (reader.await, V5::plain("w", &broker).await);
        reader.subscribe("m", 1).await;
        for n in 0..5 {
            writer.publish("m", &n.to_string(), 1, false).await;
        }
        for n in 0..5 {
            let came = reader.messages.take("message").await;
            assert_eq!(came.payload, n.to_string());
            reader.nothing().await;
            reader.client.ack(&came).await.unwrap();
        }
    });
}

fn maximum_packet_size() {
    block_on(async {
        let broker = broker();
        let small = V5::adapted("s", &broker, |options| {
            options.set_max_packet_size(Some(200));
        });
        let (mut small, mut writer) = (small.await, V5::plain("w", &broker).await);
        small.subscribe("m", 1).await;
        writer.publish("m", &"x".repeat(1000), 1, false).await;
        writer.publish("m", "fits", 1, false).await;
        assert_eq!(small.take().await, message("m", "fits", 1));
    });
}

fn no_subscribers() {
    block_on(async {
        let broker = broker();
        let mut client = V5::plain("n", &broker).await;
        client.send("n", "x", 1).await;
        let reason = client.answer(|event| match event {
            Event::Incoming(Incoming::PubAck(puback)) => Some(puback.reason),
            _ => None,
        });
        assert_eq!(reason.await, PubAckReason::NoMatchingSubscribers);
        client.send("n", "x", 2).await;
        let reason = client.answer(|event| match event {
            Event::Incoming(Incoming::PubRec(pubrec)) => Some(pubrec.reason),
            _ => None,
        });
        assert_eq!(reason.await, PubRecReason::NoMatchingSubscribers);
    });
}

fn refused_subscription() {
    block_on(async {
        let broker = broker();
        let mut client = V5::plain("s", &broker).await;
        // More levels than any filter may have, and the answers of somebody else.
        let deep = format!("x{}", "/x".repeat(128));
        let expected = [SubscribeReasonCode::TopicFilterInvalid, SubscribeReasonCode::NotAuthorized];
        for (path, reason) in [deep.as_str(), "$temp/others"].into_iter().zip(expected) {
            assert_eq!(client.try_subscribe(filter(path), None).await, [reason]);
        }
        client.subscribe("x", 1).await;
    });
}

fn filter(path: &str) -> Filter {
    Filter::new(path, QoS::AtLeastOnce)
}

struct V5 {
    client: AsyncClient,
    connack: ConnAck,
    messages: Inbox<Publish>,
    /// Answers, and what has been sent of QoS 0.
    answers: Inbox<Event>,
    pings: Inbox<()>,
    over: Inbox<String>,
    task: JoinHandle<()>,
}

impl Link for V5 {
    async fn open(id: &str, way: &Way) -> Result<Self, String> {
        Self::with(id, way, |_| ()).await
    }

    fn session_present(&self) -> bool {
        self.connack.session_present
    }

    async fn subscribe(&mut self, filter: &str, qos: u8) {
        self.subscribe_as(Filter::new(filter, quality(qos)), None).await;
    }

    async fn unsubscribe(&mut self, filter: &str) {
        self.client.unsubscribe(filter).await.unwrap();
        self.answer(|event| matches!(event, Event::Incoming(Incoming::UnsubAck(_))).then_some(())).await;
    }

    async fn publish(&mut self, topic: &str, payload: &str, qos: u8, retain: bool) {
        self.client.publish(topic, quality(qos), retain, payload.to_owned()).await.unwrap();
        self.confirmed(qos).await;
    }

    async fn send(&mut self, topic: &str, payload: &str, qos: u8) {
        self.client.publish(topic, quality(qos), false, payload.to_owned()).await.unwrap();
    }

    async fn take(&mut self) -> Message {
        let publish = self.messages.take("message").await;
        Message {
            topic: String::from_utf8(publish.topic.to_vec()).unwrap(),
            payload: String::from_utf8(publish.payload.to_vec()).unwrap(),
            qos: publish.qos as u8,
            retain: publish.retain,
            dup: publish.dup,
        }
    }

    async fn nothing(&mut self) {
        self.messages.nothing().await;
    }

    async fn pinged(&mut self) {
        self.pings.take("PINGRESP").await;
    }

    async fn lost(&mut self) -> String {
        self.over.take("end of the connection").await
    }

    async fn leave(mut self) {
        self.client.disconnect().await.unwrap();
        self.over.take("end of the connection").await;
    }

    async fn vanish(self) {
        self.task.abort();
        // The socket is closed when the task is gone.
        let _ = self.task.await;
    }
}

impl V5 {
    async fn plain(id: &str, broker: &Broker) -> Self {
        Self::open(id, &Way::tcp(broker)).await.unwrap()
    }

    async fn adapted(id: &str, broker: &Broker, adapt: impl FnOnce(&mut MqttOptions)) -> Self {
        Self::with(id, &Way::tcp(broker), adapt).await.unwrap()
    }

    /// Connects with options of its own.
    async fn with(id: &str, way: &Way, adapt: impl FnOnce(&mut MqttOptions)) -> Result<Self, String> {
        let mut options = MqttOptions::new(id, &way.host, way.port);
        options.set_transport(way.transport.clone());
        options.set_clean_start(way.clean).set_keep_alive(Duration::from_secs(way.keep_alive));
        options.set_max_packet_size(Some(16 << 20));
        if way.keeps {
            options.set_session_expiry_interval(Some(3600));
        }
        if let Some((user, password)) = way.login {
            options.set_credentials(user, password);
        }
        if let Some((topic, payload, retain)) = &way.will {
            options.set_last_will(LastWill::new(topic, payload.as_str(), QoS::AtLeastOnce, *retain, None));
        }
        adapt(&mut options);
        let (client, mut events) = AsyncClient::new(options, 10);
        let connack = match events.poll().await.map_err(|error| error.to_string())? {
            Event::Incoming(Incoming::ConnAck(connack)) => connack,
            other => panic!("{other:?}"),
        };
        let ((message, messages), (answer, answers)) = (Inbox::new(), Inbox::new());
        let ((ping, pings), (end, over)) = (Inbox::new(), Inbox::new());
        let task = tokio::spawn(async move {
            // Where nobody waits any more, nothing is to be told.
            loop {
                let _ = match events.poll().await {
                    Ok(Event::Incoming(Incoming::Publish(publish))) => message.send(publish).is_ok(),
                    Ok(Event::Incoming(Incoming::PingResp(_))) => ping.send(()).is_ok(),
                    Ok(event) => answer.send(event).is_ok(),
                    Err(error) => {
                        let _ = end.send(error.to_string());
                        return;
                    }
                };
            }
        });
        Ok(Self { client, connack, messages, answers, pings, over, task })
    }

    async fn subscribe_as(&mut self, filter: Filter, properties: Option<SubscribeProperties>) {
        let qos = filter.qos;
        assert_eq!(self.try_subscribe(filter, properties).await, [SubscribeReasonCode::Success(qos)]);
    }

    async fn try_subscribe(
        &mut self,
        filter: Filter,
        properties: Option<SubscribeProperties>,
    ) -> Vec<SubscribeReasonCode> {
        match properties {
            Some(properties) => {
                self.client.subscribe_many_with_properties([filter], properties).await.unwrap();
            }
            None => self.client.subscribe_many([filter]).await.unwrap(),
        }
        self.answer(|event| match event {
            Event::Incoming(Incoming::SubAck(suback)) => Some(suback.return_codes),
            _ => None,
        })
        .await
    }

    /// Publishes with QoS 1 and waits for what confirms it.
    async fn publish_as(&mut self, topic: &str, payload: &'static str, properties: PublishProperties) {
        let sent =
            self.client.publish_with_properties(topic, QoS::AtLeastOnce, false, payload, properties).await;
        sent.unwrap();
        self.confirmed(1).await;
    }

    async fn confirmed(&mut self, qos: u8) {
        self.answer(|event| {
            let confirmed = match event {
                Event::Outgoing(Outgoing::Publish(_)) => qos == 0,
                Event::Incoming(Incoming::PubAck(_)) => qos == 1,
                Event::Incoming(Incoming::PubComp(_)) => qos == 2,
                _ => false,
            };
            confirmed.then_some(())
        })
        .await;
    }

    /// The next answer that `wanted` picks.
    async fn answer<T>(&mut self, wanted: impl Fn(Event) -> Option<T>) -> T {
        loop {
            if let Some(picked) = wanted(self.answers.take("answer").await) {
                return picked;
            }
        }
    }
}

fn quality(qos: u8) -> QoS {
    match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}
