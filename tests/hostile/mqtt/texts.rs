//! Strings that are no text, in every place that has one.

use super::bytes::{connect, field, publish, subscribe, unsubscribe};
use super::case::{ALL, Corpus, End, FIVE, V3};
use crate::support::mqtt::{V5, packet};

const WRONG: [(&str, &[u8]); 12] = [
    ("U+0000", b"a\0b"),
    ("U+0000 alone", b"\0"),
    ("an overlong slash", b"\xC0\xAF"),
    ("an overlong U+0000", b"\xC0\x80"),
    ("three bytes for two", b"\xE0\x80\xAF"),
    ("a high surrogate", b"\xED\xA0\x80"),
    ("a low surrogate", b"\xED\xBF\xBF"),
    ("a pair of surrogates", b"\xED\xA0\xBD\xED\xB8\x80"),
    ("more than U+10FFFF", b"\xF4\x90\x80\x80"),
    ("a byte that never is", b"\xFF"),
    ("a continuation alone", b"a\x80"),
    ("a character that is cut", b"a\xE2\x82"),
];

pub(super) fn add(corpus: &mut Corpus) {
    for (what, text) in WRONG {
        let id = |version| connect(version).payload(&[field(text)]).bytes();
        corpus.first(format!("client id: {what}"), FIVE, id, End::Connack(0x81));
        corpus.first(format!("client id before MQTT 5: {what}"), V3, id, End::Closed);
        let user = |version| connect(version).flags(0x82).payload(&[field("text"), field(text)]).bytes();
        corpus.first(format!("user name: {what}"), FIVE, user, End::Connack(0x81));
        corpus.first(format!("user name before MQTT 5: {what}"), V3, user, End::Closed);
        let topic = |version| publish(version, 0x30, text, None, &[]);
        corpus.connected(format!("topic: {what}"), ALL, topic, End::Violation(0x81));
        let filter = |version| subscribe(version, &[], &[(text, 0)]);
        corpus.connected(format!("filter: {what}"), ALL, filter, End::Violation(0x81));
        let filter = |version| unsubscribe(version, &[], &[text]);
        corpus.connected(format!("filter to leave: {what}"), ALL, filter, End::Violation(0x81));
        let user = [&[0x26][..], &field("k"), &field(text)].concat();
        let pair = |version| publish(version, 0x30, b"a", None, &user);
        corpus.connected(format!("user property: {what}"), FIVE, pair, End::Violation(0x81));
        let content = [&[0x03][..], &field(text)].concat();
        let content = |version| publish(version, 0x30, b"a", None, &content);
        corpus.connected(format!("content type: {what}"), FIVE, content, End::Violation(0x81));
    }
    // A password and correlation data are bytes.
    let password =
        |version| connect(version).flags(0xC2).payload(&[field("p"), field("u"), field(b"\xFF\0")]);
    corpus.first("a password that is no text", ALL, |version| password(version).bytes(), End::Connack(0));
    let data = |_| publish(V5, 0x30, b"hostile/a", None, &[0x09, 0, 2, 0xFF, 0]);
    corpus.connected("correlation data that are no text", FIVE, data, End::GoesOn(Vec::new()));
    let bom = |version| publish(version, 0x30, "\u{FEFF}a".as_bytes(), None, &[]);
    corpus.connected("a topic that begins with U+FEFF", ALL, bom, End::GoesOn(Vec::new()));
    let reason = |_| packet(0xE0, &[0, 4, 0x1F, 0, 1, 0xFF]);
    corpus.connected("a goodbye whose reason is no text", FIVE, reason, End::Violation(0x81));
}
