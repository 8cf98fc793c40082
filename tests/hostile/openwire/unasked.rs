//! Commands that no client sends.

use wharfmq_openwire::{
    BrokerInfo, BrokerSubscriptionInfo, ConnectionControl, ConnectionError, ControlCommand,
    DataArrayResponse, DataResponse, DiscoveryEvent, FlushCommand, IntegerResponse, JournalQueueAck,
    JournalTopicAck, JournalTrace, JournalTransaction, LastPartialCommand, MessageDispatch,
    MessageDispatchNotification, NetworkBridgeFilter, PartialCommand, ProducerAck, ReplayCommand, Response,
    Structure, SubscriptionInfo, Throwable,
};

use super::case::{Corpus, End};
use super::greetings::exploit;

pub(super) fn add(corpus: &mut Corpus) {
    refused(corpus);
    tolerated(corpus);
    broken(corpus);
}

fn refused(corpus: &mut Corpus) {
    let commands = [
        ("a Response", Structure::Response(Box::new(Response { correlation_id: 1, ..Default::default() }))),
        ("an ExceptionResponse", Structure::ExceptionResponse(Box::default())),
        ("an exception to be instantiated", Structure::ExceptionResponse(Box::new(exploit()))),
        ("a DataResponse", Structure::DataResponse(Box::<DataResponse>::default())),
        (
            "an exception to be instantiated in a DataResponse",
            Structure::DataResponse(Box::new(DataResponse {
                data: Some(Box::new(Structure::ExceptionResponse(Box::new(exploit())))),
                ..Default::default()
            })),
        ),
        ("a DataArrayResponse", Structure::DataArrayResponse(Box::<DataArrayResponse>::default())),
        ("an IntegerResponse", Structure::IntegerResponse(Box::<IntegerResponse>::default())),
        ("a MessageDispatch", Structure::MessageDispatch(Box::<MessageDispatch>::default())),
        ("a BrokerInfo", Structure::BrokerInfo(Box::<BrokerInfo>::default())),
        (
            "a BrokerInfo of a network",
            Structure::BrokerInfo(Box::new(BrokerInfo { network_connection: true, ..Default::default() })),
        ),
        ("a ProducerAck", Structure::ProducerAck(Box::<ProducerAck>::default())),
        ("a DiscoveryEvent", Structure::DiscoveryEvent(Box::<DiscoveryEvent>::default())),
        ("a JournalTopicAck", Structure::JournalTopicAck(Box::<JournalTopicAck>::default())),
        ("a JournalQueueAck", Structure::JournalQueueAck(Box::<JournalQueueAck>::default())),
        ("a JournalTrace", Structure::JournalTrace(Box::<JournalTrace>::default())),
        ("a JournalTransaction", Structure::JournalTransaction(Box::<JournalTransaction>::default())),
        ("a PartialCommand", Structure::PartialCommand(Box::<PartialCommand>::default())),
        ("a LastPartialCommand", Structure::LastPartialCommand(Box::<LastPartialCommand>::default())),
        ("a ReplayCommand", Structure::ReplayCommand(Box::<ReplayCommand>::default())),
        (
            "a MessageDispatchNotification",
            Structure::MessageDispatchNotification(Box::<MessageDispatchNotification>::default()),
        ),
        ("a NetworkBridgeFilter", Structure::NetworkBridgeFilter(Box::<NetworkBridgeFilter>::default())),
        (
            "a BrokerSubscriptionInfo",
            Structure::BrokerSubscriptionInfo(Box::<BrokerSubscriptionInfo>::default()),
        ),
        ("a SubscriptionInfo", Structure::SubscriptionInfo(Box::<SubscriptionInfo>::default())),
        ("a MessageId", Structure::MessageId(Box::default())),
        ("a ConnectionId", Structure::ConnectionId(Box::default())),
        ("a LocalTransactionId", Structure::LocalTransactionId(Box::default())),
        ("an XATransactionId", Structure::XATransactionId(Box::default())),
    ];
    for (name, command) in commands {
        corpus.connected(format!("{name} from a client"), move |c| c.send(&command), End::Closed);
    }
    for type_id in [0_u8, 13, 35, 70, 93, 99, 104, 119, 125, 130, 255] {
        corpus.connected(
            format!("a command of no type, {type_id}"),
            move |c| c.body(&[type_id, 1, 0, 0, 0, 0, 1]),
            End::Closed,
        );
    }
}

fn tolerated(corpus: &mut Corpus) {
    for text in ["shutdown", "kill", "../../bin/sh", ""] {
        corpus.connected(
            format!("ControlCommand {text:?}"),
            move |c| c.send(&ControlCommand { command: Some(text.into()), ..Default::default() }),
            End::GoesOn,
        );
    }
    corpus.connected("FlushCommand", |c| c.send(&FlushCommand::default()), End::GoesOn);
    corpus.connected(
        "ConnectionControl that closes, exits and suspends",
        |c| {
            c.send(&ConnectionControl {
                close: true,
                exit: true,
                suspend: true,
                resume: true,
                rebalance_connection: true,
                reconnect_to: Some("tcp://attacker.invalid:1".into()),
                connected_brokers: Some("x".repeat(30_000).into()),
                token: Some(vec![0; 50_000].into()),
                ..Default::default()
            });
        },
        End::GoesOn,
    );
    corpus.connected(
        "ConnectionError with a long text",
        |c| {
            let exception = Some(Box::new(Throwable::new(&"x".repeat(30_000), &"y".repeat(30_000))));
            c.send(&ConnectionError { exception, ..Default::default() });
        },
        End::GoesOn,
    );
    corpus.connected(
        "ConnectionError of an exception to be instantiated",
        |c| {
            let exception = exploit().exception;
            c.send(&ConnectionError { exception, ..Default::default() });
        },
        End::GoesOn,
    );
}

/// Frames that are no commands.
fn broken(corpus: &mut Corpus) {
    for (name, body) in [
        ("that ends behind its type", &[10][..]),
        ("that ends in its flags", &[10, 5, 0]),
        ("without flags", &[10, 0, 0, 0, 0, 1]),
        ("with flags of no length", &[10, 0x7f, 0, 0, 0, 0, 1]),
        ("with flags without end", &[10, 0x80, 0xff, 0xff, 0, 0, 0, 0, 1]),
        ("with more behind it", &[10, 1, 0, 0, 0, 0, 1, 9]),
        ("of the loose encoding", &[10, 0, 0, 0, 1, 0]),
        ("with a text that ends early", &[14, 1, 0b110, 0, 0, 0, 1, 0xff, 0xff, b'x']),
        ("with bytes of a negative length", &[60, 1, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]),
        ("with an array of a negative length", &[33, 1, 0b10, 0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0xff]),
        ("with an array without end", &[33, 1, 0b10, 0, 0, 0, 1, 0, 0, 0, 1, 0x7f, 0xff]),
        ("with an id of another type", &[4, 1, 0b10, 0, 0, 0, 1, 120]),
        ("with an id of no type", &[4, 1, 0b10, 0, 0, 0, 1, 99]),
    ] {
        corpus.connected(format!("a frame {name}"), move |c| c.body(body), End::Closed);
    }
    corpus.connected(
        "a RemoveInfo of something nested 30 times",
        |c| {
            // A DataResponse in a DataResponse.
            let mut body = vec![33, 5, 0xfe, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1];
            (0..30).for_each(|_| body.extend([32, 0, 0, 0, 1, 0, 0, 0, 2]));
            c.body(&body);
        },
        End::Closed,
    );
}
