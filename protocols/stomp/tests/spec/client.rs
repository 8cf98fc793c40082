//! What a client writes, to the byte.

use bytes::BytesMut;
use wharfmq_stomp::{
    AckMode, Connect, HeartBeat, Sent, Subscribe, encode_abort, encode_ack, encode_begin, encode_commit,
    encode_connect, encode_disconnect, encode_nack, encode_send, encode_subscribe, encode_unsubscribe,
};

use crate::common::*;

fn written(write: impl FnOnce(&mut BytesMut)) -> String {
    let mut out = BytesMut::new();
    write(&mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

#[test]
fn golden_connect() {
    let connect = Connect {
        accept_version: "1.1,1.2",
        host: "h",
        login: Some("me"),
        passcode: Some("p:\\w"),
        client_id: Some("c"),
        heart_beat: Some(HeartBeat { can_send_ms: 1, wants_ms: 2 }),
    };
    assert_eq!(
        written(|out| encode_connect(out, &connect)),
        "CONNECT\naccept-version:1.1,1.2\nhost:h\nlogin:me\npasscode:p:\\w\nclient-id:c\nheart-beat:1,2\n\n\0"
    );
    assert!(!format!("{connect:?}").contains("p:"));
}

#[test]
fn golden_send() {
    let sent = Sent { destination: "/queue/a", receipt: Some("1"), transaction: Some("t") };
    assert_eq!(
        written(|out| encode_send(out, V12, &sent, &[("persistent", "true"), ("a:b", "c\nd")], b"hi")),
        "SEND\ndestination:/queue/a\nreceipt:1\ntransaction:t\npersistent:true\na\\cb:c\\nd\ncontent-length:2\n\nhi\0"
    );
}

#[test]
fn golden_subscribe_and_unsubscribe() {
    let subscribe =
        Subscribe { id: "0", destination: "/queue/a", ack: AckMode::ClientIndividual, receipt: Some("r") };
    assert_eq!(
        written(|out| encode_subscribe(out, V12, &subscribe, &[("selector", "a = 1")])),
        "SUBSCRIBE\nid:0\ndestination:/queue/a\nack:client-individual\nreceipt:r\nselector:a = 1\n\n\0"
    );
    assert_eq!(written(|out| encode_unsubscribe(out, V12, "0", None)), "UNSUBSCRIBE\nid:0\n\n\0");
}

#[test]
fn golden_ack_and_nack() {
    assert_eq!(written(|out| encode_ack(out, V12, "9", "0", None)), "ACK\nid:9\n\n\0");
    assert_eq!(
        written(|out| encode_nack(out, V11, "9", "0", Some("t"))),
        "NACK\nmessage-id:9\nsubscription:0\ntransaction:t\n\n\0"
    );
}

#[test]
fn golden_transactions() {
    assert_eq!(written(|out| encode_begin(out, V12, "t", None)), "BEGIN\ntransaction:t\n\n\0");
    assert_eq!(
        written(|out| encode_commit(out, V12, "t", Some("r"))),
        "COMMIT\ntransaction:t\nreceipt:r\n\n\0"
    );
    assert_eq!(written(|out| encode_abort(out, V12, "t", None)), "ABORT\ntransaction:t\n\n\0");
}

#[test]
fn golden_disconnect() {
    assert_eq!(written(|out| encode_disconnect(out, V12, Some("77"))), "DISCONNECT\nreceipt:77\n\n\0");
}
