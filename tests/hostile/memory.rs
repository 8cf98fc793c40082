//! Memory follows what was sent, never what was claimed.

use super::{Bystanders, broker};
use crate::support::mqtt::V5;
use crate::support::{Mqtt, Stomp};

const CONNECTIONS: usize = 50;
/// Far below one of the claims, far above what that many connections need.
const ALLOWANCE: u64 = 32 << 20;

#[test]
fn claims_cost_nothing() {
    let broker = broker();
    let bystanders = Bystanders::of(&broker);
    let before = broker.resident();
    let mut clients = (Vec::new(), Vec::new());
    for n in 0..CONNECTIONS {
        // Just below the limit of 16 MiB, so that the broker has to wait for the rest.
        let mut mqtt = Mqtt::connect(broker.mqtt(), V5, &format!("claim-{n}"));
        mqtt.write(&[0x30, 0xF0, 0xFF, 0xFF, 0x07, 0, 1, b'a', 0]);
        clients.0.push(mqtt);
        let mut stomp = Stomp::connect(broker.stomp());
        stomp.write(b"SEND\ndestination:/queue/a\ncontent-length:16000000\n\nonly this");
        clients.1.push(stomp);
    }
    bystanders.go_on();
    let grown = broker.resident().saturating_sub(before);
    assert!(grown < ALLOWANCE, "{} connections, {grown} bytes", 2 * CONNECTIONS);
}
