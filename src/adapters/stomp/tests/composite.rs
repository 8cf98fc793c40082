//! Several destinations in one header, options behind it, and what MESSAGE names.

use super::*;

fn seen(got: &[Got]) -> Vec<(&str, &str, &str)> {
    got.iter()
        .map(|got| (got.get("subscription").unwrap(), got.get("destination").unwrap(), got.text()))
        .collect()
}

#[test]
fn each_gets_a_copy_and_one_receipt_is_for_all() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    for (id, destination) in [("qa", "/queue/a"), ("qb", "/queue/b"), ("ta", "/topic/a"), ("tb", "/topic/b")]
    {
        client.subscribe(id, destination, "");
    }
    let mut sender = bench.stomp(Version::V1_2);
    sender.send("/queue/a,/topic/b, b ,queue://a,/queue/b,", "receipt:r\nx:y\npersistent:true\n", "1");
    let receipts = sender.frames();
    assert_eq!((receipts.len(), receipts[0].get("receipt-id")), (1, Some("r")));
    let got = client.frames();
    let mut all = seen(&got);
    all.sort_unstable();
    assert_eq!(all, [("qa", "/queue/a", "1"), ("qb", "/queue/b", "1"), ("tb", "/topic/b", "1")]);
    for got in &got {
        assert_eq!(got.get("original-destination"), Some("/queue/a,topic://b,queue://b"));
        assert_eq!(got.get("x"), Some("y"));
    }
    sender.send("/topic/a,b", "", "2");
    let got = client.frames();
    let mut both = seen(&got);
    both.sort_unstable();
    assert_eq!(both, [("qb", "/queue/b", "2"), ("ta", "/topic/a", "2")], "a name without more is a queue's");
    sender.send("/queue/a,/queue/a", "", "3");
    let got = client.frames();
    assert_eq!((seen(&got), got[0].get("original-destination")), (vec![("qa", "/queue/a", "3")], None));
}

#[test]
fn copies_of_a_transaction_come_with_its_commit() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("a", "/queue/a", "");
    client.subscribe("t", "/topic/t", "");
    client.say("BEGIN\ntransaction:x\n\n\0");
    client.send("/queue/a,/topic/t,/temp-queue/mine", "transaction:x\nreceipt:s\n", "1");
    assert_eq!(client.frames().len(), 1, "the receipt");
    client.subscribe("mine", "/temp-queue/mine", "");
    client.say("COMMIT\ntransaction:x\n\n\0");
    let got = client.frames();
    let mut ids: Vec<_> = got.iter().map(|got| got.get("subscription").unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["a", "mine", "t"]);
}

#[test]
fn one_subscription_to_several_acknowledges_across_them() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_1);
    client.subscribe("1", "/queue/a,/queue/b,/topic/t", "ack:client\n");
    let mut sender = bench.stomp(Version::V1_2);
    for (destination, body) in [("/queue/a", "1"), ("/queue/b", "2"), ("/topic/t", "3"), ("/queue/a", "4")] {
        sender.send(destination, "", body);
        client.run();
    }
    let got = client.frames();
    let bodies = ["1", "2", "3", "4"];
    assert_eq!(got.iter().map(Got::text).collect::<Vec<_>>(), bodies);
    assert!(got.iter().all(|got| got.get("subscription") == Some("1")));
    assert_eq!((got[1].get("destination"), got[2].get("destination")), (Some("/queue/b"), Some("/topic/t")));
    let stored = |name: &str| {
        let queue = bench.0.broker.queue(wharfmq_core::record::Class::Queue, &name.into(), true).unwrap().0;
        queue.lock().queue().stats().stored()
    };
    client.say(format!("ACK\nsubscription:1\nmessage-id:{}\n\n\0", id_of(&got[2])));
    assert_eq!((stored("a"), stored("b")), (1, 0), "1 and 2 were sent before 3");
    client.say("UNSUBSCRIBE\nid:1\nreceipt:u\n\n\0");
    assert_eq!(client.frames().len(), 1);
    for destination in ["/queue/a", "/queue/b", "/topic/t"] {
        sender.send(destination, "", "late");
    }
    assert!(client.frames().is_empty(), "all of it has ended");
    assert_eq!((stored("a"), stored("b")), (2, 1));
    client.subscribe("1", "/queue/a", "");
    assert_eq!(client.bodies(), ["4", "late"], "the id is free again");
}

/// An id as a header of 1.1 has it.
fn id_of(got: &Got) -> String {
    got.get("message-id").unwrap().replace(':', "\\c")
}

#[test]
fn acknowledging_several_in_a_transaction() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/a,/queue/b", "ack:client\n");
    for end in ["ABORT", "COMMIT"] {
        if end == "ABORT" {
            client.send("/queue/a", "", "1");
            client.run();
            client.send("/queue/b", "", "2");
        }
        client.run();
        client.say("BEGIN\ntransaction:x\n\n\0");
        // The parts are numbered in the order of the list, behind the subscription itself.
        client.say("ACK\nid:2-1\ntransaction:x\n\n\0");
        client.say(format!("{end}\ntransaction:x\n\n\0"));
    }
    assert_eq!(client.bodies(), ["1", "2"]);
    client.hang_up();
    let mut other = bench.stomp(Version::V1_2);
    other.subscribe("1", "/queue/a,/queue/b", "");
    assert!(other.frames().is_empty(), "both were acknowledged");
}

#[test]
fn topics_that_overlap_send_once() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/topic/a.>,/topic/a.b,/topic/c", "");
    client.send("/topic/a.b", "", "1");
    client.send("/topic/c", "", "2");
    assert_eq!(client.bodies(), ["1", "2"]);
    client.say("UNSUBSCRIBE\nid:1\n\n\0");
    client.send("/topic/a.b,/topic/c", "", "3");
    assert!(client.frames().is_empty());
}

#[test]
fn options_of_a_destination_act_as_headers() {
    let bench = Bench::new();
    let mut low = bench.stomp(Version::V1_2);
    low.subscribe("1", "/queue/a?consumer.priority=0&consumer.dispatchAsync=true", "");
    let mut high = bench.stomp(Version::V1_2);
    let options = "?consumer.prefetchSize=2&consumer.priority=9&consumer.maximumPendingMessageLimit=5";
    high.subscribe("1", &format!("/queue/a{options}"), "ack:client\nactivemq.priority:1\n");
    for n in 0..4 {
        low.send("/queue/a?consumer.priority=5", "", &n.to_string());
    }
    let got = high.frames();
    assert_eq!(got.iter().map(Got::text).collect::<String>(), "01");
    assert_eq!(got[0].get("destination"), Some("/queue/a"));
    assert_eq!(low.bodies().concat(), "23");
    let mut own = bench.stomp(Version::V1_2);
    own.subscribe("1", "/topic/t?consumer.noLocal=true", "");
    own.subscribe("2", "/topic/t?consumer.noLocal=true", "activemq.noLocal:false\n");
    own.send("/topic/t", "", "x");
    let got = own.frames();
    assert_eq!((got.len(), got[0].get("subscription")), (1, Some("2")), "the header wins");
}

#[test]
fn maps_go_as_json() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/a", "");
    client.subscribe("2", "/queue/b", "transformation:jms-map-json\n");
    let body = r#"{"name":"Dejan","age":30}"#;
    let length = format!("transformation:jms-map-json\ncontent-length:{}\n", body.len());
    for (destination, headers) in [("/queue/a", "transformation:jms-map-json\n"), ("/queue/b", &length)] {
        client.send(destination, headers, body);
        let got = client.frames().remove(0);
        assert_eq!((got.get("transformation"), got.text()), (Some("jms-map-json"), body));
        assert_eq!(got.get("content-length"), None, "it is text");
    }
    client.send("/queue/a", "transformation:gzip\n", "as it is");
    assert_eq!(client.frames()[0].get("transformation"), Some("gzip"));
}

#[test]
fn what_came_by_way_of_a_topic_names_both() {
    use wharfmq_core::record::Class;
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    let port = &mut client.inner.port;
    let (queue, _) = port.open(Class::Queue, &"Consumer.A.VirtualTopic.x".into(), true).unwrap();
    let pattern = wharfmq_core::Pattern::parse(wharfmq_core::Kind::Topic, "VirtualTopic.>").unwrap();
    let binding = crate::broker::Binding {
        pattern,
        flags: 2,
        no_local: false,
        filter: None,
        options: Default::default(),
    };
    port.bind(&queue, binding).unwrap();
    client.subscribe("1", "/queue/Consumer.A.VirtualTopic.x", "ack:client\n");
    client.send("/topic/VirtualTopic.x:y", "", "by topic");
    client.send("/queue/Consumer.A.VirtualTopic.x", "", "by name");
    let got = client.frames();
    assert!(got.iter().all(|got| got.get("destination") == Some("/queue/Consumer.A.VirtualTopic.x")));
    let original: Vec<_> = got.iter().map(|got| (got.text(), got.get("original-destination"))).collect();
    assert_eq!(original, [("by topic", Some("/topic/VirtualTopic.x:y")), ("by name", None)]);
}
