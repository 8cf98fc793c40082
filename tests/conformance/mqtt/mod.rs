//! The numbered clauses of MQTT 5.0 and 3.1.1 that bind a server, named `mqtt5_` or `mqtt3_` and the number.
//! `protocols/mqtt/CONFORMANCE.md` says which test shows which clause.

mod acknowledgements;
mod auth;
mod bytes;
mod client_ids;
mod connect;
mod disconnect;
mod expiry;
mod filters;
mod flow;
mod headers;
mod order;
mod overlap;
mod properties;
mod redelivery;
mod retained;
mod sessions;
mod shared;
mod sizes;
mod subscribe;
mod topics;
mod unsubscribe;
mod websocket;
mod wills;

use std::sync::{Arc, Mutex, Weak};

use crate::support::mqtt::{Options, Packet, Publish, V5, V31, V311};
use crate::support::{Broker, Mqtt};

/// The broker that the tests of this process share for as long as one of them runs.
static SHARED: Mutex<Weak<Broker>> = Mutex::new(Weak::new());

fn broker() -> Arc<Broker> {
    let mut shared = SHARED.lock().unwrap();
    shared.upgrade().unwrap_or_else(|| {
        let broker = Arc::new(Broker::start());
        *shared = Arc::downgrade(&broker);
        broker
    })
}

/// One test in one version, with client ids and topics of its own.
struct Scene {
    broker: Arc<Broker>,
    version: u8,
    name: &'static str,
}

/// Plays a scene in MQTT 3.1.1 and in MQTT 5.
fn both(name: &'static str, scene: impl Fn(&Scene)) {
    each(&[V311, V5], name, scene);
}

/// Plays a scene in every version.
fn all(name: &'static str, scene: impl Fn(&Scene)) {
    each(&[V31, V311, V5], name, scene);
}

/// Plays a scene in MQTT 5.
fn five(name: &'static str, scene: impl Fn(&Scene)) {
    each(&[V5], name, scene);
}

fn each(versions: &[u8], name: &'static str, scene: impl Fn(&Scene)) {
    let broker = broker();
    for &version in versions {
        scene(&Scene { broker: Arc::clone(&broker), version, name });
    }
}

impl Scene {
    fn is_v5(&self) -> bool {
        self.version == V5
    }

    /// A topic or filter that no other scene uses.
    fn topic(&self, tail: &str) -> String {
        format!("{}/{}/{tail}", self.name, self.version)
    }

    /// The client id of a part in this scene.
    fn id(&self, part: &str) -> String {
        format!("{}-{}-{part}", self.name, self.version)
    }

    /// How a part with a clean session connects.
    fn clean(&self, part: &str) -> Options {
        Options::new(self.version, &self.id(part))
    }

    /// How a part whose session is kept connects.
    fn kept(&self, part: &str) -> Options {
        Options::persistent(self.version, &self.id(part))
    }

    /// A connected client with a clean session.
    #[track_caller]
    fn client(&self, part: &str) -> Mqtt {
        self.with(&self.clean(part))
    }

    #[track_caller]
    fn with(&self, options: &Options) -> Mqtt {
        Mqtt::with(self.broker.mqtt(), options)
    }

    /// Connects; gives the client and the body of CONNACK.
    #[track_caller]
    fn login(&self, options: &Options) -> (Mqtt, Vec<u8>) {
        Mqtt::login(self.broker.mqtt(), options)
    }

    /// An open socket on which nothing has been said.
    #[track_caller]
    fn silent(&self) -> Mqtt {
        Mqtt::open(self.broker.mqtt(), self.version)
    }

    /// Sends `bytes` from a connected client and asserts that the connection ends for it: in MQTT 5 with
    /// a DISCONNECT of that reason, else without a word.
    #[track_caller]
    fn is_refused(&self, case: &str, bytes: &[u8], reason: u8) {
        let mut client = self.client("offender");
        client.write(bytes);
        self.ends(client, case, reason);
    }

    /// Asserts that the broker ends the connection for that reason.
    #[track_caller]
    fn ends(&self, client: Mqtt, case: &str, reason: u8) {
        let packets = client.closed();
        let goodbye: Vec<(u8, u8)> = packets.iter().map(|packet| (packet.kind, code(packet, 0))).collect();
        let expected = if self.is_v5() { vec![(14, reason)] } else { Vec::new() };
        assert_eq!(goodbye, expected, "{case}, version {}: {packets:02x?}", self.version);
    }
}

/// A byte of the body; 0 where the packet is shorter, which means success.
fn code(packet: &Packet, at: usize) -> u8 {
    packet.body.get(at).copied().unwrap_or(0)
}

/// Asserts that the next message has this text, and finishes with it.
#[track_caller]
fn gets(client: &mut Mqtt, text: &str) -> Publish {
    let publish = client.take();
    assert_eq!(publish.text(), text);
    publish
}

/// Asserts that nothing waits for the client: what is published now is the next to come.
#[track_caller]
fn nothing_before(client: &mut Mqtt, publisher: &mut Mqtt, topic: &str) {
    publisher.publish(topic, "end", 1);
    assert_eq!(client.take().text(), "end");
}
