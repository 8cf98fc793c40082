//! MQTT over WebSocket (chapter 6), with frames by hand.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use super::bytes::{Connect, subscribe};
use crate::support::mqtt::{V5, V311};
use crate::support::{Broker, PATIENCE, Setup};

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;

/// A connection that has been upgraded, and the broker's response.
#[track_caller]
fn upgraded(broker: &Broker, protocols: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(broker.address("ws")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!(
        "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: {protocols}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        response.push(byte[0]);
    }
    (stream, String::from_utf8(response).unwrap())
}

/// A frame under a mask of zeros, which leaves the payload as it is.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).unwrap();
    assert!(len < 126);
    [&[first, 0x80 | len, 0, 0, 0, 0][..], payload].concat()
}

/// The first byte of the next frame, and its payload.
#[track_caller]
fn next(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    assert!(head[1] < 126, "a short frame without a mask");
    let mut payload = vec![0; usize::from(head[1])];
    stream.read_exact(&mut payload).unwrap();
    (head[0], payload)
}

fn broker() -> Broker {
    Setup::new().listen("ws://127.0.0.1:0").start()
}

#[test]
fn mqtt5_6_0_0_1_packets_come_in_binary_frames_and_no_others_are_taken() {
    let broker = broker();
    for version in [V311, V5] {
        let connect = Connect::new(version, "c").bytes();
        let (mut stream, _) = upgraded(&broker, "mqtt");
        stream.write_all(&frame(BINARY, &connect)).unwrap();
        let (first, connack) = next(&mut stream);
        assert_eq!((first, connack[0]), (BINARY, 0x20));
        stream.write_all(&frame(TEXT, b"text")).unwrap();
        // What is said before the end is the transport's matter.
        let end = stream.read_to_end(&mut Vec::new()).map_err(|error| error.kind());
        assert!(matches!(end, Ok(_) | Err(ErrorKind::ConnectionReset)), "{end:?}");
    }
}

#[test]
fn mqtt5_6_0_0_2_frames_and_packets_need_not_begin_together() {
    let broker = broker();
    for version in [V311, V5] {
        let connect = Connect::new(version, "c").bytes();
        let all = [connect, subscribe(version, 7, &[], &[("a", 1)]), vec![0xC0, 0]].concat();
        for size in [1, 3, all.len()] {
            let (mut stream, _) = upgraded(&broker, "mqtt");
            for part in all.chunks(size) {
                stream.write_all(&frame(BINARY, part)).unwrap();
            }
            let mut came = Vec::new();
            while !came.ends_with(&[0xD0, 0]) {
                came.extend(next(&mut stream).1);
            }
            assert_eq!(came[0], 0x20);
            assert!(came.windows(2).any(|bytes| bytes[0] == 0x90), "{came:02x?}");
        }
    }
}

#[test]
fn mqtt5_6_0_0_3_and_4_the_subprotocol_is_mqtt() {
    let broker = broker();
    for offered in ["mqtt", "other, mqtt", "mqtt, other"] {
        let (_, response) = upgraded(&broker, offered);
        assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
        let chosen = response.lines().find(|line| line.to_lowercase().starts_with("sec-websocket-protocol:"));
        assert_eq!(chosen.and_then(|line| line.split(": ").nth(1)), Some("mqtt"));
    }
    let (_, response) = upgraded(&broker, "MQTT");
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
}
