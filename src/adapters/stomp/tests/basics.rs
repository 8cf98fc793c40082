use wharfmq_stomp::HeartBeat;

use super::*;

#[test]
fn connect_negotiates() {
    let bench = Bench::new();
    for (headers, version) in [
        ("", "1.0"),
        ("accept-version:1.0\n", "1.0"),
        ("accept-version:1.1,1.0\n", "1.1"),
        ("accept-version:1.0,1.1,1.2,2.0\nhost:whatever\n", "1.2"),
    ] {
        for command in ["CONNECT", "STOMP"] {
            let mut client = bench.client(StompSession::new(StompOptions::default()));
            client.say(format!("\n{command}\r\n{headers}login:guest\npasscode:guest\n\n\0\n"));
            let got = client.frames();
            assert_eq!(got.len(), 1);
            assert_eq!((got[0].command, got[0].get("version")), (Command::Connected, Some(version)));
            assert_eq!(got[0].get("server"), Some(concat!("WharfMQ/", env!("CARGO_PKG_VERSION"))));
            assert!(got[0].get("session").unwrap().starts_with("ID:wharfmq-"));
            assert_eq!(got[0].get("heart-beat").is_some(), version != "1.0");
            assert!(client.inner.session.is_open());
        }
    }
    let mut client = bench.client(StompSession::new(StompOptions::default()));
    client.say("CONNECT\nclient-id:me\n\n\0");
    assert_eq!(client.frames()[0].get("session"), Some("me"));
}

#[test]
fn what_is_no_session_is_refused() {
    let bench = Bench::new();
    for (bytes, why) in [
        ("SEND\ndestination:/queue/a\n\n\0", "SEND before CONNECT"),
        ("CONNECT\naccept-version:2.0\n\n\0", "Supported protocol versions are 1.0,1.1,1.2"),
        ("CONNECT\nheart-beat:x\n\n\0", "heart-beat"),
        ("HELLO\n\n\0", "unknown command"),
        (&format!("CONNECT\nlogin:{}\n\n\0", "x".repeat(40_000)), "over the limit"),
    ] {
        let mut client = bench.client(StompSession::new(StompOptions::default()));
        client.say(bytes);
        let error = client.error();
        assert!(error.get("message").unwrap().contains(why), "{error:?}");
        assert!(!client.inner.session.is_open());
        assert!(matches!(client.closed(), Some(Close::Violation(_))));
    }
    let mut client = bench.stomp(Version::V1_2);
    client.say("CONNECT\n\n\0");
    assert!(client.error().get("message").unwrap().contains("open already"));
}

#[test]
fn a_message_comes_as_it_was_sent() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("s:1", "/queue/a", "ack:client-individual\n");
    client.say(
        "SEND\ndestination:/queue/a\nreceipt:r1\npersistent:true\npriority:7\ncorrelation-id:c\n\
         x\\cy:1\\n2\nmessage-id:mine\nsubscription:other\ncontent-type:text/plain\n\nhello\0",
    );
    let got = client.frames();
    assert_eq!((got[0].command, got[0].get("receipt-id")), (Command::Receipt, Some("r1")));
    let message = &got[1];
    let headers: Vec<_> = message.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let start = START.to_string();
    assert_eq!(
        headers,
        [
            ("subscription", "s:1"),
            ("destination", "/queue/a"),
            ("message-id", message.get("message-id").unwrap()),
            ("ack", "0-1"),
            ("expires", "0"),
            ("priority", "7"),
            ("timestamp", &start),
            ("persistent", "true"),
            ("correlation-id", "c"),
            ("x:y", "1\n2"),
            ("content-type", "text/plain"),
        ]
    );
    assert!(message.get("message-id").unwrap().starts_with("ID:wharfmq-"));
    assert_eq!((message.command, message.text()), (Command::Message, "hello"));
}

#[test]
fn text_and_bytes_survive() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_1);
    client.subscribe("1", "/queue/a", "");
    for (headers, body, length) in [
        ("", "text", None),
        ("content-length:5\n", "bytes", Some("5")),
        ("content-length:4\namq-msg-type:TEXT\n", "text", None),
        ("content-length:3\namq-msg-type:text\n", "a\0b", Some("3")),
        ("amq-msg-type:bytes\nx:y\n", "bytes", Some("5")),
    ] {
        client.send("/queue/a", headers, body);
        let got = client.frames();
        assert_eq!((got[0].text(), got[0].get("content-length")), (body, length), "{headers}");
        assert_eq!(got[0].get("amq-msg-type"), None);
        assert_eq!(got[0].get("x"), headers.contains("x:y").then_some("y"));
    }
    client.send("/queue/a", "amq-msg-type:map\n", "");
    assert!(client.error().get("message").unwrap().contains("amq-msg-type"));
}

#[test]
fn escapes_between_versions() {
    let bench = Bench::new();
    let mut clients = [Version::V1_0, Version::V1_1, Version::V1_2].map(|version| bench.stomp(version));
    for client in &mut clients {
        client.subscribe("1", "/topic/a:b", "");
    }
    clients[2].send("/topic/a\\cb", "n\\ca\\\\me:v\\rw\\n\\c\n", "");
    let [old, middle, new] = clients.map(|mut client| client.frames().remove(0));
    assert_eq!(new.get("n:a\\me"), Some("v\rw\n:"));
    assert_eq!(middle.get("n:a\\me"), Some("v\rw\n:"));
    assert_eq!(old.get("n?a\\me"), Some("v?w?:"), "1.0 has no escapes");
    for got in [old, middle, new] {
        assert_eq!(got.get("destination"), Some("/topic/a:b"));
    }
}

#[test]
fn frames_may_trickle() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    let frames = "\n\nSUBSCRIBE\nid:1\ndestination:/queue/a\nreceipt:s\n\n\0\r\n\
                  SEND\ndestination:/queue/a\ncontent-length:3\n\na\0b\0\nSEND\ndestination:/queue/a\n\nc\0";
    for byte in frames.bytes() {
        client.say([byte]);
    }
    let got = client.frames();
    assert_eq!(
        got.iter().map(|frame| frame.command.as_str()).collect::<Vec<_>>(),
        ["RECEIPT", "MESSAGE", "MESSAGE"]
    );
    assert_eq!(got.iter().map(Got::text).collect::<Vec<_>>(), ["", "a\0b", "c"]);
}

#[test]
fn ten_megabytes() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/a", "");
    client.subscribe("2", "/topic/a", "");
    let body: Vec<u8> = (0..10 << 20).map(|n: u32| (n * 31) as u8).collect();
    for destination in ["/queue/a", "/topic/a"] {
        let mut frame =
            format!("SEND\ndestination:{destination}\npersistent:true\ncontent-length:{}\n\n", body.len())
                .into_bytes();
        frame.extend_from_slice(&body);
        frame.push(0);
        let (first, rest) = frame.split_at(6_000_000);
        client.say(first);
        assert!(client.frames().is_empty());
        client.say(rest);
        let got = client.await_frames(1);
        assert!(got[0].body == body);
    }
    client.say(format!("SEND\ndestination:/queue/a\ncontent-length:{}\n\n", 17 << 20));
    assert!(client.error().get("message").unwrap().contains("over the limit"));
}

#[test]
fn many_messages_in_one_read_keep_their_order() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_1);
    client.subscribe("1", "/queue/a", "");
    let frames: String =
        (0..10_000).map(|n| format!("SEND\ndestination:/queue/a\nreceipt:{n}\n\n{n}\0")).collect();
    client.say(frames);
    let (receipts, messages): (Vec<_>, Vec<_>) =
        client.frames().into_iter().partition(|frame| frame.command == Command::Receipt);
    let expected: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    assert_eq!(receipts.iter().map(|got| got.get("receipt-id").unwrap()).collect::<Vec<_>>(), expected);
    assert_eq!(messages.iter().map(Got::text).collect::<Vec<_>>(), expected);
}

#[test]
fn every_frame_can_ask_for_a_receipt() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.say(
        "SUBSCRIBE\nid:1\ndestination:/queue/a\nreceipt:1\n\n\0BEGIN\ntransaction:t\nreceipt:2\n\n\0\
         SEND\ndestination:/queue/b\ntransaction:t\nreceipt:3\n\n\0COMMIT\ntransaction:t\nreceipt:4\n\n\0\
         BEGIN\ntransaction:t\nreceipt:5\n\n\0ABORT\ntransaction:t\nreceipt:6\n\n\0\
         UNSUBSCRIBE\nid:1\nreceipt:7\n\n\0DISCONNECT\nreceipt:8\n\n\0SEND\ndestination:/queue/b\n\n\0",
    );
    let got = client.frames();
    assert_eq!(got.iter().map(|frame| frame.get("receipt-id").unwrap()).collect::<String>(), "12345678");
    assert_eq!(client.closed(), Some(&Close::Clean));
    let mut client = bench.stomp(Version::V1_2);
    client.say("DISCONNECT\n\n\0");
    assert_eq!((client.frames().len(), client.closed()), (0, Some(&Close::Clean)));
}

#[test]
fn wrong_frames_are_told_what_is_wrong() {
    let bench = Bench::new();
    for (frame, why) in [
        ("SEND\n\n\0", "destination is missing"),
        ("SEND\ndestination:a\n\n\0", "/queue/NAME"),
        ("SEND\ndestination:/queue/good,/queue/b.>\n\n\0", "wildcard"),
        ("SEND\ndestination:/queue/a\npriority:high\n\n\0", "priority"),
        ("SEND\ndestination:/queue/a\nexpires:soon\n\n\0", "expires"),
        ("SEND\ndestination:/queue/a\ntransaction:t\n\n\0", "no such transaction"),
        ("SEND\ndestination:/queue/a\nx:\\q\n\n\0", "escape"),
        ("SUBSCRIBE\nid:1\n\n\0", "destination is missing"),
        ("SUBSCRIBE\ndestination:/queue/a\n\n\0", "id is missing"),
        ("SUBSCRIBE\nid:1\ndestination:/queue/a\nselector:x =\n\n\0", "selector"),
        ("SUBSCRIBE\nid:1\ndestination:/queue/a\nack:never\n\n\0", "ack is not"),
        ("SUBSCRIBE\nid:1\ndestination:/queue/a\nactivemq.prefetchSize:0\n\n\0", "prefetchSize"),
        ("SUBSCRIBE\nid:1\ndestination:/queue/a\nactivemq.subscriptionName:n\n\0", "NUL"),
        ("SUBSCRIBE\nid:1\ndestination:/queue/a\nactivemq.subscriptionName:n\n\n\0", "not to a queue"),
        ("SUBSCRIBE\nid:1\ndestination:/topic/a\nactivemq.subscriptionName:n\n\n\0", "client-id"),
        ("SUBSCRIBE\nid:1\ndestination:/topic/a\nbrowser:true\n\n\0", "browsed"),
        ("UNSUBSCRIBE\nid:1\n\n\0", "no subscription of this id"),
        ("ACK\n\n\0", "id is missing"),
        ("ACK\nid:what\n\n\0", "names no delivery"),
        ("BEGIN\n\n\0", "transaction is missing"),
        ("COMMIT\ntransaction:t\n\n\0", "no such transaction"),
        ("ABORT\ntransaction:t\n\n\0", "no such transaction"),
        ("MESSAGE\n\n\0", "only a server"),
        ("NOSUCH\n\n\0", "unknown command"),
        ("ACK\nid:1\n\nbody\0", "no body"),
    ] {
        refused(&bench, frame, why);
    }
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/topic/a", "");
    client.subscribe("1", "/topic/b", "");
    assert!(client.error().get("message").unwrap().contains("exists already"));
}

#[test]
fn destinations_that_cannot_be_used() {
    let bench = Bench::new();
    for (frame, why) in [
        ("SEND\ndestination:/queue/a,,/queue/b\n\n\0", "number 2"),
        ("SEND\ndestination:/temp-queue/\n\n\0", "empty"),
        ("SEND\ndestination:/temp-queue/a.>\n\n\0", "wildcard"),
        ("SEND\ndestination:/temp-topic/a*\n\n\0", "wildcard"),
        ("SEND\ndestination:/remote-temp-queue/good\n\n\0", "gone"),
        (
            "SEND\ndestination:/remote-temp-queue/$temp.1.1.x\n\n\0",
            "temporary destination $temp.1.1.x is gone",
        ),
        ("SEND\ndestination:/remote-temp-topic/$temp.1.1.x\n\n\0", "is gone"),
        ("SEND\ndestination:/queue/$temp.x\n\n\0", "is gone"),
        ("SEND\ndestination:/topic/$temp.x\n\n\0", "is gone"),
        (
            "SEND\ndestination:/topic/$SYS.x\n\n\0",
            "below $SYS and ActiveMQ.Advisory only the broker publishes",
        ),
        ("SEND\ndestination:/queue/a\nreply-to:/temp-queue/\n\n\0", "empty"),
        ("SEND\ndestination:/queue/a\nreply-to:/temp-queue/a,/queue/b\n\n\0", "several"),
        ("SEND\ndestination:/queue/a\ntransformation:jms-map-json\n\n[]\0", "JSON object"),
        ("SEND\ndestination:/queue/a\ntransformation:jms-map-xml\n\n<map/>\0", "use jms-map-json"),
        ("SEND\ndestination:/topic/a.*\n\n\0", "wildcard"),
        (
            "SUBSCRIBE\nid:1\ndestination:/queue/a.>\nbrowser:true\nbrowse-from:ID\\cwharfmq-1\n\n\0",
            "one queue",
        ),
        ("SUBSCRIBE\nid:1\ndestination:/queue/a\nbrowser:true\nbrowse-from:5\n\n\0", "message-id"),
        ("SUBSCRIBE\nid:1\ndestination:/queue/a\nactivemq.noLocal:true\n\n\0", "for topics"),
        ("SUBSCRIBE\nid:1\ndestination:/queue/a.>\nactivemq.subscriptionName:n\n\n\0", "not to a queue"),
        ("SUBSCRIBE\nid:1\ndestination:/queue/a,,b\n\n\0", "number 2"),
        ("SUBSCRIBE\nid:1\ndestination:/queue/$temp.>\n\n\0", "only the connection that made"),
        ("SUBSCRIBE\nid:1\ndestination:/topic/$temp.>\n\n\0", "only the connection that made"),
        (
            "SUBSCRIBE\nid:1\ndestination:/remote-temp-queue/$temp.1.1.x\n\n\0",
            "only the connection that made",
        ),
        ("SUBSCRIBE\nid:1\ndestination:/queue/a?consumer.colour=red\n\n\0", "option colour"),
        ("SUBSCRIBE\nid:1\ndestination:/queue/a?consumer.priority=1&x=2\n\n\0", "option x"),
        ("SUBSCRIBE\nid:1\ndestination:/queue/a?consumer.prefetchSize=0\n\n\0", "prefetchSize"),
        ("SUBSCRIBE\nid:1\ndestination:/queue/a\ntransformation:jms-map-xml\n\n\0", "use jms-map-json"),
    ] {
        refused(&bench, frame, why);
    }
}

/// Sends a frame behind a good one, and finds why it is refused.
fn refused(bench: &Bench, frame: &str, why: &str) {
    let mut client = bench.stomp(Version::V1_2);
    let (command, rest) = frame.split_once('\n').unwrap();
    client.say(format!("SEND\ndestination:/queue/good\nreceipt:g\n\n\0{command}\nreceipt:r\n{rest}"));
    let error = client.error();
    assert!(error.get("message").unwrap().contains(why), "{frame:?} {error:?}");
    let decoded = !["NUL", "unknown command", "no body"].contains(&why);
    assert_eq!(error.get("receipt-id").is_some(), decoded, "{frame:?}");
    assert!(matches!(client.closed(), Some(Close::Violation(_))));
}

#[test]
fn heart_beats_both_ways() {
    let bench = Bench::new();
    let heart_beat = HeartBeat { can_send_ms: 1_000, wants_ms: 2_000 };
    let options = StompOptions { heart_beat, ..StompOptions::default() };
    let mut client = bench.client(StompSession::new(options));
    assert_eq!(client.deadline(), None);
    client.say("CONNECT\naccept-version:1.2\nheart-beat:500,4000\n\n\0");
    assert_eq!(client.frames()[0].get("heart-beat"), Some("1000,2000"));
    assert_eq!(client.deadline(), Some(Millis(3_000)), "three quarters of 4000");
    bench.pass(3_000);
    assert_eq!(client.take(), b"\n");
    assert_eq!(client.deadline(), Some(Millis(4_000)), "two intervals of 2000");
    bench.pass(500);
    client.say("\n");
    assert_eq!(client.deadline(), Some(Millis(6_000)));
    bench.pass(2_000);
    client.subscribe("1", "/queue/a", "");
    client.send("/queue/a", "", "x");
    assert_eq!(client.frames().len(), 1);
    assert_eq!(client.deadline(), Some(Millis(8_500)), "a message counts as sent");
    bench.pass(4_000);
    client.run();
    assert_eq!(client.closed(), Some(&Close::TimedOut("heart-beat")));
}

#[test]
fn draining_ends_what_was_begun() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/a", "ack:client\n");
    client.say("BEGIN\ntransaction:t\n\n\0BEGIN\ntransaction:u\n\n\0");
    client.send("/queue/b", "transaction:t\n", "committed");
    client.send("/queue/a", "", "unacknowledged");
    assert_eq!(client.bodies(), ["unacknowledged"]);
    client.inner.session.drain(&mut client.inner.port);
    client.send("/queue/b", "receipt:never\n", "too late");
    client.send("/queue/b", "transaction:u\n", "too late");
    client.say("ACK\nid:0-1\nreceipt:a\n\n\0COMMIT\ntransaction:t\nreceipt:t\n\n\0");
    let got = client.frames();
    assert_eq!(got[0].get("message"), Some("broker is shutting down"));
    assert_eq!(got[1..].iter().map(|frame| frame.get("receipt-id").unwrap()).collect::<String>(), "at");
    client.say("COMMIT\ntransaction:u\n\n\0");
    assert!(client.error().get("message").unwrap().contains("no such transaction"));
    let mut other = bench.stomp(Version::V1_2);
    other.subscribe("1", "/queue/b", "");
    assert_eq!(other.bodies(), ["committed"]);
}
