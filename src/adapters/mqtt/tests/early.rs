//! What a client sends behind CONNECT without waiting for CONNACK.

use super::*;

#[test]
fn nothing_is_answered_before_connect() {
    let broker = TestBroker::new();
    // A kept session: its CONNACK waits for the log.
    let connect = [0x10, 15, 0, 4, b'M', b'Q', b'T', b'T', 4, 0, 0, 0, 0, 3, b'b', b'o', b'b'];
    let early = [&connect[..], &[0xC0, 0], &[0x62, 2, 0, 9]].concat();
    let mut client = broker.client(MqttSession::new(options()));
    let out = client.send(&broker, &early);
    assert_eq!(out, [0x20, 2, 0, 0, 0xD0, 0, 0x70, 2, 0, 9]);
}
