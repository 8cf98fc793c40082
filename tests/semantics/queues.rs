//! Queues: competing consumers, acknowledgement, redelivery, dead letters, priority, transactions.

use std::io::Write;
use std::time::Duration;

use crate::support::stomp::{Frame, frame_bytes};
use crate::support::{Broker, Setup, Stomp};

const QUEUE: &str = "/queue/work";

#[test]
fn competing_consumers_share_fairly() {
    let broker = Broker::start();
    let mut first = Stomp::connect(broker.stomp());
    let mut second = Stomp::connect(broker.stomp());
    for consumer in [&mut first, &mut second] {
        consumer.subscribe_with("0", QUEUE, "client-individual", &[("activemq.prefetchSize", "10")]);
    }
    let mut producer = Stomp::connect(broker.stomp());
    for n in 0..20 {
        producer.send(QUEUE, n.to_string());
    }
    let mut all: Vec<u32> = Vec::new();
    for consumer in [&mut first, &mut second] {
        // Nothing is acknowledged meanwhile, so each got exactly its window.
        let taken: Vec<Frame> = (0..10).map(|_| consumer.receive()).collect();
        let numbers: Vec<u32> = taken.iter().map(|frame| frame.text().parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        all.extend(&numbers);
        consumer.nothing();
        taken.iter().for_each(|frame| consumer.ack(frame));
    }
    all.sort_unstable();
    assert_eq!(all, (0..20).collect::<Vec<_>>());
}

#[test]
fn what_was_not_acknowledged_comes_again_marked() {
    let broker = Broker::start();
    let mut producer = Stomp::connect(broker.stomp());
    for n in 0..3 {
        producer.send(QUEUE, n.to_string());
    }
    let mut consumer = Stomp::connect(broker.stomp());
    consumer.subscribe("0", QUEUE, "client-individual");
    let taken: Vec<Frame> = (0..3).map(|_| consumer.receive()).collect();
    assert!(taken.iter().all(|frame| frame.get("redelivered").is_none_or(|flag| flag == "false")));
    consumer.ack(&taken[1]);
    drop(consumer);

    let mut consumer = Stomp::connect(broker.stomp());
    consumer.subscribe("0", QUEUE, "client-individual");
    for expected in ["0", "2"] {
        let frame = consumer.take();
        assert_eq!((frame.text(), frame.header("redelivered")), (expected, "true"));
    }
    consumer.nothing();
}

#[test]
fn client_mode_acknowledges_up_to_a_message() {
    let broker = Broker::start();
    let mut producer = Stomp::connect(broker.stomp());
    for n in 0..5 {
        producer.send(QUEUE, n.to_string());
    }
    let mut consumer = Stomp::connect(broker.stomp());
    consumer.subscribe("0", QUEUE, "client");
    let taken: Vec<Frame> = (0..5).map(|_| consumer.receive()).collect();
    consumer.ack(&taken[2]);
    drop(consumer);
    let mut consumer = Stomp::connect(broker.stomp());
    consumer.subscribe("0", QUEUE, "auto");
    assert_eq!((consumer.receive().text(), consumer.receive().text()), ("3", "4"));
    consumer.nothing();
}

#[test]
fn a_poisoned_message_ends_in_the_dead_letter_queue() {
    let setup = Setup::new()
        .config("[[address]]\nmatch = \"queue://work\"\nmax_deliveries = 3\nredelivery_delay = \"10ms\"\n");
    let broker = setup.start();
    let mut client = Stomp::connect(broker.stomp());
    client.send_with(QUEUE, &[("colour", "red")], "poison");
    client.subscribe("0", QUEUE, "client-individual");
    for delivery in 1..=3 {
        let frame = client.receive();
        assert_eq!(frame.get("redelivered").unwrap_or("false"), (delivery > 1).to_string());
        client.nack(&frame);
    }
    client.nothing();
    client.subscribe("1", "/queue/ActiveMQ.DLQ", "client-individual");
    let dead = client.take();
    assert_eq!((dead.text(), dead.header("colour")), ("poison", "red"));
    assert_eq!(dead.header("original-destination"), QUEUE);
    assert!(!dead.header("dlqDeliveryFailureCause").is_empty());
    assert_eq!(dead.header("dlq-deliveries"), "3");
}

#[test]
fn settings_name_another_dead_letter_queue() {
    let setup = Setup::new().config(
        "[[address]]\nmatch = \"queue://work\"\nmax_deliveries = 1\ndead_letter = \"queue://graves\"\n",
    );
    let broker = setup.start();
    let mut client = Stomp::connect(broker.stomp());
    client.subscribe("0", QUEUE, "client-individual");
    client.subscribe("1", "/queue/graves", "client-individual");
    client.send(QUEUE, "poison");
    let frame = client.receive();
    assert_eq!(frame.header("subscription"), "0");
    client.nack(&frame);
    let dead = client.take();
    assert_eq!((dead.header("subscription"), dead.text()), ("1", "poison"));
}

#[test]
fn what_expires_is_not_delivered() {
    let broker = Broker::start();
    let mut client = Stomp::connect(broker.stomp());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let past = (now - 1_000).to_string();
    let future = (now + 600_000).to_string();
    client.confirmed("SEND", &[("destination", QUEUE), ("expires", &past)], b"late, not persistent");
    client.send_with(QUEUE, &[("expires", &past)], "late");
    client.send_with(QUEUE, &[("expires", &future)], "in time");
    client.subscribe("0", QUEUE, "client-individual");
    let frame = client.take();
    assert_eq!((frame.text(), frame.header("expires")), ("in time", future.as_str()));
    client.nothing();
    // What was persistent is kept where dead letters go, and does not expire there.
    client.subscribe("1", "/queue/ActiveMQ.DLQ", "client-individual");
    let dead = client.take();
    assert_eq!((dead.text(), dead.header("expires")), ("late", "0"));
    client.nothing();
}

#[test]
fn a_message_expires_while_it_waits() {
    let setup = Setup::new().config("[[address]]\nmatch = \"queue://brief\"\nexpiry = \"50ms\"\n");
    let broker = setup.start();
    let mut client = Stomp::connect(broker.stomp());
    client.send("/queue/brief", "gone soon");
    client.subscribe("1", "/queue/ActiveMQ.DLQ", "client-individual");
    // Nobody reads the queue: the broker's own clock has to notice.
    assert_eq!(client.take().text(), "gone soon");
    client.subscribe("0", "/queue/brief", "auto");
    client.nothing();
}

#[test]
fn priority_counts_where_it_is_asked_for() {
    let setup = Setup::new().config("[[address]]\nmatch = \"queue://urgent\"\npriority = true\n");
    let broker = setup.start();
    let mut client = Stomp::connect(broker.stomp());
    for (queue, expected) in
        [("/queue/urgent", ["9", "4", "4b", "0"]), ("/queue/plain", ["0", "4", "9", "4b"])]
    {
        for (body, priority) in [("0", "0"), ("4", "4"), ("9", "9"), ("4b", "4")] {
            client.send_with(queue, &[("priority", priority)], body);
        }
        client.subscribe(queue, queue, "client-individual");
        for body in expected {
            assert_eq!(client.take().text(), body, "{queue}");
        }
    }
}

#[test]
fn a_transaction_is_all_or_nothing() {
    let broker = Broker::start();
    let mut client = Stomp::connect(broker.stomp());
    let mut reader = Stomp::connect(broker.stomp());
    reader.subscribe("0", QUEUE, "auto");
    for (transaction, end) in [("t1", "ABORT"), ("t2", "COMMIT")] {
        client.confirmed("BEGIN", &[("transaction", transaction)], b"");
        for n in 0..3 {
            let body = format!("{transaction}-{n}");
            client.send_with(QUEUE, &[("transaction", transaction)], body);
        }
        reader.nothing();
        client.confirmed(end, &[("transaction", transaction)], b"");
    }
    for n in 0..3 {
        assert_eq!(reader.receive().text(), format!("t2-{n}"));
    }
    reader.nothing();
    // What a lost connection leaves open is as if it had not been.
    client.confirmed("BEGIN", &[("transaction", "t3")], b"");
    client.send_with(QUEUE, &[("transaction", "t3")], "lost");
    drop(client);
    reader.nothing();
}

#[test]
fn browsing_takes_nothing() {
    let broker = Broker::start();
    let mut client = Stomp::connect(broker.stomp());
    for n in 0..3 {
        client.send(QUEUE, n.to_string());
    }
    for round in ["b1", "b2"] {
        client.subscribe_with(round, QUEUE, "auto", &[("browser", "true")]);
        for n in 0..3 {
            assert_eq!(client.receive().text(), n.to_string());
        }
        // ActiveMQ's sign that nothing is left to see.
        assert_eq!(client.receive().header("browser"), "end");
        client.confirmed("UNSUBSCRIBE", &[("id", round)], b"");
    }
    client.subscribe("0", QUEUE, "client-individual");
    for n in 0..3 {
        assert_eq!(client.take().text(), n.to_string());
    }
}

#[test]
fn one_destination_that_is_full_does_not_hold_up_another() {
    let setup = Setup::new().set("limits.memory=64MiB").set("limits.destination_memory=8MiB");
    let broker = setup.start();
    // Not persistent and without consumers: it would take all memory.
    let mut flood = Stomp::connect(broker.stomp());
    flood.stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    let frame = frame_bytes("SEND", &[("destination", "/queue/flood")], &[b'x'; 16 * 1024]);
    let written = (0..4_000).take_while(|_| flood.stream.write_all(&frame).is_ok()).count();
    assert!(written < 4_000, "nobody held the producer back");
    let mut client = Stomp::connect(broker.stomp());
    client.subscribe("0", QUEUE, "auto");
    for n in 0..100 {
        client.confirmed("SEND", &[("destination", QUEUE)], n.to_string().as_bytes());
        assert_eq!(client.receive().text(), n.to_string());
    }
    // A consumer drains what is there, and the producer goes on.
    let mut drain = Stomp::connect(broker.stomp());
    drain.subscribe("0", "/queue/flood", "auto");
    for _ in 0..written {
        drain.receive();
    }
}
