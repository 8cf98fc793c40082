//! What outlives a clean stop and start.

use crate::support::mqtt::{Options, V5, V311};
use crate::support::{Broker, Mqtt, Setup, Stomp};

#[test]
fn a_clean_restart_keeps_everything() {
    let broker = Broker::start();
    let session = Options::persistent(V5, "session");
    let mut client = Mqtt::with(broker.mqtt(), &session);
    client.subscribe("kept/#", 2);
    client.disconnect();
    let mut stomp =
        Stomp::login(broker.stomp(), &[("accept-version", "1.2"), ("host", "x"), ("client-id", "durable")]).0;
    let durable = [("activemq.subscriptionName", "books")];
    stomp.subscribe_with("d", "/topic/kept.>", "client-individual", &durable);
    stomp.disconnect();

    let mut publisher = Mqtt::connect(broker.mqtt(), V311, "publisher");
    publisher.publish("kept/1", "one", 1);
    publisher.publish("kept/2", "two", 2);
    let id = publisher.send("kept/state", b"retained", 1, true);
    publisher.finish(id, 1);
    let mut producer = Stomp::connect(broker.stomp());
    producer.send_with("/queue/kept", &[("colour", "red")], "queued");
    producer.confirmed("SEND", &[("destination", "/queue/kept"), ("persistent", "false")], b"not stored");

    let broker = broker.stop().start();
    let (mut client, connack) = Mqtt::login(broker.mqtt(), &session);
    assert_eq!(connack[..2], [1, 0], "session present");
    for (topic, text, qos) in [("kept/1", "one", 1), ("kept/2", "two", 2), ("kept/state", "retained", 1)] {
        let publish = client.take();
        assert_eq!((publish.topic.as_str(), publish.text(), publish.qos), (topic, text, qos));
    }
    client.nothing();

    let mut late = Mqtt::connect(broker.mqtt(), V311, "late");
    late.subscribe("kept/state", 0);
    let retained = late.receive();
    assert!(retained.retain);
    assert_eq!(retained.text(), "retained");

    let mut stomp =
        Stomp::login(broker.stomp(), &[("accept-version", "1.2"), ("host", "x"), ("client-id", "durable")]).0;
    stomp.subscribe_with("d", "/topic/kept.>", "client-individual", &durable);
    for text in ["one", "two", "retained"] {
        assert_eq!(stomp.take().text(), text);
    }
    stomp.subscribe("0", "/queue/kept", "client-individual");
    let frame = stomp.take();
    assert_eq!((frame.text(), frame.header("colour")), ("queued", "red"));
    stomp.nothing();
}

#[test]
fn failed_deliveries_stay_counted() {
    let settings = "[[address]]\nmatch = \"queue://work\"\nmax_deliveries = 2\nredelivery_delay = \"0s\"\n";
    let broker = Setup::new().config(settings).start();
    let mut client = Stomp::connect(broker.stomp());
    client.send("/queue/work", "poison");
    client.subscribe("0", "/queue/work", "client-individual");
    let frame = client.receive();
    client.nack(&frame);
    assert_eq!(client.receive().header("JMSXDeliveryCount"), "2");
    client.disconnect();
    let broker = broker.stop().start();
    let mut client = Stomp::connect(broker.stomp());
    client.subscribe("0", "/queue/ActiveMQ.DLQ", "client-individual");
    let dead = client.take();
    assert_eq!((dead.text(), dead.header("dlq-deliveries")), ("poison", "2"));
}

#[test]
fn what_is_done_stays_done() {
    let mut broker = Broker::start();
    let mut client = Stomp::connect(broker.stomp());
    client.send("/queue/a", "once");
    client.subscribe("0", "/queue/a", "client-individual");
    client.take();
    let mut mqtt = Mqtt::connect(broker.mqtt(), V311, "m");
    let id = mqtt.send("r", b"soon gone", 1, true);
    mqtt.finish(id, 1);
    let id = mqtt.send("r", b"", 1, true);
    mqtt.finish(id, 1);
    for _ in 0..2 {
        broker = broker.stop().start();
        let mut client = Stomp::connect(broker.stomp());
        client.subscribe("0", "/queue/a", "client-individual");
        client.nothing();
        let mut mqtt = Mqtt::connect(broker.mqtt(), V311, "m");
        mqtt.subscribe("r", 0);
        mqtt.nothing();
    }
}

#[test]
fn two_brokers_do_not_share_a_data_directory() {
    let broker = Broker::start();
    let (code, log) = broker.setup().refuses_to_start();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("data"), "{log}");
    Stomp::connect(broker.stomp()).disconnect();
}
