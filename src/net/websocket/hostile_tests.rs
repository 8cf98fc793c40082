//! Clients that break the rules of RFC 6455: each is told by which, with a close frame, and let go.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::testing::*;
use super::*;
use crate::adapters::{Close, Closed};
use crate::net::testing::*;
use crate::net::{Limits, Proto};

/// What is sent ends the connection, after what was good before it, with `code`.
async fn refused_within(proto: Proto, bytes: &[u8], code: u16) {
    let (hub, seen) = hub(Limits::default());
    let (client, task) = served(&hub, 4_096, proto);
    let (mut reader, mut writer) = tokio::io::split(client);
    let good = frame(ECHO, b"before");
    let write = async {
        writer.write_all(&[&binary(&good), bytes].concat()).await.unwrap();
        // Whatever follows is read and dropped, so that no reset takes the close frame back.
        let _ = writer.write_all(&binary(&frame(ECHO, b"behind"))).await;
        let _ = writer.shutdown().await;
    };
    let read = async {
        let (_, payload) = read_frame(&mut reader).await.unwrap();
        assert_eq!(payload, good);
        assert_eq!(
            read_frame(&mut reader).await,
            Some((FIN | CLOSE, code.to_be_bytes().to_vec())),
            "{bytes:?}"
        );
        assert_eq!(reader.read(&mut [0]).await.unwrap(), 0);
    };
    tokio::join!(write, read);
    task.await.unwrap();
    assert!(matches!(&seen.closed.lock()[..], [Closed::Session(Close::Violation(_))]), "{bytes:?}");
}

async fn refused(bytes: &[u8], code: u16) {
    refused_within(Proto::Mqtt, bytes, code).await;
}

#[tokio::test(start_paused = true)]
async fn a_frame_without_a_mask() {
    refused(&[FIN | BINARY, 1, b'x'], code::PROTOCOL_ERROR).await;
}

#[tokio::test(start_paused = true)]
async fn text_within_mqtt() {
    refused(&masked(FIN | TEXT, b"x"), code::UNSUPPORTED).await;
    refused(&masked(TEXT, b""), code::UNSUPPORTED).await;
}

#[tokio::test(start_paused = true)]
async fn text_that_is_not_utf8() {
    refused_within(Proto::Stomp, &masked(FIN | TEXT, b"\xff"), code::NOT_UTF8).await;
    // Half a character at the end of the message.
    let halves = [masked(TEXT, b"\xe2"), masked(FIN, b"")].concat();
    refused_within(Proto::Stomp, &halves, code::NOT_UTF8).await;
    let long = [&frame_head(ECHO, 200_000)[..], &vec![b'a'; 100_000], b"\xff"].concat();
    let (hub, seen) = hub(Limits::default());
    let (mut client, _task) = served(&hub, 200_000, Proto::Stomp);
    client.write_all(&masked(FIN | TEXT, &long)).await.unwrap();
    while read_frame(&mut client).await.unwrap() != (FIN | CLOSE, code::NOT_UTF8.to_be_bytes().to_vec()) {}
    assert_eq!(seen.closed.lock().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn reserved_bits_and_opcodes() {
    for bit in [0x10, 0x20, 0x40] {
        refused(&masked(FIN | bit | BINARY, b"x"), code::PROTOCOL_ERROR).await;
    }
    for opcode in (3..8).chain(11..16) {
        refused(&masked(FIN | opcode, b""), code::PROTOCOL_ERROR).await;
    }
}

#[tokio::test(start_paused = true)]
async fn control_frames_too_long_or_in_fragments() {
    for opcode in [PING, PONG, CLOSE] {
        refused(&masked(FIN | opcode, &[0; 126]), code::PROTOCOL_ERROR).await;
        refused(&masked(opcode, b""), code::PROTOCOL_ERROR).await;
    }
    refused(&[FIN | PING, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0], code::PROTOCOL_ERROR).await;
}

#[tokio::test(start_paused = true)]
async fn fragments_out_of_order() {
    refused(&masked(FIN, b"x"), code::PROTOCOL_ERROR).await;
    refused(&masked(0, b"x"), code::PROTOCOL_ERROR).await;
    let within = [masked(BINARY, &[0]), binary(&[0])].concat();
    refused(&within, code::PROTOCOL_ERROR).await;
    let within = [masked(TEXT, b"\0"), binary(&[0])].concat();
    refused_within(Proto::Stomp, &within, code::PROTOCOL_ERROR).await;
}

#[tokio::test(start_paused = true)]
async fn lengths_that_are_padded_or_impossible() {
    refused(&[FIN | BINARY, 0x80 | 126, 0, 125, 1, 2, 3, 4], code::PROTOCOL_ERROR).await;
    refused(&[FIN | BINARY, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 1, 2, 3, 4], code::PROTOCOL_ERROR)
        .await;
    refused(&[FIN | BINARY, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], code::PROTOCOL_ERROR).await;
}

#[tokio::test(start_paused = true)]
async fn close_frames_with_bad_codes() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535u16] {
        refused(&masked(FIN | CLOSE, &code.to_be_bytes()), code::PROTOCOL_ERROR).await;
    }
    refused(&masked(FIN | CLOSE, &[3]), code::PROTOCOL_ERROR).await;
    refused(&masked(FIN | CLOSE, &[0x03, 0xE8, 0xFF]), code::NOT_UTF8).await;
}

/// The largest length that can be said reserves nothing, and what is within is bounded as over TCP.
#[tokio::test(start_paused = true)]
async fn a_length_that_is_a_lie() {
    let (hub, seen) = hub(Limits { login_bytes: 10_000, ..Limits::default() });
    let (mut client, task) = served(&hub, 4_096, Proto::Mqtt);
    let head = [FIN | BINARY, 0x80 | 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
    client.write_all(&head).await.unwrap();
    client.write_all(&frame_head(ECHO, 1 << 20)).await.unwrap();
    let mut sent = 0;
    while seen.closed.lock().is_empty() && client.write_all(&[0; 1_000]).await.is_ok() {
        sent += 1_000;
        assert!(sent < 100_000, "{sent} bytes before the login");
    }
    assert_eq!(read_frame(&mut client).await, Some((FIN | CLOSE, code::POLICY.to_be_bytes().to_vec())));
    drop(client);
    task.await.unwrap();
}

/// Frames without payload keep nobody busy for ever, and do not count as a login.
#[tokio::test(start_paused = true)]
async fn nothing_but_empty_frames() {
    let (hub, seen) = hub(Limits::default());
    let (mut client, task) = served(&hub, 4_096, Proto::Mqtt);
    let empty = [masked(BINARY, b""), masked(0, b"").repeat(50), masked(FIN, b"")].concat();
    while seen.closed.lock().is_empty() {
        if client.write_all(&empty).await.is_err() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    drop(client);
    task.await.unwrap();
    assert!(matches!(&seen.closed.lock()[..], [Closed::Session(Close::TimedOut(_))]));
}

#[tokio::test(start_paused = true)]
async fn the_stream_ends_within_a_frame() {
    for cut in 1..20 {
        let (hub, seen) = hub(Limits::default());
        let (mut client, task) = served(&hub, 4_096, Proto::Mqtt);
        let bytes = binary(&frame(ECHO, &[1; 50]));
        client.write_all(&bytes[..cut]).await.unwrap();
        drop(client);
        task.await.unwrap();
        assert_eq!(*seen.closed.lock(), [Closed::Lost], "{cut}");
    }
}
