//! Bad input: the protocol's own answer, the end of that connection and of no other, and no memory by what
//! was merely claimed.

mod memory;
mod mqtt;
mod openwire;
mod slow;
mod stomp;

use crate::support::{Broker, Mqtt, Setup, Stomp};

/// Long enough for every honest client here, short enough to wait for.
const LOGIN_TIMEOUT: &str = "limits.login_timeout=500ms";

fn broker() -> Broker {
    Setup::new().memory().start()
}

/// Asserts that clients of both protocols, connected all the time, are still served.
struct Bystanders {
    mqtt: Mqtt,
    stomp: Stomp,
}

impl Bystanders {
    fn of(broker: &Broker) -> Self {
        let mut mqtt = Mqtt::connect(broker.mqtt(), 4, "bystander");
        mqtt.subscribe("bystander/mqtt", 1);
        let mut stomp = Stomp::connect(broker.stomp());
        stomp.subscribe("0", "/queue/bystander", "client-individual");
        Self { mqtt, stomp }
    }

    #[track_caller]
    fn go_on(mut self) {
        self.mqtt.publish("bystander/mqtt", "still there", 1);
        assert_eq!(self.mqtt.take().text(), "still there");
        self.stomp.send("/queue/bystander", "still there");
        assert_eq!(self.stomp.take().text(), "still there");
    }
}
