//! STOMP 1.2: what it adds to 1.1 or changes.

use wharfmq_stomp::{Decoded, Error, get, headers};

use crate::common::*;

#[test]
fn v12_escape_cr() {
    assert_eq!(value(b"SEND\na:b\\rc\n\n\0", V12, "a").unwrap(), "b\rc");
}

#[test]
fn v12_all_escapes_in_name_and_value() {
    let input = b"SEND\n\\r\\n\\c\\\\:\\\\\\c\\n\\r\n\n\0";
    assert_eq!(pairs(&frame(input, V12)).unwrap(), [("\r\n:\\".to_owned(), "\\:\n\r".to_owned())]);
}

#[test]
fn v12_undefined_escape_is_fatal() {
    assert_eq!(header_error(b"SEND\nok:1\na:b\\tc\n\n\0", V12), Error::Escape(2));
}

#[test]
fn v12_cr_lf_ends_lines() {
    let input = b"SEND\r\ndestination:/queue/a\r\ncontent-length:1\r\n\r\nx\0\r\n";
    let frame = frame(input, V12);
    assert_eq!(frame.get("destination").unwrap().as_deref(), Some("/queue/a"));
    assert_eq!(frame.body(), b"x");
    assert_eq!(frame.consumed(), input.len() - 2);
    assert!(matches!(try_decode(b"\r\n", V12), Ok(Decoded::HeartBeat(2))));
}

#[test]
fn v12_line_ends_may_be_mixed() {
    assert_eq!(value(b"SEND\r\na:b\nc:d\r\n\nx\0", V12, "c").unwrap(), "d");
}

#[test]
fn v12_cr_within_a_line_is_refused() {
    assert_eq!(header_error(b"SEND\na:b\rc\n\n\0", V12), Error::CarriageReturn);
    assert_eq!(header_error(b"SEND\na:b\r\r\n\n\0", V12), Error::CarriageReturn);
}

#[test]
fn v12_cr_alone_between_frames_waits_for_its_lf() {
    assert!(is_incomplete(b"\r", V12));
    assert!(matches!(try_decode(b"\n\r", V12), Ok(Decoded::HeartBeat(1))));
    assert!(matches!(error(b"\rSEND\n\n\0", V12), Error::UnknownCommand(_)));
}

#[test]
fn v12_repeated_header_first_wins() {
    let input = b"MESSAGE\nfoo:World\nfoo:Hello\n\n\0";
    assert_eq!(value(input, V12, "foo").unwrap(), "World");
    assert_eq!(frame(input, V12).headers().count(), 2);
}

#[test]
fn v12_empty_value_is_a_value() {
    assert_eq!(value(b"SEND\na:\n\n\0", V12, "a").unwrap(), "");
}

#[test]
fn v12_empty_name_is_refused() {
    assert_eq!(header_error(b"SEND\n:a\n\n\0", V12), Error::EmptyName(1));
}

#[test]
fn v12_header_names_are_case_sensitive() {
    assert_eq!(value(b"SEND\nContent-Length:9\n\nab\0", V12, "content-length"), None);
}

#[test]
fn v12_connect_is_not_escaped_and_may_have_cr_lf() {
    assert_eq!(value(b"CONNECT\r\npasscode:\\r\\c\r\n\r\n\0", V12, "passcode").unwrap(), "\\r\\c");
}

#[test]
fn v12_nul_in_headers_is_refused() {
    assert_eq!(error(b"SEND\ndestination:/queue/a\0", V12), Error::NulInHeaders);
    assert_eq!(error(b"SEND\0", V12), Error::NulInHeaders);
}

#[test]
fn v12_content_length_must_be_a_number() {
    for bad in ["", "x", "-1", "+1", "1.0", "0x10", "1 2", "１"] {
        let input = format!("SEND\ncontent-length:{bad}\n\n");
        assert_eq!(error(input.as_bytes(), V12), Error::ContentLength, "{bad}");
    }
}

#[test]
fn v12_content_length_once() {
    assert_eq!(error(b"SEND\ncontent-length:1\ncontent-length:1\n\n", V12), Error::ContentLengthRepeated);
}

#[test]
fn v12_content_length_is_not_a_prefix() {
    assert!(!frame(b"SEND\ncontent-length-x:9\ncontent-len:9\n\nab\0", V12).has_content_length());
}

#[test]
fn v12_body_without_its_nul_is_refused() {
    assert_eq!(error(b"SEND\ncontent-length:2\n\nabcd", V12), Error::BodyNotTerminated(2));
}

#[test]
fn v12_ranges_point_into_the_input() {
    let input = b"SEND\r\na:b\r\nc:d\n\r\nbody\0next";
    let frame = frame(input, V12);
    assert_eq!(&input[frame.head_range()], b"a:b\r\nc:d\n");
    assert_eq!(&input[frame.body_range()], b"body");
    assert_eq!(&input[frame.whole_range()], &input[..input.len() - 4]);
}

#[test]
fn v12_raw_blocks_can_be_read_again() {
    let block = b"a:\\c1\nb:2\n";
    assert_eq!(get(block, V12, "a").unwrap().as_deref(), Some(":1"));
    assert_eq!(get(block, V10, "a").unwrap().as_deref(), Some("\\c1"));
    assert_eq!(get(block, V12, "c"), Ok(None));
    assert_eq!(headers(b"a:1\nb:\xff", V12).collect::<Vec<_>>(), [Err(Error::NotUtf8)]);
    assert_eq!(headers(b"a:1\nb\nc:3", V12).filter_map(Result::err).collect::<Vec<_>>(), [Error::NoColon(2)]);
    assert_eq!(headers(b"last:line without its end", V12).count(), 1);
}

#[test]
fn v12_errors_do_not_repeat_values() {
    let secret = b"CONNECT\nhunter2\n\n\0";
    assert!(!header_error(secret, V12).to_string().contains("hunter2"));
}
