//! What the server writes, to the byte.

use bytes::BytesMut;
use wharfmq_stomp::{
    Command, Encoder, FRAME_END, HeartBeat, Message, Version, encode_connected, encode_error, encode_head,
    encode_receipt, encode_version_refused,
};

use crate::common::*;

fn written(write: impl FnOnce(&mut BytesMut)) -> String {
    let mut out = BytesMut::new();
    write(&mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

fn header(version: Version, name: &str, value: &str) -> String {
    written(|out| Encoder::new(out, Command::Receipt, version).header(name, value).end())
}

#[test]
fn golden_connected() {
    let beat = HeartBeat { can_send_ms: 10, wants_ms: 20 };
    assert_eq!(
        written(|out| encode_connected(out, V12, "s:1", "wharfmq/0.1.0", Some(beat))),
        "CONNECTED\nversion:1.2\nsession:s:1\nserver:wharfmq/0.1.0\nheart-beat:10,20\n\n\0"
    );
    assert_eq!(
        written(|out| encode_connected(out, V10, "s1", "wharfmq/0.1.0", None)),
        "CONNECTED\nversion:1.0\nsession:s1\nserver:wharfmq/0.1.0\n\n\0"
    );
}

#[test]
fn golden_message_with_chained_body() {
    let message = Message {
        subscription: Some("0"),
        message_id: "id:7",
        destination: Some("/queue/a"),
        ack: Some("12"),
        redelivered: true,
        content_length: Some(3),
    };
    let text = written(|out| {
        encode_head(out, V12, &message, b"type:t\\c1\n");
        out.extend_from_slice(b"a\0b");
        out.extend_from_slice(FRAME_END);
    });
    assert_eq!(
        text,
        "MESSAGE\nsubscription:0\nmessage-id:id\\c7\ndestination:/queue/a\nack:12\nredelivered:true\n\
         content-length:3\ntype:t\\c1\n\na\0b\0"
    );
    assert_eq!(frame(text.as_bytes(), V12).body(), b"a\0b");
}

#[test]
fn golden_message_of_1_0() {
    let message = Message { message_id: "7", ..Message::default() };
    let text = written(|out| encode_head(out, V10, &message, b"destination:/queue/a\n"));
    assert_eq!(text, "MESSAGE\nmessage-id:7\ndestination:/queue/a\n\n");
}

#[test]
fn golden_receipt() {
    assert_eq!(written(|out| encode_receipt(out, V12, "r:1\n")), "RECEIPT\nreceipt-id:r\\c1\\n\n\n\0");
}

#[test]
fn golden_error() {
    assert_eq!(written(|out| encode_error(out, V12, "no", None, "")), "ERROR\nmessage:no\n\n\0");
    assert_eq!(
        written(|out| encode_error(out, V11, "a:b", Some("r1"), "detail")),
        "ERROR\nmessage:a\\cb\nreceipt-id:r1\ncontent-type:text/plain\ncontent-length:6\n\ndetail\0"
    );
}

#[test]
fn golden_version_refused() {
    assert_eq!(
        written(encode_version_refused),
        "ERROR\nversion:1.0,1.1,1.2\nmessage:Supported protocol versions are 1.0,1.1,1.2\n\
         content-type:text/plain\ncontent-length:43\n\nSupported protocol versions are 1.0,1.1,1.2\0"
    );
}

#[test]
fn golden_escapes_by_version() {
    let value = "a:b\nc\rd\\e\0f";
    assert_eq!(header(V12, "x:y", value), "RECEIPT\nx\\cy:a\\cb\\nc\\rd\\\\e?f\n\n\0");
    assert_eq!(header(V11, "x:y", value), "RECEIPT\nx\\cy:a\\cb\\nc\rd\\\\e?f\n\n\0");
    assert_eq!(header(V10, "x:y", value), "RECEIPT\nx?y:a:b?c?d\\e?f\n\n\0");
}

#[test]
fn golden_connected_cannot_be_split_by_a_value() {
    let text = written(|out| encode_connected(out, V12, "a\nversion:9\r", "s", None));
    assert_eq!(text, "CONNECTED\nversion:1.2\nsession:a?version:9?\nserver:s\n\n\0");
}

#[test]
fn golden_numbers() {
    for number in [0, 9, 10, 1_234_567, u64::MAX] {
        let text = written(|out| Encoder::new(out, Command::Receipt, V12).number("n", number).end());
        assert_eq!(text, format!("RECEIPT\nn:{number}\n\n\0"));
    }
}
