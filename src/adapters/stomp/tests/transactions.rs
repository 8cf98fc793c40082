use wharfmq_core::{Overflow, PartialPolicy, Pattern, Settings};

use super::*;

#[test]
fn sends_are_seen_after_the_commit() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    let mut other = bench.stomp(Version::V1_2);
    other.subscribe("1", "/queue/a", "");
    other.subscribe("2", "/topic/a", "");
    for (end, seen) in [("ABORT", 0), ("COMMIT", 3)] {
        client.say("BEGIN\ntransaction:t\n\n\0");
        client.send("/queue/a", "transaction:t\npersistent:true\n", "1");
        client.send("/queue/a", "transaction:t\n", "2");
        client.send("/topic/a", "transaction:t\n", "3");
        assert!(other.frames().is_empty());
        client.say(format!("{end}\ntransaction:t\nreceipt:done\n\n\0"));
        assert_eq!(client.frames()[0].get("receipt-id"), Some("done"));
        let mut bodies = other.bodies();
        bodies.sort();
        assert_eq!(bodies, ["1", "2", "3"][..seen]);
    }
}

#[test]
fn what_was_sent_before_a_commit_comes_before_it() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/a", "");
    client.say(
        "BEGIN\ntransaction:t\n\n\0SEND\ndestination:/queue/a\ntransaction:t\n\n2\0\
         SEND\ndestination:/queue/a\n\n1\0COMMIT\ntransaction:t\n\n\0SEND\ndestination:/queue/a\n\n3\0",
    );
    assert_eq!(client.bodies().concat(), "123");
}

#[test]
fn acknowledgements_count_with_the_commit() {
    for mode in ["client", "client-individual"] {
        let bench = Bench::new();
        let mut client = bench.stomp(Version::V1_1);
        for n in 0..6 {
            client.send("/queue/a", "persistent:true\n", &n.to_string());
        }
        client.subscribe("1", "/queue/a", &format!("ack:{mode}\nactivemq.prefetchSize:2\n"));
        let got = client.frames();
        let ack = |n: usize| {
            let id = got[n].get("message-id").unwrap().replace(':', "\\c");
            format!("ACK\nmessage-id:{id}\nsubscription:1\ntransaction:t\n\n\0")
        };
        client.say(format!("BEGIN\ntransaction:t\n\n\0{}{}ABORT\ntransaction:t\n\n\0", ack(0), ack(1)));
        assert_eq!(client.bodies().concat(), "23", "an acknowledgement makes room before the commit");
        client.say(format!("BEGIN\ntransaction:t\n\n\0{}{}COMMIT\ntransaction:t\n\n\0", ack(0), ack(1)));
        assert!(client.bodies().is_empty(), "the room was given before");
        client.hang_up();
        let mut client = bench.stomp(Version::V1_1);
        client.subscribe("1", "/queue/a", "");
        assert_eq!(client.bodies().concat(), "2345", "{mode}");
    }
}

#[test]
fn what_a_lost_connection_began_never_happened() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.send("/queue/a", "", "kept");
    client.subscribe("1", "/queue/a", "ack:client\n");
    assert_eq!(client.bodies(), ["kept"]);
    client.say("BEGIN\ntransaction:t\n\n\0ACK\nid:0-1\ntransaction:t\n\n\0");
    client.send("/queue/a", "transaction:t\n", "gone");
    client.hang_up();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/a", "");
    assert_eq!(client.bodies(), ["kept"]);
}

#[test]
fn names_and_what_they_refuse() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.say("BEGIN\ntransaction:t\n\n\0BEGIN\ntransaction:t\n\n\0");
    assert!(client.error().get("message").unwrap().contains("open already"));
    for (frame, says) in [
        ("SEND\ndestination:/queue/a\ntransaction:u\n\nx\0", "no such transaction is open"),
        ("COMMIT\ntransaction:u\n\n\0", "no such transaction is open"),
        ("ABORT\ntransaction:u\n\n\0", "no such transaction is open"),
        ("BEGIN\n\n\0", "transaction is missing"),
    ] {
        let mut client = bench.stomp(Version::V1_2);
        client.say(frame);
        let said = client.error().get("message").unwrap().to_owned();
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn refusals_count_with_the_commit() {
    let at_once = PartialPolicy { redelivery_delay: Some(Millis(0)), ..PartialPolicy::default() };
    for mode in ["client", "client-individual"] {
        let pattern = Pattern::parse_canonical("queue://a").unwrap();
        let bench = Bench(TestBroker::with(Settings::new([(pattern, at_once.clone())])));
        let mut client = bench.stomp(Version::V1_2);
        client.send("/queue/a", "persistent:true\n", "x");
        client.subscribe("1", "/queue/a", &format!("ack:{mode}\n"));
        assert_eq!(client.bodies(), ["x"]);
        client.say("BEGIN\ntransaction:t\n\n\0NACK\nid:0-1\ntransaction:t\n\n\0ABORT\ntransaction:t\n\n\0");
        assert!(client.frames().is_empty());
        client.say("BEGIN\ntransaction:t\n\n\0NACK\nid:0-1\ntransaction:t\n\n\0");
        assert!(client.frames().is_empty());
        client.say("COMMIT\ntransaction:t\nreceipt:r\n\n\0");
        let got = client.frames();
        let again = got.iter().find(|frame| frame.command == Command::Message).unwrap();
        assert_eq!((again.text(), again.get("JMSXDeliveryCount")), ("x", Some("2")));
        assert!(got.iter().any(|frame| frame.get("receipt-id") == Some("r")));
        // The first delivery is settled, the second is open.
        client.say("ACK\nid:0-1\n\n\0ACK\nid:0-2\n\n\0");
        client.hang_up();
        let mut client = bench.stomp(Version::V1_2);
        client.subscribe("1", "/queue/a", "");
        assert!(client.bodies().is_empty());
    }
}

#[test]
fn an_old_transaction_is_over() {
    let bench = Bench::new();
    let sent = "SEND\ndestination:/queue/a\ntransaction:t\n\nnever\0";
    for last in [sent, "COMMIT\ntransaction:t\n\n\0"] {
        let mut client = bench.stomp(Version::V1_2);
        client.say(format!("BEGIN\ntransaction:t\n\n\0{sent}"));
        bench.pass(600_000);
        client.run();
        client.say(last);
        let said = client.error().get("message").unwrap().to_owned();
        assert!(said.contains("timed out after 10m (limits.transaction_timeout)"), "{said}");
    }
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/a", "ack:client\nactivemq.prefetchSize:1\n");
    client.send("/queue/a", "", "1");
    client.say("BEGIN\ntransaction:t\n\n\0ACK\nid:0-1\ntransaction:t\n\n\0");
    assert_eq!(client.bodies(), ["1"]);
    bench.pass(600_000);
    client.say("ABORT\ntransaction:t\nreceipt:aborted\n\n\0");
    assert_eq!(client.frames()[0].get("receipt-id"), Some("aborted"), "it is aborted");
    client.say("BEGIN\ntransaction:t\n\n\0ACK\nid:0-1\ntransaction:t\n\n\0");
    bench.pass(600_000);
    client.run();
    // The name is used again, and the delivery is the client's still.
    client.say("BEGIN\ntransaction:t\n\n\0COMMIT\ntransaction:t\n\n\0ACK\nid:0-1\n\n\0");
    client.send("/queue/a", "", "2");
    client.send("/queue/a", "", "3");
    assert_eq!(client.bodies(), ["2"], "room for one, whatever was taken back meanwhile");
}

#[test]
fn a_transaction_has_a_size() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.say("BEGIN\ntransaction:t\n\n\0");
    for _ in 0..100 {
        client.say("SEND\ndestination:/queue/a\ntransaction:t\n\nx\0".repeat(100));
    }
    assert!(client.frames().is_empty());
    client.send("/queue/a", "transaction:t\n", "one too many");
    let said = client.error().get("message").unwrap().to_owned();
    for part in ["10000 operations", "limits.max_transaction_messages", "limits.max_transaction_bytes"] {
        assert!(said.contains(part), "{said}");
    }
    let mut client = bench.stomp(Version::V1_2);
    client.say("BEGIN\ntransaction:t\n\n\0");
    let body = "x".repeat(9 << 20);
    client.send("/queue/a", "transaction:t\n", &body);
    client.send("/queue/a", "transaction:t\n", &body);
    assert!(client.error().get("message").unwrap().contains("16777216 bytes"));
    let mut client = bench.stomp(Version::V1_2);
    for n in 0..64 {
        client.say(format!("BEGIN\ntransaction:{n}\n\n\0"));
    }
    client.say("BEGIN\ntransaction:more\n\n\0");
    assert!(client.error().get("message").unwrap().contains("64 transactions open"));
}

#[test]
fn a_commit_waits_for_what_waits_for_room() {
    let two =
        PartialPolicy { max_messages: Some(2), overflow: Some(Overflow::Block), ..PartialPolicy::default() };
    let pattern = Pattern::parse_canonical("queue://a").unwrap();
    let bench = Bench(TestBroker::with(Settings::new([(pattern, two)])));
    let mut client = bench.stomp(Version::V1_2);
    let sends: String = (1..=3).map(|n| format!("SEND\ndestination:/queue/a\n\n{n}\0")).collect();
    client.say(format!(
        "BEGIN\ntransaction:t\n\n\0SEND\ndestination:/queue/b\ntransaction:t\n\n4\0\
         {sends}COMMIT\ntransaction:t\nreceipt:r\n\n\0"
    ));
    assert!(client.frames().is_empty());
    let mut other = bench.stomp(Version::V1_2);
    other.subscribe("b", "/queue/b", "");
    assert!(other.frames().is_empty(), "it does not overtake");
    other.subscribe("a", "/queue/a", "");
    assert_eq!(other.bodies().concat(), "12");
    assert_eq!(client.frames()[0].get("receipt-id"), Some("r"));
    let mut bodies = other.bodies();
    bodies.sort();
    assert_eq!(bodies.concat(), "34");
}
