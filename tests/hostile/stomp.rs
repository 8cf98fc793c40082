//! STOMP peers that break the rules: an ERROR that says what was wrong, then the end.

use std::io::Write;
use std::time::Duration;

use super::{Bystanders, LOGIN_TIMEOUT, broker};
use crate::support::stomp::frame_bytes;
use crate::support::{Broker, Setup, Stomp};

/// Asserts that the broker answers with one ERROR that holds `said` and closes.
#[track_caller]
fn assert_error(client: Stomp, said: &str, case: &str) {
    let frames = client.closed();
    let [error] = &frames[..] else { panic!("{case}: one ERROR was due: {frames:?}") };
    assert_eq!(error.command, "ERROR", "{case}: {error:?}");
    let text = format!("{}\n{}", error.header("message"), error.text()).to_lowercase();
    assert!(text.contains(said), "{case}: no `{said}` in {error:?}");
}

#[track_caller]
fn after_login(broker: &Broker, bytes: &[u8], said: &str) {
    let case = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
    let mut client = Stomp::connect(broker.stomp());
    client.write(bytes);
    assert_error(client, said, &case);
}

#[test]
fn malformed_frames() {
    let broker = broker();
    let bystanders = Bystanders::of(&broker);
    after_login(&broker, b"NONSENSE\n\n\0", "");
    after_login(&broker, b"SEND\nno colon\n\n\0", "");
    after_login(&broker, b"SEND\ndestination:/queue/a\ncontent-length:abc\n\n\0", "content-length");
    after_login(&broker, b"SEND\ndestination:/queue/a\ncontent-length:-1\n\n\0", "content-length");
    after_login(&broker, b"SEND\ndestination:/queue/a\ncontent-length:2\n\nabc\0", "");
    after_login(&broker, b"SEND\ndestination:/queue/a\nname:bad\\tescape\n\n\0", "escape");
    after_login(&broker, b"SEND\ndestination:/queue/a\nname:\xFF\xFE\n\n\0", "utf-8");
    bystanders.go_on();
}

/// A frame with a header of so many bytes.
fn with_long(command: &str, name: &str, value: &str, times: usize) -> Vec<u8> {
    let long = value.repeat(times);
    frame_bytes(command, &[("destination", "/queue/a"), ("id", "1"), (name, &long)], b"")
}

#[test]
fn what_is_asked_of_messages_has_bounds() {
    let broker = broker();
    let bystanders = Bystanders::of(&broker);
    let deep = format!("SUBSCRIBE\nid:1\ndestination:/queue/a\nselector:{}1=1\n\n\0", "(".repeat(5_000));
    after_login(&broker, deep.as_bytes(), "selector");
    after_login(&broker, &with_long("SUBSCRIBE", "selector", "a = 'b' OR ", 100_000), "header");
    after_login(&broker, &with_long("SEND", "JMSXGroupID", "g", 2_000), "jmsxgroupid");
    after_login(&broker, &with_long("SEND", "JMSXGroupID", "g", 64 * 1024), "header");
    after_login(&broker, &with_long("SEND", "_AMQ_DUPL_ID", "d", 300), "_amq_dupl_id");
    for (header, said) in [
        ("AMQ_SCHEDULED_DELAY:-1", "amq_scheduled_delay"),
        ("AMQ_SCHEDULED_DELAY:999999999999999", "amq_scheduled_delay"),
        ("AMQ_SCHEDULED_CRON:0 0 31 2 *", "amq_scheduled_cron"),
        ("AMQ_SCHEDULED_CRON:now and then", "amq_scheduled_cron"),
        ("AMQ_SCHEDULED_PERIOD:1\nAMQ_SCHEDULED_REPEAT:1000000", "amq_scheduled_repeat"),
        ("priority:high", "priority"),
    ] {
        let frame = format!("SEND\ndestination:/queue/a\n{header}\n\n\0");
        after_login(&broker, frame.as_bytes(), said);
    }
    for header in ["lock:1", "lock:99999999999999", "activemq.prefetchSize:0", "activemq.priority:1000"] {
        let frame = format!("SUBSCRIBE\nid:1\ndestination:/queue/a\n{header}\n\n\0");
        after_login(&broker, frame.as_bytes(), &header.split(':').next().unwrap().to_lowercase());
    }
    bystanders.go_on();
}

#[test]
fn a_transaction_of_a_million_is_refused_and_leaves_nothing() {
    let broker = broker();
    let bystanders = Bystanders::of(&broker);
    let mut client = Stomp::connect(broker.stomp());
    client.frame("BEGIN", &[("transaction", "t")], b"");
    let send = frame_bytes("SEND", &[("destination", "/queue/tx"), ("transaction", "t")], b"x");
    // The broker stops reading once it has said so.
    client.stream.write_all(&send.repeat(20_000)).ok();
    let frames = client.closed();
    assert!(frames.last().is_some_and(|frame| frame.header("message").contains("10000")), "{frames:?}");
    let mut other = Stomp::connect(broker.stomp());
    other.subscribe("1", "/queue/tx", "auto");
    other.nothing();
    bystanders.go_on();
}

#[test]
fn frames_that_ask_for_the_impossible() {
    let broker = broker();
    let bystanders = Bystanders::of(&broker);
    after_login(&broker, b"SEND\n\nno destination\0", "destination");
    after_login(&broker, b"SEND\ndestination:nowhere\n\n\0", "destination");
    after_login(&broker, b"SEND\ndestination:/topic/a.>\n\n\0", "wildcard");
    after_login(&broker, b"SEND\ndestination:/queue/a.*\n\n\0", "wildcard");
    after_login(&broker, b"SUBSCRIBE\ndestination:/queue/a\n\n\0", "id");
    after_login(&broker, b"SUBSCRIBE\nid:1\n\n\0", "destination");
    after_login(&broker, b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:sometimes\n\n\0", "ack");
    after_login(&broker, b"SUBSCRIBE\nid:1\ndestination:/queue/a\nselector:a =\n\n\0", "selector");
    after_login(&broker, b"UNSUBSCRIBE\nid:none\n\n\0", "");
    after_login(&broker, b"NACK\n\n\0", "id");
    after_login(&broker, b"COMMIT\ntransaction:none\n\n\0", "transaction");
    after_login(&broker, b"BEGIN\n\n\0", "transaction");
    after_login(&broker, b"SEND\ndestination:/queue/a\ntransaction:none\n\n\0", "transaction");
    bystanders.go_on();
}

#[test]
fn an_error_names_the_receipt_that_was_asked_for() {
    let broker = broker();
    let mut client = Stomp::connect(broker.stomp());
    client.frame("SEND", &[("destination", "nowhere"), ("receipt", "r-7")], b"x");
    let frames = client.closed();
    assert_eq!(frames[0].command, "ERROR");
    assert_eq!(frames[0].header("receipt-id"), "r-7");
}

#[test]
fn what_comes_after_an_error_is_not_done() {
    let broker = broker();
    let mut client = Stomp::connect(broker.stomp());
    let mut bytes = frame_bytes("SEND", &[("destination", "/queue/before")], b"1");
    bytes.extend(frame_bytes("SEND", &[("destination", "nowhere")], b"2"));
    bytes.extend(frame_bytes("SEND", &[("destination", "/queue/after")], b"3"));
    client.write(&bytes);
    assert_error(client, "destination", "three frames at once");
    let mut reader = Stomp::connect(broker.stomp());
    reader.subscribe("0", "/queue/before", "auto");
    assert_eq!(reader.receive().text(), "1");
    reader.subscribe("1", "/queue/after", "auto");
    reader.nothing();
}

#[test]
fn wrong_order() {
    let broker = broker();
    let bystanders = Bystanders::of(&broker);
    after_login(&broker, b"CONNECT\naccept-version:1.2\nhost:x\n\n\0", "connect");
    after_login(&broker, b"MESSAGE\nmessage-id:1\n\n\0", "");
    for first in ["SEND\ndestination:/queue/a\n\nx\0", "SUBSCRIBE\nid:0\ndestination:/queue/a\n\n\0"] {
        let mut client = Stomp::open(broker.stomp());
        client.write(first.as_bytes());
        assert_error(client, "connect", first);
    }
    bystanders.go_on();
}

#[test]
fn unknown_versions_are_told_which_there_are() {
    let broker = broker();
    let mut client = Stomp::open(broker.stomp());
    client.write(b"CONNECT\naccept-version:2.1,9.9\nhost:x\n\n\0");
    let frames = client.closed();
    assert_eq!(frames[0].command, "ERROR");
    assert_eq!(frames[0].header("version"), "1.0,1.1,1.2");
}

#[test]
fn lengths_beyond_the_limit() {
    let broker = Setup::new().memory().set("limits.max_frame=1MiB").start();
    let bystanders = Bystanders::of(&broker);
    let two_gb = b"SEND\ndestination:/queue/a\ncontent-length:2147483648\n\nx";
    after_login(&broker, two_gb, "");
    after_login(&broker, b"SEND\ndestination:/queue/a\ncontent-length:99999999999999999999\n\nx", "");
    let long_line = vec![b'A'; 2 << 20];
    let mut client = Stomp::connect(broker.stomp());
    client.write(&[&b"SEND\nheader:"[..], &long_line[..512 * 1024]].concat());
    assert_error(client, "", "a header line without end");
    // A body whose end never comes, sent for real.
    let mut client = Stomp::connect(broker.stomp());
    let head = b"SEND\ndestination:/queue/a\n\n";
    let sent = client.stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        let mut sent = sent;
        // The broker stops reading somewhere in it.
        let _ = sent.write_all(&[&head[..], &long_line].concat());
    });
    let frame = client.next_within(Duration::from_secs(20));
    assert!(frame.is_none_or(|frame| frame.command == "ERROR"), "a body without end");
    drop(client);
    writer.join().unwrap();
    // Before the login the bound is lower.
    let mut client = Stomp::open(broker.stomp());
    client.write(b"CONNECT\naccept-version:1.2\nhost:x\ncontent-length:100000\n\n");
    assert_error(client, "", "CONNECT with a body");
    bystanders.go_on();
    broker.wait_log(&["stomp", "connection closed"]);
}

#[test]
fn bytes_that_trickle() {
    let broker = broker();
    let mut client = Stomp::open(broker.stomp());
    for byte in b"\n\r\nCONNECT\r\naccept-version:1.2\r\nhost:x\r\n\r\n\0\n" {
        client.write(&[*byte]);
    }
    assert_eq!(client.expect("CONNECTED").header("version"), "1.2");
    for byte in frame_bytes("SEND", &[("destination", "/queue/a"), ("receipt", "1")], b"slow\0ly") {
        client.write(&[byte]);
    }
    client.expect("RECEIPT");
    client.subscribe("0", "/queue/a", "auto");
    assert_eq!(client.receive().body, b"slow\0ly");
}

#[test]
fn nobody_takes_for_ever_to_log_in() {
    let broker = Setup::new().memory().set(LOGIN_TIMEOUT).start();
    let bystanders = Bystanders::of(&broker);
    Stomp::open(broker.stomp()).closed();
    let mut half = Stomp::open(broker.stomp());
    half.write(b"CONNECT\naccept-ver");
    half.closed();
    bystanders.go_on();
}
