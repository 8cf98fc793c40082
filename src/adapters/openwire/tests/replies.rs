//! What clients are told of messages that are refused.

use wharfmq_core::{Overflow, PartialPolicy, Pattern, Settings};
use wharfmq_openwire::{Destination, DestinationKind, Message, ProducerInfo, Structure};

use super::kit::{Client, queue};
use crate::adapters::testing::TestBroker;

/// A broker whose queue `full` takes one message.
fn broker() -> TestBroker {
    let one =
        PartialPolicy { max_messages: Some(1), overflow: Some(Overflow::Reject), ..PartialPolicy::default() };
    TestBroker::with(Settings::new([(Pattern::parse_canonical("queue://full").unwrap(), one)]))
}

#[test]
fn who_sends_to_several_destinations_is_told_that_one_has_refused() {
    let broker = broker();
    let mut client = Client::new(&broker, "client");
    client.produce(1);
    let mut send = |to: &str| {
        let message = client.message(&queue(to), b"content");
        (message.command_id, client.send(&message))
    };
    assert!(matches!(send("full").1[..], [Structure::Response(_)]));
    let (number, came) = send("full,other");
    let is_told = matches!(&came[..], [Structure::ExceptionResponse(told)] if told.correlation_id == number);
    assert!(is_told, "{came:?}");
    // Of the next one nothing is held against it.
    assert!(matches!(send("another,other").1[..], [Structure::Response(_)]));
}

#[test]
fn a_refused_message_leaves_its_producers_window() {
    let broker = broker();
    let mut client = Client::new(&broker, "client");
    let producer_id = Some(client.producer(1).into());
    client.send(&ProducerInfo { producer_id, window_size: 4_096, ..ProducerInfo::default() });
    let mut send = |to: &Destination| {
        let message = client.message(to, b"7 bytes");
        client.send(&Message { response_required: false, ..message })
    };
    assert!(matches!(send(&queue("full"))[..], [Structure::ProducerAck(_)]));
    // By a queue, by one of several, and by the name.
    let system = Destination::new(DestinationKind::Topic, "$SYS.x");
    for refused in [queue("full"), queue("full,other"), system] {
        let came = send(&refused);
        let size = match &came[..] {
            [Structure::ConnectionError(_), Structure::ProducerAck(ack)] => ack.size,
            _ => panic!("{came:?}"),
        };
        assert_eq!(size, 1_024 + 7, "{refused:?}");
    }
}
