//! Consumers and connections that end, or lose what they consume from.

use wharfmq_core::record::Class;
use wharfmq_core::{CoreEvent, Gone};
use wharfmq_openwire::{MessageAck, RemoveInfo, Structure};

use super::kit::{Client, dispatched, queue};
use crate::adapters::Close;
use crate::adapters::testing::TestBroker;

const STANDARD: i8 = 2;

#[test]
fn a_consumer_of_several_queues_outlives_one_of_them() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "client");
    client.produce(1);
    for name in ["w.a", "w.b"] {
        let message = client.message(&queue(name), b"1");
        client.send(&message);
    }
    let got = dispatched(&client.consume(1, &queue("w.>"), 2));
    assert_eq!(got.len(), 2);
    let mut operator = Client::new(&broker, "operator");
    let gone = operator.inner.port.find(Class::Queue, &"w.a".into()).unwrap();
    operator.inner.port.delete(&gone).unwrap();
    assert_eq!(client.turn(), [], "the consumer has not ended");
    // What the client still holds of it makes room once it is acknowledged.
    let ack = client.ack(STANDARD, &got[0], &got[1]);
    client.send(&MessageAck { message_count: 2, ..ack });
    let mut next = Vec::new();
    for content in [b"2", b"3", b"4"] {
        let message = client.message(&queue("w.b"), content);
        next.extend(dispatched(&client.send(&message)));
    }
    assert_eq!(next.len(), 2, "as many as it has room for");
}

#[test]
fn a_connection_that_is_leaving_can_be_ended() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "client");
    let object_id = Some(Structure::ConnectionId(client.connection().into()).into());
    client.send(&RemoveInfo { object_id, last_delivered_sequence_id: -2, ..RemoveInfo::default() });
    assert_eq!(client.inner.closed, None);
    client.inner.port.events.push_back(CoreEvent::Kick(Gone::Closed("enough".into())));
    client.turn();
    assert_eq!(client.inner.closed, Some(Close::Refused("enough".into())));
}
