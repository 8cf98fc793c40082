//! Consumers of queues by wildcard.

use super::*;

#[test]
fn queues_that_are_there_and_that_are_made_later() {
    let bench = Bench::new();
    let mut sender = bench.stomp(Version::V1_2);
    for (queue, body) in [("A", "1"), ("A.x", "2"), ("A.x.B", "3"), ("B", "4"), ("$A.x", "5")] {
        sender.send(&format!("/queue/{queue}"), "", body);
    }
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/A.>", "");
    let got = client.frames();
    let mut seen: Vec<_> = got.iter().map(|got| (got.get("destination").unwrap(), got.text())).collect();
    seen.sort_unstable();
    assert_eq!(seen, [("/queue/A", "1"), ("/queue/A.x", "2"), ("/queue/A.x.B", "3")]);
    assert!(got.iter().all(|got| got.get("original-destination").is_none()));
    for (queue, body) in [("A.new", "6"), ("A.y.B", "7"), ("C.x.B", "8"), ("A.new", "9")] {
        sender.send(&format!("/queue/{queue}"), "", body);
    }
    assert_eq!(sorted(client.bodies()), ["6", "7", "9"]);
    let mut all = bench.stomp(Version::V1_2);
    all.subscribe("1", "/queue/>", "");
    assert_eq!(sorted(all.bodies()), ["4", "8"], "no name that begins with $");
    all.hang_up();
    let mut middle = bench.stomp(Version::V1_2);
    middle.subscribe("1", "/queue/D.*.B", "ack:client-individual\n");
    sender.send("/queue/D.x", "", "10");
    sender.send("/queue/D.x.B", "", "11");
    let got = middle.frames();
    assert_eq!((got.len(), got[0].text(), got[0].get("destination")), (1, "11", Some("/queue/D.x.B")));
}

fn sorted(mut bodies: Vec<String>) -> Vec<String> {
    bodies.sort_unstable();
    bodies
}

#[test]
fn a_queue_that_two_patterns_match_is_consumed_once() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/A.>,/queue/A.*,/queue/A.x", "ack:client-individual\n");
    let mut sender = bench.stomp(Version::V1_2);
    for n in 0..10 {
        sender.send("/queue/A.x", "", &n.to_string());
        sender.send("/queue/A.y", "", &n.to_string());
    }
    assert_eq!(client.frames().len(), 20);
    for name in ["A.x", "A.y"] {
        let queue = bench.0.broker.queue(wharfmq_core::record::Class::Queue, &name.into(), true).unwrap().0;
        assert_eq!(queue.lock().queue().consumers().count(), 1, "{name}");
    }
}

#[test]
fn an_ended_subscription_hears_of_no_new_queue() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/A.>", "ack:client\n");
    client.send("/queue/A.x", "", "1");
    client.send("/queue/A.y", "", "2");
    assert_eq!(sorted(client.bodies()), ["1", "2"]);
    client.say("UNSUBSCRIBE\nid:1\n\n\0");
    let mut sender = bench.stomp(Version::V1_2);
    sender.send("/queue/A.z", "", "3");
    assert!(client.frames().is_empty());
    client.subscribe("1", "/queue/A.*", "");
    let got = client.frames();
    assert_eq!(sorted(got.iter().map(|got| got.text().to_owned()).collect()), ["1", "2", "3"]);
    client.hang_up();
    sender.send("/queue/A.w", "", "4");
    let queue = bench.0.broker.queue(wharfmq_core::record::Class::Queue, &"A.w".into(), true).unwrap().0;
    assert_eq!(queue.lock().queue().stats().ready, 1, "nobody took it");
}

#[test]
fn the_prefetch_is_for_all_queues_together() {
    let bench = Bench::new();
    let mut sender = bench.stomp(Version::V1_2);
    for n in 0..3 {
        sender.send("/queue/A.x", "", &format!("x{n}"));
        sender.send("/queue/A.y", "", &format!("y{n}"));
    }
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/A.>", "ack:client-individual\nactivemq.prefetchSize:2\n");
    let mut seen = Vec::new();
    while seen.len() < 6 {
        let got = client.frames();
        assert!(got.len() <= 2 && !got.is_empty(), "{seen:?} {got:?}");
        for got in got {
            seen.push(got.text().to_owned());
            client.say(format!("ACK\nid:{}\n\n\0", got.get("ack").unwrap()));
        }
    }
    assert_eq!(sorted(seen), ["x0", "x1", "x2", "y0", "y1", "y2"]);
}
