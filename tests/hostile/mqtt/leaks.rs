//! What clients leave behind: nothing.

use std::io::Write;
use std::net::SocketAddr;
use std::thread;

use super::bytes::{connect, field, publish, subscribe};
use crate::support::mqtt::{V5, V311};
use crate::support::{Mqtt, Setup, until};

const THREADS: usize = 4;
/// Connections before memory is looked at first: until then buffers and tables find their size.
const WARM_UP: usize = 2_000;
const CONNECTIONS: usize = 20_000;
const GROWTH_MAX: u64 = 8 << 20;

#[test]
fn twenty_thousand_visits_leave_no_memory_behind() {
    let broker = Setup::new().memory().start();
    let sockets = broker.sockets();
    visits(broker.mqtt(), WARM_UP);
    until("the connections are gone", || broker.sockets() == sockets);
    let before = broker.resident();
    visits(broker.mqtt(), CONNECTIONS - WARM_UP);
    until("the connections are gone", || broker.sockets() == sockets);
    let grown = broker.resident().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "{grown} bytes more after {CONNECTIONS} connections");
}

fn visits(broker: SocketAddr, count: usize) {
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || (0..count / THREADS).for_each(|nth| visit(broker, thread, nth)));
        }
    });
}

/// Connects, subscribes, publishes, and leaves in one of several bad ways, all in one write.
fn visit(broker: SocketAddr, thread: usize, nth: usize) {
    let version = if nth.is_multiple_of(2) { V5 } else { V311 };
    let topic = format!("visit/{thread}/{}", nth % 500);
    let mut login = connect(version).payload(&[field(format!("visitor-{thread}-{}", nth % 100))]);
    if version == V5 && nth.is_multiple_of(3) {
        // A session that is kept, until the next visit under this name.
        login = login.properties(&[0x11, 0, 0, 0, 60]);
    }
    let hostile: &[u8] = match nth % 6 {
        0 => &[0xE0, 0],
        1 => &[0x36, 5, 0, 1, b'a', 0, 1],
        2 => &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1],
        3 => &[0x82, 2, 0, 1],
        4 => &[0x20, 2, 0, 0],
        _ => &[0x40, 2, 0, 0],
    };
    let all = [
        login.bytes(),
        subscribe(version, &[], &[(topic.as_bytes(), 2), (b"visit/+/0", 0)]),
        publish(version, 0x34, topic.as_bytes(), Some(9), &[]),
        hostile.to_vec(),
    ]
    .concat();
    let mut client = Mqtt::open(broker, version);
    // Fails where the broker has closed before it has read all.
    let _ = client.stream.write_all(&all);
    client.closed();
}
