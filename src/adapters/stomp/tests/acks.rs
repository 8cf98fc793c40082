use wharfmq_core::{PartialPolicy, Pattern, Settings};

use super::*;

/// The header lines that name a delivery to ACK and NACK.
fn names(got: &Got, version: Version) -> String {
    match version {
        Version::V1_2 => format!("id:{}\n", got.get("ack").unwrap()),
        Version::V1_1 => format!(
            "message-id:{}\nsubscription:{}\n",
            got.get("message-id").unwrap().replace(':', "\\c"),
            got.get("subscription").unwrap()
        ),
        Version::V1_0 => format!("message-id:{}\n", got.get("message-id").unwrap()),
    }
}

fn depth(bench: &Bench, queue: &'static str) -> u64 {
    let class = wharfmq_core::record::Class::Queue;
    bench.0.broker.queues().find(class, &queue.into()).map_or(0, |cell| cell.lock().queue().len())
}

const VERSIONS: [Version; 3] = [Version::V1_0, Version::V1_1, Version::V1_2];

#[test]
fn auto_is_settled_by_sending() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/a", "activemq.prefetchSize:2\n");
    for n in 0..10 {
        client.send("/queue/a", "persistent:true\n", &n.to_string());
    }
    let got = client.frames();
    assert_eq!(got.iter().map(Got::text).collect::<String>(), "0123456789");
    assert!(got.iter().all(|frame| frame.get("ack").is_none()));
    assert_eq!(depth(&bench, "a"), 0);
}

#[test]
fn client_is_cumulative() {
    for version in VERSIONS {
        let bench = Bench::new();
        let mut client = bench.stomp(version);
        client.subscribe("1", "/queue/a", "ack:client\nactivemq.prefetchSize:4\n");
        for n in 0..10 {
            client.send("/queue/a", "persistent:true\n", &n.to_string());
        }
        let got = client.frames();
        assert_eq!(got.iter().map(Got::text).collect::<String>(), "0123", "the prefetch");
        client.say(format!("ACK\n{}\n\0", names(&got[2], version)));
        assert_eq!(depth(&bench, "a"), 7);
        assert_eq!(client.bodies().concat(), "456");
        client.say(format!("ACK\n{}\n\0", names(&got[1], version)));
        assert_eq!((depth(&bench, "a"), client.bodies().len()), (7, 0), "said twice counts once");
        client.hang_up();
        let mut client = bench.stomp(version);
        client.subscribe("1", "/queue/a", "ack:client\n");
        let got = client.frames();
        assert_eq!(got.iter().map(Got::text).collect::<String>(), "3456789");
        let redelivered = |frame: &Got| frame.get("redelivered").is_some();
        assert_eq!(got.iter().filter(|frame| redelivered(frame)).count(), 4, "those it had seen");
        assert_eq!(got[0].get("JMSXDeliveryCount"), Some("2"));
    }
}

#[test]
fn client_individual_is_single() {
    for version in VERSIONS {
        let bench = Bench::new();
        let mut client = bench.stomp(version);
        client.subscribe("1", "/queue/a", "ack:client-individual\nactivemq.prefetchSize:4\n");
        for n in 0..7 {
            client.send("/queue/a", "", &n.to_string());
        }
        let got = client.frames();
        client.say(format!(
            "ACK\n{}receipt:1\n\n\0ACK\n{}\n\0",
            names(&got[2], version),
            names(&got[1], version)
        ));
        assert_eq!(depth(&bench, "a"), 5);
        let more = client.frames();
        assert_eq!(more[0].get("receipt-id"), Some("1"));
        assert_eq!(more[1..].iter().map(Got::text).collect::<String>(), "45");
        client.say(format!("ACK\n{}\n\0", names(&got[2], version)));
        assert_eq!((depth(&bench, "a"), client.frames().len()), (5, 0));
    }
}

#[test]
fn nack_is_delivered_again_and_dead_lettered_in_the_end() {
    for version in [Version::V1_1, Version::V1_2] {
        let at_once = PartialPolicy { redelivery_delay: Some(Millis(0)), ..PartialPolicy::default() };
        let pattern = Pattern::parse_canonical("queue://a").unwrap();
        let bench = Bench(TestBroker::with(Settings::new([(pattern, at_once)])));
        let mut client = bench.stomp(version);
        client.subscribe("1", "/queue/a", "ack:client-individual\n");
        client.subscribe("dlq", "/queue/ActiveMQ.DLQ", "");
        client.send("/queue/a", "persistent:true\nx:y\n", "poison");
        for attempt in 1..=10 {
            let got = client.await_frames(1).remove(0);
            assert_eq!((got.text(), got.get("subscription")), ("poison", Some("1")));
            let count = (attempt > 1).then(|| attempt.to_string());
            assert_eq!(got.get("JMSXDeliveryCount"), count.as_deref());
            assert_eq!(got.get("redelivered"), (attempt > 1).then_some("true"));
            client.say(format!("NACK\n{}\n\0", names(&got, version)));
        }
        let dead = client.await_frames(1).remove(0);
        assert_eq!((dead.text(), dead.get("subscription")), ("poison", Some("dlq")));
        assert_eq!(dead.get("destination"), Some("/queue/ActiveMQ.DLQ"));
        assert_eq!(dead.get("original-destination"), Some("/queue/a"));
        assert!(dead.get("dlqDeliveryFailureCause").unwrap().contains("10 times"));
        assert_eq!(dead.get("x"), Some("y"));
    }
}

#[test]
fn a_delivery_that_was_never_made_is_an_error() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/a", "ack:client\n");
    client.say("ACK\nid:7-1\n\n\0");
    assert!(client.frames().is_empty(), "its subscription may have ended");
    client.say("ACK\nid:0-1\n\n\0");
    assert!(client.error().get("message").unwrap().contains("names no delivery"));
}

#[test]
fn bytes_are_a_window_too() {
    let bench = Bench::new();
    let mut sender = bench.stomp(Version::V1_2);
    let body = "x".repeat(400_000);
    for _ in 0..8 {
        sender.send("/queue/a", "", &body);
    }
    for mode in ["client", "auto"] {
        let mut client = bench.stomp(Version::V1_2);
        client.subscribe("1", "/queue/a", &format!("ack:{mode}\n"));
        let got = client.frames();
        assert_eq!(got.len(), 8, "{mode}: what was written makes room for more");
        client.hang_up();
    }
    assert_eq!(depth(&bench, "a"), 0);
}

#[test]
fn acknowledging_a_topic_moves_its_window() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/topic/a", "ack:client\nactivemq.prefetchSize:3\n");
    for n in 0..8 {
        client.send("/topic/a", "", &n.to_string());
    }
    let got = client.frames();
    assert_eq!(got.iter().map(Got::text).collect::<String>(), "012");
    client.say(format!("ACK\n{}\n\0", names(&got[1], Version::V1_2)));
    assert_eq!(client.bodies().concat(), "34");
}

#[test]
fn nack_says_when_and_whether_it_comes_again() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/a", "ack:client-individual\n");
    client.subscribe("dlq", "/queue/ActiveMQ.DLQ", "");
    for n in 1..=3 {
        client.send("/queue/a", "persistent:true\n", &n.to_string());
    }
    assert_eq!(client.bodies().concat(), "123");
    client.say(
        "NACK\nid:0-1\ndelay:30000\n\n\0NACK\nid:0-2\nrequeue:false\n\n\0NACK\nid:0-3\nrequeue:true\n\n\0",
    );
    let dead = client.await_frames(1).remove(0);
    assert_eq!((dead.text(), dead.get("subscription")), ("2", Some("dlq")));
    assert_eq!(dead.get("dlqDeliveryFailureCause"), Some("refused by its consumer"));
    assert_eq!(dead.get("dlq-time"), Some(&*START.to_string()));
    bench.pass(1_000);
    let again = client.await_frames(1).remove(0);
    assert_eq!(
        (again.text(), again.get("JMSXDeliveryCount")),
        ("3", Some("2")),
        "after the pause of the policy"
    );
    bench.pass(28_999);
    assert!(client.frames().is_empty());
    bench.pass(1);
    let again = client.await_frames(1).remove(0);
    assert_eq!((again.text(), again.get("JMSXDeliveryCount")), ("1", Some("2")));
}

#[test]
fn nack_is_cumulative_in_client_mode() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/a", "ack:client\n");
    for n in 1..=3 {
        client.send("/queue/a", "", &n.to_string());
    }
    client.frames();
    client.say("NACK\nid:0-2\ndelay:0\n\n\0");
    assert_eq!(client.bodies().concat(), "12");
}

#[test]
fn wrong_words_about_deliveries_are_refused() {
    let wrong = [
        ("NACK", "delay:soon", "delay is not a number of milliseconds from 0 to 2592000000"),
        ("NACK", "delay:2592000001", "from 0 to 2592000000"),
        ("NACK", "delay:-1", "from 0 to 2592000000"),
        ("NACK", "requeue:maybe", "requeue is neither true nor false"),
        ("NACK", "delay:1\nrequeue:false", "exclude each other"),
        ("NACK", "extend:5000", "extend is a header of ACK"),
        ("ACK", "extend:999", "extend is not a number of milliseconds from 1000 to 2592000000"),
        ("ACK", "extend:5000\ntransaction:t", "leave the header transaction out"),
        ("ACK", "delay:5000", "headers of NACK"),
        ("ACK", "requeue:false", "headers of NACK"),
    ];
    let bench = Bench::new();
    for (command, headers, says) in wrong {
        let mut client = bench.stomp(Version::V1_2);
        client.subscribe("1", "/queue/a", "ack:client\n");
        client.send("/queue/a", "", "x");
        client.frames();
        client.say(format!("{command}\nid:0-1\n{headers}\n\n\0"));
        let said = client.error().get("message").unwrap().to_owned();
        assert!(said.contains(says), "{said}");
        client.hang_up();
    }
    for lock in ["999", "2592000001", "x"] {
        let mut client = bench.stomp(Version::V1_2);
        client.subscribe("1", "/queue/a", &format!("ack:client\nlock:{lock}\n"));
        let said = client.error().get("message").unwrap().to_owned();
        assert!(said.contains("lock is not a number of milliseconds from 1000 to 2592000000"), "{said}");
    }
}

#[test]
fn a_lock_ends_unless_it_is_extended() {
    for mode in ["client", "client-individual"] {
        let bench = Bench::new();
        let mut client = bench.stomp(Version::V1_2);
        client.subscribe("1", "/queue/a", &format!("ack:{mode}\nlock:5000\n"));
        for n in 1..=3 {
            client.send("/queue/a", "", &n.to_string());
        }
        assert_eq!(client.bodies().concat(), "123");
        bench.pass(4_999);
        client.say("ACK\nid:0-2\nextend:60000\nreceipt:r\n\n\0");
        assert_eq!(client.frames()[0].get("receipt-id"), Some("r"));
        assert_eq!(depth(&bench, "a"), 3, "nothing is settled");
        bench.pass(1);
        let kept = if mode == "client" { 2 } else { 1 };
        let back = client.await_frames(3 - kept);
        assert_eq!(back.iter().map(Got::text).collect::<String>(), if kept == 2 { "3" } else { "13" });
        assert!(back.iter().all(|frame| frame.get("JMSXDeliveryCount") == Some("2")));
        client.say("ACK\nid:0-2\n\n\0");
        assert_eq!(depth(&bench, "a"), 3 - kept as u64);
        bench.pass(5_000);
        assert_eq!(client.await_frames(3 - kept).len(), 3 - kept);
    }
}

#[test]
fn a_dead_letter_names_its_consumer() {
    let bench = Bench::new();
    let mut client = bench.stomp_as("CONNECT\naccept-version:1.2\nhost:h\nclient-id:billing\n\n\0");
    client.subscribe("1", "/queue/a", "ack:client\n");
    client.send("/queue/a", "", "x");
    client.frames();
    client.say("NACK\nid:0-1\nrequeue:false\n\n\0");
    client.subscribe("dlq", "/queue/ActiveMQ.DLQ", "");
    let dead = client.await_frames(1).remove(0);
    assert_eq!(dead.get("dlq-consumer"), Some("billing@127.0.0.1:1"));
    assert_eq!(dead.get("dlq-queue"), Some("a"));
}

#[test]
fn extending_covers_all_queues_of_a_subscription() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    for queue in ["/queue/w.a", "/queue/w.b", "/queue/w.a"] {
        client.send(queue, "", queue);
    }
    client.subscribe("1", "/queue/w.>", "ack:client\nlock:5000\n");
    let got = client.frames();
    assert_eq!(got.len(), 3);
    client.say(format!("ACK\n{}extend:60000\n\n\0", names(&got[2], Version::V1_2)));
    bench.pass(30_000);
    assert!(client.frames().is_empty());
    bench.pass(30_000);
    assert_eq!(client.await_frames(3).len(), 3);
}
