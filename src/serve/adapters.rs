//! The two ends of a connection: its port into the broker, and the session of its protocol.

use std::sync::Arc;

use crate::adapters::Session;
use crate::adapters::mqtt::{MqttOptions, MqttSession};
use crate::adapters::openwire::{OpenWireOptions, OpenWireSession, OpenWireVoice};
use crate::adapters::stomp::{StompOptions, StompSession};
use crate::broker::{Broker, Now, Peer, Port};
use crate::config::Settings;
use crate::config::settings::Mqtt;
use crate::net::{Proto, Sessions};

/// Makes sessions of every protocol the broker speaks.
pub(super) struct Adapters {
    broker: Arc<Broker>,
    mqtt: Arc<MqttOptions>,
    openwire: Arc<OpenWireOptions>,
    stomp: StompOptions,
}

impl Adapters {
    pub(super) fn new(broker: Arc<Broker>, settings: &Settings) -> Self {
        let max_frame = u32::try_from(settings.limits.max_frame.0).unwrap_or(u32::MAX);
        let before_login = u32::try_from(settings.limits.max_frame_before_login.0).unwrap_or(u32::MAX);
        let stomp = StompOptions {
            max_frame: max_frame as usize,
            max_frame_before_login: before_login as usize,
            ..StompOptions::default()
        };
        let openwire = OpenWireOptions {
            max_frame: max_frame as usize,
            max_frame_before_login: before_login as usize,
            broker_id: format!("ID:wharfmq-{:x}", broker.now().wall.0).into(),
            ..OpenWireOptions::default()
        };
        let openwire = Arc::new(openwire);
        broker.set_voice(Arc::new(OpenWireVoice::new(Arc::clone(&openwire))));
        Self { broker, mqtt: Arc::new(mqtt(&settings.mqtt, max_frame, before_login)), openwire, stomp }
    }
}

impl Sessions for Adapters {
    fn port(&self, peer: Arc<Peer>, now: Now) -> Port {
        Port::new(Arc::clone(&self.broker), self.broker.next_conn(), peer, now)
    }

    fn session(&self, proto: Proto, _peer: &Peer) -> Box<dyn Session> {
        match proto {
            Proto::Mqtt => Box::new(MqttSession::new(Arc::clone(&self.mqtt))),
            Proto::OpenWire => Box::new(OpenWireSession::new(Arc::clone(&self.openwire))),
            Proto::Stomp => Box::new(StompSession::new(self.stomp)),
        }
    }
}

fn mqtt(settings: &Mqtt, max_packet: u32, max_packet_before_login: u32) -> MqttOptions {
    MqttOptions {
        max_packet,
        max_packet_before_login,
        max_inflight: settings.max_inflight,
        receive_maximum: settings.receive_maximum,
        max_publish_rate: settings.max_publish_rate,
        max_subscriptions: settings.max_subscriptions as usize,
        max_topic_levels: settings.max_topic_levels.into(),
        max_topic_length: settings.max_topic_length.into(),
        topic_aliases: settings.topic_aliases,
        max_keep_alive: settings.max_keep_alive,
        max_session_expiry: settings.max_session_expiry,
        check_payload_format: settings.check_payload_format,
        response_topic: settings.response_topic.as_str().into(),
        server_reference: settings.server_reference.as_deref().map(Into::into),
    }
}
