use wharfmq_core::{PartialPolicy, Pattern, Settings, limits};

use super::*;

const FIRST: &str = "JMSXGroupFirstForConsumer";

#[test]
fn a_group_stays_with_its_consumer() {
    let bench = Bench::new();
    let mut producer = bench.stomp(Version::V1_2);
    let mut consumers = [bench.stomp(Version::V1_2), bench.stomp(Version::V1_2)];
    for consumer in &mut consumers {
        consumer.subscribe("1", "/queue/g", "");
    }
    let sent = (0..6).map(|n| {
        let (group, n) = (if n % 2 == 0 { "a" } else { "b" }, n / 2);
        format!("SEND\ndestination:/queue/g\nJMSXGroupID:{group}\n{FIRST}:forged\n\n{group}{n}\0")
    });
    producer.say(sent.collect::<String>());
    let mut groups = consumers.each_mut().map(|consumer| consumer.frames());
    groups.sort_by(|x, y| x[0].body.cmp(&y[0].body));
    for (group, got) in ["a", "b"].into_iter().zip(groups) {
        let seen: Vec<_> = got.iter().map(|frame| (frame.text(), frame.get(FIRST))).collect();
        let bodies: Vec<_> = (0..3).map(|n| format!("{group}{n}")).collect();
        assert_eq!(seen, [(&*bodies[0], Some("true")), (&*bodies[1], None), (&*bodies[2], None)]);
        assert!(got.iter().all(|frame| frame.get("JMSXGroupID") == Some(group)));
    }
}

#[test]
fn a_negative_sequence_closes_the_group() {
    let bench = Bench::new();
    let mut producer = bench.stomp(Version::V1_1);
    let mut consumer = bench.stomp(Version::V1_1);
    consumer.subscribe("1", "/queue/g", "");
    for (sequence, first) in [("1", true), ("2", false), ("-1", false), ("1", true)] {
        let headers = format!("JMSXGroupID:a\nJMSXGroupSeq:{sequence}\n");
        producer.send("/queue/g", &headers, "m");
        let got = consumer.frames();
        assert_eq!(got[0].get(FIRST).is_some(), first, "{sequence}");
        assert_eq!(got[0].get("JMSXGroupSeq"), Some(sequence));
    }
}

#[test]
fn a_delayed_message_comes_later() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/a", "");
    client.send("/queue/a", "AMQ_SCHEDULED_DELAY:5000\nreceipt:r\nkept:x\n", "late");
    client.send("/queue/a", "AMQ_SCHEDULED_DELAY:0\n", "now");
    client.say("BEGIN\ntransaction:t\n\n\0");
    client.send("/queue/a", "AMQ_SCHEDULED_DELAY:6000\ntransaction:t\n", "later");
    client.say("COMMIT\ntransaction:t\n\n\0");
    let got = client.frames();
    let commands: Vec<_> = got.iter().map(|frame| frame.command).collect();
    assert_eq!(commands, [Command::Receipt, Command::Message]);
    assert_eq!(got[1].text(), "now");
    for (pass, body) in [(5_000, "late"), (1_000, "later")] {
        bench.pass(pass);
        let got = client.await_frames(1);
        assert_eq!(got[0].text(), body);
        assert_eq!(got[0].get("AMQ_SCHEDULED_DELAY"), None);
        assert_eq!(got[0].get("timestamp"), Some("1000000"), "when it was sent");
    }
}

#[test]
fn each_of_several_destinations_is_asked() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/a,/queue/b", "");
    client.send("/queue/a,/queue/b", "AMQ_SCHEDULED_DELAY:5000\nreceipt:r\n", "late");
    let got = client.frames();
    assert_eq!((got.len(), got[0].command), (1, Command::Receipt));
    bench.pass(5_000);
    let got = client.await_frames(2);
    assert!(got.iter().all(|frame| frame.text() == "late"));
}

#[test]
fn duplicates_get_their_receipt() {
    let set = PartialPolicy { dedup: Some(Millis(60_000)), ..PartialPolicy::default() };
    let rule = (Pattern::parse_canonical("queue://once").unwrap(), set);
    let bench = Bench(TestBroker::with(Settings::new([rule])));
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/once", "");
    for n in 0..3 {
        let headers = format!("_AMQ_DUPL_ID:order-7\npersistent:true\nreceipt:{n}\n");
        client.send("/queue/once", &headers, "order");
    }
    let got = client.frames();
    let receipts: Vec<_> = got.iter().filter_map(|frame| frame.get("receipt-id")).collect();
    assert_eq!(receipts, ["0", "1", "2"]);
    let messages: Vec<_> = got.iter().filter(|frame| frame.command == Command::Message).collect();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].get("_AMQ_DUPL_ID"), Some("order-7"));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let too_long = |max: usize| "x".repeat(max + 1);
    let group = format!("JMSXGroupID:{}", too_long(limits::GROUP_NAME_BYTES_MAX));
    let identity = format!("_AMQ_DUPL_ID:{}", too_long(limits::IDENTITY_BYTES_MAX));
    let far = format!("AMQ_SCHEDULED_DELAY:{}", limits::DELAY_MAX_MS + 1);
    for (destination, header, says) in [
        ("/queue/a", &*group, "SEND: JMSXGroupID has 1025 bytes; it may have 1024"),
        ("/queue/a", &identity, "SEND: _AMQ_DUPL_ID has 257 bytes; it may have 256"),
        ("/queue/a", "JMSXGroupID:a\nJMSXGroupSeq:x", "SEND: JMSXGroupSeq is not a whole number"),
        ("/queue/a", &far, "AMQ_SCHEDULED_DELAY is a number of milliseconds"),
        ("/queue/a", "AMQ_SCHEDULED_DELAY:-1", "AMQ_SCHEDULED_DELAY is a number of milliseconds"),
        ("/queue/a", "AMQ_SCHEDULED_DELAY:soon", "AMQ_SCHEDULED_DELAY is a number of milliseconds"),
    ] {
        let bench = Bench::new();
        let mut client = bench.stomp(Version::V1_2);
        client.send(destination, &format!("{header}\n"), "m");
        let error = client.error();
        assert!(error.get("message").unwrap().contains(says), "{header}: {error:?}");
    }
}
