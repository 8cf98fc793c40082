//! Raw header blocks made from raw header blocks.

use bytes::BytesMut;
use wharfmq_stomp::{Command, Error, HeaderRules, Version, reescape, strip};

use crate::common::*;

fn stripped(block: &[u8], rules: impl Into<HeaderRules>, names: &[&str]) -> Result<String, Error> {
    let mut out = BytesMut::new();
    strip(block, rules, names, &mut out).map(|()| String::from_utf8(out.to_vec()).unwrap())
}

fn reescaped(block: &[u8], from: Version, to: Version) -> Result<String, Error> {
    let mut out = BytesMut::new();
    reescape(block, from, to, &mut out).map(|()| String::from_utf8(out.to_vec()).unwrap())
}

#[test]
fn strip_drops_every_repetition_and_keeps_the_rest_as_it_came() {
    let block = b"receipt:1\na\\c:b\\n\nmessage-id:x\nreceipt:2\nreceipts:3\n";
    assert_eq!(stripped(block, V12, &["receipt", "message-id"]).unwrap(), "a\\c:b\\n\nreceipts:3\n");
    assert_eq!(stripped(block, V12, &[]).unwrap().as_bytes(), block);
}

#[test]
fn strip_ends_lines_in_lf() {
    assert_eq!(stripped(b"a:1\r\nreceipt:2\r\nb:3\n", V12, &["receipt"]).unwrap(), "a:1\nb:3\n");
    assert_eq!(stripped(b"a:1", V12, &[]).unwrap(), "a:1\n");
}

#[test]
fn strip_compares_unescaped_names() {
    assert_eq!(stripped(b"a\\cb:1\nc:2\n", V12, &["a:b"]).unwrap(), "c:2\n");
    assert_eq!(stripped(b" receipt :1\nc:2\n", V10, &["receipt"]).unwrap(), "c:2\n");
}

#[test]
fn strip_refuses_malformed_lines() {
    assert_eq!(stripped(b"a:1\nb\n", V12, &["a"]), Err(Error::NoColon(2)));
    assert_eq!(stripped(b"a:\\x\n", V12, &["a"]), Err(Error::Escape(1)));
}

#[test]
fn reescape_between_versions() {
    let block = b"a\\cb:1\\n2\\r3\\\\4\\c5\n";
    assert_eq!(reescaped(block, V12, V12).unwrap().as_bytes(), block);
    assert_eq!(reescaped(block, V12, V11).unwrap(), "a\\cb:1\\n2\r3\\\\4\\c5\n");
    assert_eq!(reescaped(block, V12, V10).unwrap(), "a?b:1?2?3\\4:5\n");
    assert_eq!(reescaped(b"p: C:\\new \n", V10, V12).unwrap(), "p:C\\c\\\\new\n");
    assert_eq!(reescaped(b"a:1\r2\n", V11, V12).unwrap(), "a:1\\r2\n");
}

#[test]
fn reescape_can_make_nothing_but_the_headers_it_was_given() {
    let text = reescaped(b"a:1\\nadmin:true\\r\\nx:y\n", V12, V10).unwrap();
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn rules_of_connect_differ() {
    let connect = HeaderRules::of(V12, Command::Connect);
    assert_ne!(connect, HeaderRules::from(V12));
    assert_eq!(stripped(b"a:\\x\r\n", connect, &[]).unwrap(), "a:\\x\n");
}
