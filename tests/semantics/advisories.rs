//! Advisories, as clients of STOMP and MQTT see them.

use crate::support::mqtt::V5;
use crate::support::{Broker, Mqtt, Stomp};

#[test]
fn who_sends_by_stomp_or_mqtt_is_no_producer_and_who_consumes_is_a_consumer() {
    let broker = Broker::start();
    let mut listener = Stomp::connect(broker.stomp());
    listener.subscribe("0", "/topic/ActiveMQ.Advisory.Producer.>", "auto");
    listener.subscribe("1", "/topic/ActiveMQ.Advisory.Consumer.Queue.>", "auto");
    let mut client = Stomp::connect(broker.stomp());
    client.send("/queue/orders", "1");
    Mqtt::connect(broker.mqtt(), V5, "device").publish("plant", "1", 1);
    client.subscribe("0", "/queue/orders", "client-individual");
    let told = listener.receive();
    assert_eq!(told.header("destination"), "/topic/ActiveMQ.Advisory.Consumer.Queue.orders");
    assert_eq!((told.header("type"), told.header("consumerCount")), ("Advisory", "1"));
    assert!(told.text().starts_with("{\"ConsumerInfo\":{"), "{}", told.text());
    listener.nothing();
}
