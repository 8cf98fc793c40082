//! STOMP 1.1: what it adds to 1.0 or changes.

use wharfmq_stomp::{Command, Decoded, Error};

use crate::common::*;

#[test]
fn v11_escapes() {
    let input = b"SEND\na\\cb:1\\n2\\c3\\\\4\n\n\0";
    assert_eq!(pairs(&frame(input, V11)).unwrap(), [("a:b".to_owned(), "1\n2:3\\4".to_owned())]);
}

#[test]
fn v11_escape_cr_is_undefined() {
    assert_eq!(header_error(b"SEND\na:b\\rc\n\n\0", V11), Error::Escape(1));
}

#[test]
fn v11_undefined_escape_is_fatal() {
    for input in [
        &b"SEND\na:b\\tc\n\n\0"[..],
        b"SEND\na\\t:b\n\n\0",
        b"SEND\na:b\\\n\n\0",
        "SEND\na:\\é\n\n\0".as_bytes(),
    ] {
        assert_eq!(header_error(input, V11), Error::Escape(1), "{}", input.escape_ascii());
    }
}

#[test]
fn v11_double_backslash_before_a_letter() {
    assert_eq!(value(b"SEND\na:\\\\n\\\\\\\\c\\\\\n\n\0", V11, "a").unwrap(), "\\n\\\\c\\");
}

#[test]
fn v11_connect_is_not_escaped() {
    for command in ["CONNECT", "STOMP", "CONNECTED"] {
        let input = format!("{command}\npasscode:a\\cb\\t:c\n\n\0");
        assert_eq!(value(input.as_bytes(), V11, "passcode").unwrap(), "a\\cb\\t:c");
    }
}

#[test]
fn v11_never_trims() {
    assert_eq!(value(b"SEND\na : b \n\n\0", V11, "a ").unwrap(), " b ");
    assert_eq!(value(b"SEND\na : b \n\n\0", V11, "a"), None);
    assert_eq!(value(b"CONNECT\npasscode: x \n\n\0", V11, "passcode").unwrap(), " x ");
}

#[test]
fn v11_cr_is_data() {
    assert_eq!(value(b"SEND\na:b\r\n\n\0", V11, "a").unwrap(), "b\r");
    assert_eq!(error(b"SEND\r\na:b\r\n\r\n\0", V11), Error::CarriageReturn);
}

#[test]
fn v11_headers_are_utf8() {
    assert_eq!(value("SEND\nnaïve:日本\n\n\0".as_bytes(), V11, "naïve").unwrap(), "日本");
    assert_eq!(error(b"SEND\na:\xff\n\n\0", V11), Error::NotUtf8);
}

#[test]
fn v11_body_may_be_any_octets() {
    assert_eq!(frame(b"SEND\n\n\xff\xfe\0", V11).body(), b"\xff\xfe");
}

#[test]
fn v11_only_three_frames_have_a_body() {
    for command in ["SEND", "MESSAGE", "ERROR"] {
        assert_eq!(frame(format!("{command}\n\nx\0").as_bytes(), V11).body(), b"x");
    }
    assert_eq!(error(b"SUBSCRIBE\n\nx\0", V11), Error::BodyNotAllowed(Command::Subscribe));
    assert_eq!(error(b"ACK\ncontent-length:1\n\n", V11), Error::BodyNotAllowed(Command::Ack));
}

#[test]
fn v11_empty_body_is_tolerated_on_every_frame() {
    assert_eq!(frame(b"ACK\ncontent-length:0\n\n\0", V11).consumed(), 23);
    assert_eq!(frame(b"ACK\n\n\n\n\0", V11).consumed(), 8);
}

#[test]
fn v11_repeated_header_first_wins() {
    assert_eq!(value(b"MESSAGE\nfoo:World\nfoo:Hello\n\n\0", V11, "foo").unwrap(), "World");
}

#[test]
fn v11_heart_beat_is_a_line_feed() {
    assert!(matches!(try_decode(b"\n", V11), Ok(Decoded::HeartBeat(1))));
}

#[test]
fn v11_stomp_is_connect() {
    assert_eq!(frame(b"STOMP\naccept-version:1.1\n\n\0", V11).command(), Command::Stomp);
    assert!(Command::Stomp.is_handshake() && Command::Stomp.is_client());
}

#[test]
fn v11_unescaped_colon_in_a_value_is_tolerated() {
    assert_eq!(value(b"SEND\nreply-to:queue://a\n\n\0", V11, "reply-to").unwrap(), "queue://a");
}
