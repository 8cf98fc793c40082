//! rumqttc's client of MQTT 3.1.1.

use std::time::Duration;

use ::rumqttc::{
    AsyncClient, ConnAck, Event, Incoming, LastWill, MqttOptions, Outgoing, Publish, QoS, SubscribeReasonCode,
};
use tokio::task::JoinHandle;

use super::super::rows;
use super::{Inbox, Link, Message, Way, block_on, common, shared};

rows! {
    version_3_1_1
    qos_0
    qos_1
    qos_2
    wildcards
    unsubscribe
    retained
    will
    disconnect
    persistent_session
    take_over
    keep_alive
    shared_subscription
    megabyte
    ten_megabytes
    empty_payload
    utf8_topics
    queue
    password
    tls
    tls_client_certificate
    websocket
    websocket_tls
}

/// What MQTT 3.1.1 has no words for.
pub(in crate::interop::features) const CANNOT: &[(&str, &str)] = &[
    ("version_3_1", "rumqttc speaks 3.1.1 and 5"),
    ("version_5", "the other client"),
    ("retain_handling", "MQTT 5"),
    ("retain_as_published", "MQTT 5"),
    ("no_local", "MQTT 5"),
    ("will_with_delay", "MQTT 5"),
    ("session_expiry", "MQTT 5"),
    ("assigned_client_id", "MQTT 5"),
    ("subscription_identifiers", "MQTT 5"),
    ("request_and_response", "MQTT 5"),
    ("user_properties", "MQTT 5"),
    ("content_type", "MQTT 5"),
    ("payload_format", "MQTT 5"),
    ("message_expiry", "MQTT 5"),
    ("topic_alias_to_broker", "MQTT 5"),
    ("topic_alias_to_client", "MQTT 5"),
    ("receive_maximum", "MQTT 5"),
    ("maximum_packet_size", "MQTT 5"),
    ("no_subscribers", "MQTT 5"),
    ("refused_subscription", "MQTT 5"),
    ("scram", "MQTT 5"),
];

shared! { V4:
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

fn version_3_1_1() {
    block_on(common::version::<V4>());
}

fn password() {
    block_on(async {
        let why = common::password::<V4>().await;
        assert!(why.contains("BadUserNamePassword"), "{why}");
    });
}

fn take_over() {
    block_on(async {
        common::take_over::<V4>().await;
    });
}

fn keep_alive() {
    block_on(common::keep_alive::<V4>(2));
}

struct V4 {
    client: AsyncClient,
    connack: ConnAck,
    messages: Inbox<Publish>,
    /// Answers, and what has been sent of QoS 0.
    answers: Inbox<Event>,
    pings: Inbox<()>,
    over: Inbox<String>,
    task: JoinHandle<()>,
}

impl Link for V4 {
    async fn open(id: &str, way: &Way) -> Result<Self, String> {
        let mut options = MqttOptions::new(id, &way.host, way.port);
        options.set_transport(way.transport.clone());
        options.set_clean_session(way.clean).set_keep_alive(Duration::from_secs(way.keep_alive));
        options.set_max_packet_size(16 << 20, 16 << 20);
        if let Some((user, password)) = way.login {
            options.set_credentials(user, password);
        }
        if let Some((topic, payload, retain)) = &way.will {
            options.set_last_will(LastWill::new(topic, payload.as_str(), QoS::AtLeastOnce, *retain));
        }
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
                    Ok(Event::Incoming(Incoming::PingResp)) => ping.send(()).is_ok(),
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

    fn session_present(&self) -> bool {
        self.connack.session_present
    }

    async fn subscribe(&mut self, filter: &str, qos: u8) {
        let asked = quality(qos);
        self.client.subscribe(filter, asked).await.unwrap();
        let granted = self.answer(|event| match event {
            Event::Incoming(Incoming::SubAck(suback)) => Some(suback.return_codes),
            _ => None,
        });
        assert_eq!(granted.await, [SubscribeReasonCode::Success(asked)]);
    }

    async fn unsubscribe(&mut self, filter: &str) {
        self.client.unsubscribe(filter).await.unwrap();
        self.answer(|event| matches!(event, Event::Incoming(Incoming::UnsubAck(_))).then_some(())).await;
    }

    async fn publish(&mut self, topic: &str, payload: &str, qos: u8, retain: bool) {
        self.client.publish(topic, quality(qos), retain, payload).await.unwrap();
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

    async fn send(&mut self, topic: &str, payload: &str, qos: u8) {
        self.client.publish(topic, quality(qos), false, payload).await.unwrap();
    }

    async fn take(&mut self) -> Message {
        let publish = self.messages.take("message").await;
        Message {
            topic: publish.topic,
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

impl V4 {
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
    ::rumqttc::qos(qos).unwrap()
}
