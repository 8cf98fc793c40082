//! STOMP 1.0.

use wharfmq_stomp::{Command, Decoded, Error};

use crate::common::*;

#[test]
fn v10_connect_example_with_padding() {
    let input = b"CONNECT\nlogin: <username>\npasscode:<passcode>\n\n\0";
    let frame = frame(input, V10);
    assert_eq!(frame.command(), Command::Connect);
    assert_eq!(frame.get("login").unwrap().as_deref(), Some("<username>"));
    assert_eq!(frame.get("passcode").unwrap().as_deref(), Some("<passcode>"));
    assert_eq!(frame.consumed(), input.len());
}

#[test]
fn v10_every_command() {
    let all = [
        "SEND",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "BEGIN",
        "COMMIT",
        "ABORT",
        "ACK",
        "NACK",
        "DISCONNECT",
        "CONNECT",
        "STOMP",
        "CONNECTED",
        "MESSAGE",
        "RECEIPT",
        "ERROR",
    ];
    for name in all {
        let input = format!("{name}\n\n\0");
        assert_eq!(frame(input.as_bytes(), V10).command().as_str(), name);
    }
}

#[test]
fn v10_headers_and_body_are_optional() {
    let frame = frame(b"DISCONNECT\n\n\0", V10);
    assert_eq!((frame.head(), frame.body(), frame.headers().count()), ("", &b""[..], 0));
}

#[test]
fn v10_no_escapes() {
    assert_eq!(value(b"SEND\npath:C:\\new\\temp\n\n\0", V10, "path").unwrap(), "C:\\new\\temp");
}

#[test]
fn v10_name_is_trimmed() {
    assert_eq!(value(b"SEND\n destination : /queue/a \n\n\0", V10, "destination").unwrap(), "/queue/a");
}

#[test]
fn v10_line_feed_only() {
    assert_eq!(error(b"SEND\r\ndestination:/queue/a\r\n\r\nx\0", V10), Error::CarriageReturn);
    assert_eq!(error(b"SEND\ndestination:/queue/a\n\r\nx\0", V10), Error::CarriageReturn);
}

#[test]
fn v10_connect_may_end_lines_with_cr_lf() {
    // The sender may speak 1.2, which allows it; nobody knows yet.
    let input = b"CONNECT\r\naccept-version:1.2\r\nlogin:me\r\n\r\n\0";
    assert_eq!(value(input, V10, "accept-version").unwrap(), "1.2");
    assert_eq!(value(input, V10, "login").unwrap(), "me");
}

#[test]
fn v10_content_length_counts_bytes_with_nuls() {
    let frame = frame(b"SEND\ndestination:/queue/a\ncontent-length: 3\n\na\0b\0", V10);
    assert_eq!(frame.body(), b"a\0b");
    assert!(frame.has_content_length());
}

#[test]
fn v10_without_content_length_first_nul_ends() {
    let frame = frame(b"SEND\n\na\0b\0", V10);
    assert_eq!(frame.body(), b"a");
    assert_eq!(frame.consumed(), 8);
    assert!(!frame.has_content_length());
}

#[test]
fn v10_content_length_still_needs_the_nul() {
    assert_eq!(error(b"SEND\ncontent-length:2\n\nabc\0", V10), Error::BodyNotTerminated(2));
}

#[test]
fn v10_body_of_subscribe_is_ignored() {
    assert_eq!(frame(b"SUBSCRIBE\ndestination:/queue/a\n\nignored\0", V10).consumed(), 40);
}

#[test]
fn v10_line_feeds_between_frames() {
    assert!(matches!(try_decode(b"\n\n\nSEND\n\n\0", V10), Ok(Decoded::HeartBeat(3))));
}

#[test]
fn v10_unknown_command() {
    assert_eq!(error(b"SENT\n\n\0", V10).to_string(), "unknown command 'SENT'");
    assert_eq!(error(b"GET / HTTP/1.1\r\n", V10).to_string(), "unknown command 'GET / HTTP/1.'");
    let hello = error(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03xyz", V10).to_string();
    assert!(hello.starts_with("unknown command '\\x16\\x03\\x01"), "{hello}");
}

#[test]
fn v10_commands_are_case_sensitive() {
    assert!(matches!(error(b"send\n\n\0", V10), Error::UnknownCommand(_)));
}

#[test]
fn v10_header_without_colon() {
    assert_eq!(header_error(b"SEND\na:b\nnonsense\n\n\0", V10), Error::NoColon(2));
}

#[test]
fn v10_empty_header_name() {
    assert_eq!(header_error(b"SEND\n :b\n\n\0", V10), Error::EmptyName(1));
}
