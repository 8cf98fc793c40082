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
    let mut client = bench.stomp(Version::V1_2);
    client.send("/queue/a", "", "x");
    client.subscribe("1", "/queue/a", "ack:client\n");
    client.frames();
    client.say("BEGIN\ntransaction:t\n\n\0NACK\nid:0-1\ntransaction:t\n\n\0");
    assert!(client.error().get("message").unwrap().contains("NACK within a transaction"));
}
