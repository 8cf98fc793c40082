//! Settings of destinations, from the configuration file.

use crate::support::{Setup, Stomp};

fn limited(overflow: &str) -> Setup {
    Setup::new().config(&format!(
        "[[address]]\nmatch = \"queue://short.>\"\nmax_messages = 3\noverflow = \"{overflow}\"\n"
    ))
}

#[test]
fn a_full_queue_refuses() {
    let broker = limited("reject").start();
    let mut client = Stomp::connect(broker.stomp());
    for n in 0..3 {
        client.send("/queue/short.a", n.to_string());
    }
    let mut refused = Stomp::connect(broker.stomp());
    let headers = [("destination", "/queue/short.a"), ("persistent", "true"), ("receipt", "r")];
    refused.frame("SEND", &headers, b"3");
    let frames = refused.closed();
    assert_eq!(frames[0].command, "ERROR", "{frames:?}");
    assert_eq!(frames[0].header("receipt-id"), "r");
    // Another queue of the pattern has room of its own, one outside it has no bound.
    client.send("/queue/short.b", "x");
    (0..5).for_each(|n| client.send("/queue/long", n.to_string()));
    client.subscribe("0", "/queue/short.a", "client-individual");
    for n in 0..3 {
        assert_eq!(client.take().text(), n.to_string());
    }
    client.nothing();
    client.send("/queue/short.a", "room again");
    assert_eq!(client.take().text(), "room again");
}

#[test]
fn a_full_queue_drops_its_oldest() {
    let broker = limited("drop-oldest").start();
    let mut client = Stomp::connect(broker.stomp());
    for n in 0..5 {
        client.send("/queue/short.a", n.to_string());
    }
    client.subscribe("0", "/queue/short.a", "client-individual");
    for n in 2..5 {
        assert_eq!(client.take().text(), n.to_string());
    }
    client.nothing();
}

#[test]
fn a_full_queue_hands_on_to_dead_letters() {
    let broker = limited("dead-letter").start();
    let mut client = Stomp::connect(broker.stomp());
    for n in 0..4 {
        client.send("/queue/short.a", n.to_string());
    }
    client.subscribe("0", "/queue/short.a", "client-individual");
    let kept: Vec<String> = (0..3).map(|_| client.take().text().to_owned()).collect();
    client.subscribe("1", "/queue/ActiveMQ.DLQ", "client-individual");
    let dead = client.take().text().to_owned();
    let mut all = kept;
    all.push(dead);
    all.sort_unstable();
    assert_eq!(all, ["0", "1", "2", "3"]);
}

#[test]
fn a_full_queue_makes_its_producer_wait() {
    let broker = limited("block").start();
    let mut producer = Stomp::connect(broker.stomp());
    for n in 0..3 {
        producer.send("/queue/short.a", n.to_string());
    }
    let headers = [("destination", "/queue/short.a"), ("persistent", "true"), ("receipt", "fourth")];
    producer.frame("SEND", &headers, b"3");
    producer.nothing();
    let mut other = Stomp::connect(broker.stomp());
    other.send("/queue/elsewhere", "goes on");
    other.subscribe("0", "/queue/short.a", "client-individual");
    for n in 0..4 {
        assert_eq!(other.take().text(), n.to_string());
    }
    assert_eq!(producer.expect("RECEIPT").header("receipt-id"), "fourth");
}
