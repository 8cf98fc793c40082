//! The two ends of a connection: its port into the broker, and the session of its protocol.

use std::sync::Arc;

use crate::adapters::Session;
use crate::adapters::mqtt::{MqttOptions, MqttSession};
use crate::adapters::stomp::{StompOptions, StompSession};
use crate::broker::{Broker, Now, Peer, Port};
use crate::config::Settings;
use crate::net::{Proto, Sessions};

/// Makes sessions of every protocol the broker speaks.
pub(super) struct Adapters {
    broker: Arc<Broker>,
    mqtt: MqttOptions,
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
        Self {
            broker,
            mqtt: MqttOptions { max_packet: max_frame, max_packet_before_login: before_login },
            stomp,
        }
    }
}

impl Sessions for Adapters {
    fn port(&self, peer: Arc<Peer>, now: Now) -> Port {
        Port::new(Arc::clone(&self.broker), self.broker.next_conn(), peer, now)
    }

    fn session(&self, proto: Proto, _peer: &Peer) -> Box<dyn Session> {
        match proto {
            Proto::Mqtt => Box::new(MqttSession::new(self.mqtt)),
            Proto::Stomp => Box::new(StompSession::new(self.stomp)),
        }
    }
}
