//! What comes before ConnectionInfo, and ConnectionInfo itself.

use wharfmq_openwire::{
    ConnectionControl, ConnectionError, ConnectionId, ConnectionInfo, ConsumerControl, ControlCommand,
    DestinationInfo, FlushCommand, KeepAliveInfo, MessageAck, MessagePull, RemoveInfo,
    RemoveSubscriptionInfo, SessionInfo, ShutdownInfo, Structure,
};

use super::case::{Change, Corpus, End, INVALID_CLIENT, JMS};
use super::client::queue;
use super::greetings::exploit;

pub(super) fn add(corpus: &mut Corpus) {
    before(corpus);
    before_too(corpus);
    tolerated(corpus);
    connection_infos(corpus);
    sizes(corpus);
}

fn before(corpus: &mut Corpus) {
    let early = |name: &str| format!("{name} before ConnectionInfo");
    corpus.greeted(
        early("ProducerInfo"),
        |c| {
            let info = c.producer_info(1);
            c.send(&info);
        },
        End::Fault(JMS),
    );
    corpus.greeted(
        early("ConsumerInfo"),
        |c| {
            let info = c.consumer_info(1, &queue("a"));
            c.send(&info);
        },
        End::Fault(JMS),
    );
    corpus.greeted(
        early("a message"),
        |c| {
            let message = c.message(&queue("a"));
            c.send(&message);
        },
        End::Fault(JMS),
    );
    corpus.greeted(
        early("TransactionInfo"),
        |c| {
            let step = c.step(1, 0);
            c.send(&step);
        },
        End::Fault(JMS),
    );
    corpus.greeted(
        early("SessionInfo"),
        |c| {
            let session_id = Some(c.session(1));
            c.send(&SessionInfo { command_id: 9, response_required: true, session_id });
        },
        End::Fault(JMS),
    );
}

fn before_too(corpus: &mut Corpus) {
    let early = |name: &str| format!("{name} before ConnectionInfo");
    corpus.greeted(
        early("MessageAck"),
        |c| {
            let consumer_id = Some(c.consumer(1));
            c.send(&MessageAck { consumer_id, ack_type: 2, ..Default::default() });
        },
        End::Fault(JMS),
    );
    corpus.greeted(
        early("MessagePull"),
        |c| {
            let consumer_id = Some(c.consumer(1));
            c.send(&MessagePull { consumer_id, ..Default::default() });
        },
        End::Fault(JMS),
    );
    corpus.greeted(
        early("DestinationInfo"),
        |c| c.send(&DestinationInfo { destination: Some(queue("a").into()), ..Default::default() }),
        End::Fault(JMS),
    );
    corpus.greeted(
        early("RemoveSubscriptionInfo"),
        |c| c.send(&RemoveSubscriptionInfo { subscription_name: Some("a".into()), ..Default::default() }),
        End::Fault(JMS),
    );
    corpus.greeted(
        early("RemoveInfo"),
        |c| {
            let id = Structure::ConnectionId(Box::new((*c.connection()).clone()));
            c.send(&RemoveInfo { object_id: Some(id.into()), ..Default::default() });
        },
        End::Fault(JMS),
    );
    corpus.greeted(
        early("ConsumerControl"),
        |c| {
            let consumer_id = Some(Box::new((*c.consumer(1)).clone()));
            c.send(&ConsumerControl { consumer_id, ..Default::default() });
        },
        End::Fault(JMS),
    );
    corpus.greeted(early("an exception to be instantiated"), |c| c.send(&exploit()), End::Closed);
}

fn tolerated(corpus: &mut Corpus) {
    let early = |name: &str| format!("{name} before ConnectionInfo");
    corpus.greeted(early("KeepAliveInfo"), |c| c.send(&KeepAliveInfo::default()), End::GoesOn);
    corpus.greeted(
        early("ConnectionControl"),
        |c| c.send(&ConnectionControl { close: true, exit: true, suspend: true, ..Default::default() }),
        End::GoesOn,
    );
    corpus.greeted(
        early("ControlCommand"),
        |c| c.send(&ControlCommand { command: Some("shutdown".into()), ..Default::default() }),
        End::GoesOn,
    );
    corpus.greeted(early("FlushCommand"), |c| c.send(&FlushCommand::default()), End::GoesOn);
    corpus.greeted(early("ConnectionError"), |c| c.send(&ConnectionError::default()), End::GoesOn);
    corpus.greeted(early("ShutdownInfo"), |c| c.send(&ShutdownInfo::default()), End::Closed);
    corpus.connected("ShutdownInfo", |c| c.send(&ShutdownInfo::default()), End::Closed);
    corpus.connected(
        "ShutdownInfo with half a frame behind it",
        |c| {
            c.send(&ShutdownInfo::default());
            c.raw(&[0, 0, 1, 0, 28]);
        },
        End::Closed,
    );
}

fn changes() -> [(&'static str, Change<ConnectionInfo>, End); 8] {
    [
        ("without an id", |info| info.connection_id = None, End::Fault(JMS)),
        (
            "with an id of nothing",
            |info| info.connection_id = Some(ConnectionId::default().into()),
            End::Fault(INVALID_CLIENT),
        ),
        (
            "with an empty id",
            |info| info.connection_id = Some(ConnectionId { value: Some("".into()) }.into()),
            End::Fault(INVALID_CLIENT),
        ),
        (
            "with an id of 2,000 bytes",
            |info| info.connection_id = Some(ConnectionId { value: Some("x".repeat(2_000).into()) }.into()),
            End::Fault(INVALID_CLIENT),
        ),
        (
            "with a client id of 2,000 bytes",
            |info| info.client_id = Some("x".repeat(2_000).into()),
            End::Fault(INVALID_CLIENT),
        ),
        (
            "with the client id of another connection",
            |info| info.client_id = Some("ID:witness".into()),
            End::FaultThenClosed(INVALID_CLIENT),
        ),
        ("with a path of 2,000 brokers", |info| info.broker_path = Some(vec![None; 2_000]), End::GoesOn),
        (
            "of a bridge, to fail over",
            |info| {
                info.broker_master_connector = true;
                info.manageable = true;
                info.fault_tolerant = true;
                info.failover_reconnect = true;
            },
            End::GoesOn,
        ),
    ]
}

fn connection_infos(corpus: &mut Corpus) {
    for (name, change, end) in changes() {
        corpus.greeted(
            format!("a ConnectionInfo {name}"),
            move |c| {
                let mut info = c.connection_info();
                change(&mut info);
                c.send(&info);
            },
            end,
        );
    }
    corpus.connected(
        "a second ConnectionInfo",
        |c| {
            let info = c.connection_info();
            c.send(&info);
        },
        End::Closed,
    );
    corpus.connected(
        "a ConnectionInfo of another id",
        |c| {
            let connection_id = Some(ConnectionId { value: Some("ID:another".into()) }.into());
            let info = ConnectionInfo { connection_id, ..c.connection_info() };
            c.send(&info);
        },
        End::Closed,
    );
    corpus.greeted(
        "two ConnectionInfos at once",
        |c| {
            let info = c.connection_info();
            let bytes = c.bytes(&info);
            c.raw(&bytes.repeat(2));
        },
        End::Cut,
    );
}

fn sizes(corpus: &mut Corpus) {
    for size in [65_537, 16 << 20, i32::MAX, -1, 0] {
        corpus.greeted(
            format!("a frame of {size} before ConnectionInfo"),
            move |c| c.raw(&i32::to_be_bytes(size)),
            End::Closed,
        );
    }
    for size in [(1 << 20) + 1, i32::MAX, -1, 0, i32::MIN] {
        corpus.connected(format!("a frame of {size}"), move |c| c.raw(&i32::to_be_bytes(size)), End::Closed);
    }
    corpus.connected("a frame that never comes", |c| c.raw(&[0, 0x0f, 0, 0, 28]), End::Waits);
    corpus.connected("a size that never comes", |c| c.raw(&[0, 0]), End::Waits);
    corpus.greeted(
        "2,000 commands before ConnectionInfo",
        |c| {
            let session_id = Some(
                wharfmq_openwire::SessionId { connection_id: Some("x".repeat(500).into()), value: 1 }.into(),
            );
            let bytes = c.bytes(&SessionInfo { session_id, ..Default::default() });
            c.raw(&bytes.repeat(2_000));
        },
        End::Cut,
    );
    corpus.connected(
        "half a frame, then the end of the stream",
        |c| {
            c.raw(&[0, 0, 1, 0, 28, 1]);
            c.stream.shutdown(std::net::Shutdown::Write).unwrap();
        },
        End::Closed,
    );
    corpus.connected(
        "the end of the stream",
        |c| c.stream.shutdown(std::net::Shutdown::Write).unwrap(),
        End::Closed,
    );
    corpus.first(
        "the end of the stream as the first",
        |c| c.stream.shutdown(std::net::Shutdown::Write).unwrap(),
        End::Closed,
    );
    corpus.greeted(
        "the end of the stream before ConnectionInfo",
        |c| c.stream.shutdown(std::net::Shutdown::Write).unwrap(),
        End::Closed,
    );
    corpus.connected(
        "half a frame, then a reset",
        |c| {
            c.raw(&[0, 0, 1, 0, 28, 1]);
            socket2::SockRef::from(&c.stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
        },
        End::Any,
    );
}
