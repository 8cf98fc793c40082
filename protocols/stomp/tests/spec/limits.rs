//! What is too large, and how early that is noticed.

use wharfmq_stomp::{Decoded, Error, Limits, Scan, decode};

use crate::common::*;

const SMALL: Limits = Limits { frame: 64, head: 40, headers: 3, line: 20 };

fn small(input: &[u8]) -> Result<Decoded<'_>, Error> {
    decode(input, &mut Scan::default(), &SMALL, V12)
}

fn refused(input: &[u8], what: &str) {
    match small(input) {
        Err(Error::TooLarge(found, _)) => assert_eq!(found, what),
        other => panic!("{other:?}"),
    }
}

#[test]
fn limit_of_a_header_line() {
    assert!(small(b"SEND\na:345678901234567890\n\n\0").is_ok());
    refused(b"SEND\na:3456789012345678901\n\n\0", "bytes of a header line");
    refused(b"SEND\na:3456789012345678901", "bytes of a header line");
}

#[test]
fn limit_of_all_headers() {
    assert!(small(b"SEND\na:3456789012345678\nb:3456789012345678\nc\n\n\0").is_ok());
    refused(b"SEND\na:3456789012345678\nb:3456789012345678\nc:\n\n\0", "bytes of headers");
    refused(b"SEND\na:3456789012345678\nb:3456789012345678\nc:x", "bytes of headers");
}

#[test]
fn limit_of_the_number_of_headers() {
    assert!(small(b"SEND\na:1\nb:1\nc:1\n\n\0").is_ok());
    refused(b"SEND\na:1\nb:1\nc:1\nd:1\n", "number of headers");
}

#[test]
fn limit_of_the_frame_by_content_length() {
    // 5 of the command, 18 of the header, 1 of the blank line, 39 of the body, 1 of the NUL.
    assert!(matches!(small(b"SEND\ncontent-length:39\n\n"), Ok(Decoded::Incomplete { missing: Some(40) })));
    refused(b"SEND\ncontent-length:40\n\n", "bytes of the frame");
}

#[test]
fn limit_of_the_frame_without_content_length() {
    let mut input = b"SEND\n\n".to_vec();
    input.resize(63, b'x');
    assert!(
        matches!(small(&[&input[..], b"\0"].concat()), Ok(Decoded::Frame(frame)) if frame.consumed() == 64)
    );
    refused(&[&input[..], b"x\0"].concat(), "bytes of the frame");
    refused(&[&input[..], b"xx"].concat(), "bytes of the frame");
}

#[test]
fn limit_holds_against_huge_lengths() {
    for length in ["2147483648", "18446744073709551615", "18446744073709551616", "99999999999999999999999999"]
    {
        let input = format!("SEND\ncontent-length:{length}\n\n");
        let found = error(input.as_bytes(), V12);
        assert_eq!(found, Error::TooLarge("bytes of the frame", Limits::DEFAULT.frame), "{length}");
    }
}

#[test]
fn limit_of_the_command_line() {
    assert!(is_incomplete(b"UNSUBSCRIBE\r", V12));
    assert!(matches!(error(b"UNSUBSCRIBERS", V12), Error::UnknownCommand(_)));
}

#[test]
fn limits_before_login_are_not_above_the_others() {
    let (before, after) = (Limits::BEFORE_LOGIN, Limits::default());
    assert!(before.frame < after.frame && before.head <= after.head && before.headers < after.headers);
}
