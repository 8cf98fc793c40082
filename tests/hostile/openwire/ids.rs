//! Ids of somebody else, ids of nothing, and the end of everything twice.

use std::sync::Arc;

use wharfmq_openwire::{
    ConnectionId, ConsumerControl, ConsumerId, DestinationInfo, MessageAck, MessagePull, ProducerId,
    RemoveInfo, RemoveSubscriptionInfo, SessionId, SessionInfo, Structure, TransactionInfo,
};

use super::case::{Corpus, End, INVALID_DESTINATION, JMS, own};
use super::client::{queue, topic};

/// The client that means well.
const OTHER: &str = "ID:witness";

pub(super) fn add(corpus: &mut Corpus) {
    of_another(corpus);
    of_another_connection(corpus);
    of_nothing(corpus);
    of_nobody(corpus);
    twice(corpus);
}

fn connection() -> Arc<ConnectionId> {
    ConnectionId { value: Some(OTHER.into()) }.into()
}

fn consumer() -> Arc<ConsumerId> {
    ConsumerId { connection_id: Some(OTHER.into()), session_id: 1, value: 1 }.into()
}

fn producer() -> Arc<ProducerId> {
    ProducerId { connection_id: Some(OTHER.into()), session_id: 1, value: 1 }.into()
}

fn session() -> SessionId {
    SessionId { connection_id: Some(OTHER.into()), value: 1 }
}

fn of_another(corpus: &mut Corpus) {
    corpus.consuming(
        "a consumer of another connection",
        |c| {
            let mut info = c.consumer_info(9, &queue("a"));
            info.consumer_id = Some(consumer());
            c.send(&info);
        },
        End::Fault(JMS),
    );
    corpus.consuming(
        "a producer of another connection",
        |c| {
            let mut info = c.producer_info(9);
            info.producer_id = Some(producer());
            c.send(&info);
        },
        End::Fault(JMS),
    );
    corpus.consuming(
        "a message of another connection's producer",
        |c| {
            let mut message = c.message(&queue("a"));
            message.producer_id = Some(producer());
            c.send(&message);
        },
        End::Fault(JMS),
    );
    for kind in [0, 1, 2, 3, 4, 5, 6] {
        corpus.consuming(
            format!("an acknowledgement of type {kind} for another connection's consumer"),
            move |c| {
                let (first, last) = (c.came[0].clone(), c.came[2].clone());
                let mut ack = c.ack(kind, &first, &last);
                ack.consumer_id = Some(consumer());
                c.send(&ack);
            },
            End::Fault(JMS),
        );
    }
    corpus.consuming(
        "a pull for another connection's consumer",
        |c| c.send(&MessagePull { consumer_id: Some(consumer()), ..Default::default() }),
        End::Fault(JMS),
    );
    corpus.consuming(
        "the prefetch of another connection's consumer",
        |c| {
            let consumer_id = Some(Box::new((*consumer()).clone()));
            c.send(&ConsumerControl { consumer_id, prefetch: 0, ..Default::default() });
        },
        End::Fault(JMS),
    );
    let objects = [
        ("consumer", Structure::ConsumerId(Box::new((*consumer()).clone()))),
        ("producer", Structure::ProducerId(Box::new((*producer()).clone()))),
        ("session", Structure::SessionId(Box::new(session()))),
        ("connection", Structure::ConnectionId(Box::new((*connection()).clone()))),
    ];
    for (name, object) in objects {
        let object = Arc::new(object);
        corpus.consuming(
            format!("the end of another connection's {name}"),
            move |c| c.send(&RemoveInfo { object_id: Some(Arc::clone(&object)), ..Default::default() }),
            End::Fault(JMS),
        );
    }
}

/// Where a command names a connection beside what it is about.
fn of_another_connection(corpus: &mut Corpus) {
    for operation in [0, 2, 4, 7] {
        corpus.consuming(
            format!("step {operation} of another connection's transaction"),
            move |c| {
                let step = TransactionInfo { connection_id: Some(connection()), ..c.step(1, operation) };
                c.send(&step);
            },
            End::Fault(JMS),
        );
    }
    for operation_type in [0, 1] {
        corpus.consuming(
            format!("operation {operation_type} on a destination for another connection"),
            move |c| {
                let connection_id = Some(connection());
                let destination = Some(queue("a").into());
                c.send(&DestinationInfo { connection_id, destination, operation_type, ..Default::default() });
            },
            End::Fault(JMS),
        );
    }
    corpus.consuming(
        "the end of another connection's subscription",
        |c| {
            let subscription_name = Some("a".into());
            c.send(&RemoveSubscriptionInfo {
                connection_id: Some(connection()),
                subscription_name,
                ..Default::default()
            });
        },
        End::Fault(JMS),
    );
    corpus.connected(
        "a session of another connection",
        |c| c.send(&SessionInfo { session_id: Some(session().into()), ..Default::default() }),
        End::GoesOn,
    );
}

fn of_nothing(corpus: &mut Corpus) {
    corpus.connected(
        "a message of no producer",
        |c| {
            let message = c.message(&queue("a"));
            c.send(&message);
        },
        End::Fault(JMS),
    );
    corpus.connected(
        "an acknowledgement for no consumer",
        |c| {
            let consumer_id = Some(c.consumer(77));
            c.send(&MessageAck { consumer_id, ack_type: 2, ..Default::default() });
        },
        End::GoesOn,
    );
    for timeout in [i64::MIN, -2, -1, 0, 1, i64::MAX] {
        corpus.connected(
            format!("a pull of {timeout} ms for no consumer"),
            move |c| {
                let consumer_id = Some(c.consumer(77));
                c.send(&MessagePull { consumer_id, timeout, ..Default::default() });
            },
            End::GoesOn,
        );
        corpus.consuming(
            format!("a pull of {timeout} ms for a consumer with prefetch"),
            move |c| {
                let consumer_id = Some(c.consumer(1));
                c.send(&MessagePull { consumer_id, timeout, ..Default::default() });
            },
            End::GoesOn,
        );
    }
    corpus.connected("a pull of nobody", |c| c.send(&MessagePull::default()), End::GoesOn);
    corpus.connected("the prefetch of nobody", |c| c.send(&ConsumerControl::default()), End::GoesOn);
    corpus.connected("the end of nothing", |c| c.send(&RemoveInfo::default()), End::GoesOn);
    corpus.connected(
        "the end of a destination",
        |c| {
            let object = Structure::Destination(Box::new(topic("a")));
            c.send(&RemoveInfo { object_id: Some(object.into()), ..Default::default() });
        },
        End::Fault(JMS),
    );
    corpus.connected(
        "the end of a broker",
        |c| {
            let object = Structure::BrokerId(Box::default());
            c.send(&RemoveInfo { object_id: Some(object.into()), ..Default::default() });
        },
        End::Fault(JMS),
    );
}

fn of_nobody(corpus: &mut Corpus) {
    corpus.connected("a session of nobody", |c| c.send(&SessionInfo::default()), End::GoesOn);
    corpus.connected(
        "a producer of nobody",
        |c| {
            let mut info = c.producer_info(1);
            info.producer_id = None;
            c.send(&info);
        },
        End::Fault(JMS),
    );
    corpus.connected(
        "a consumer of nobody",
        |c| {
            let mut info = c.consumer_info(1, &queue("a"));
            info.consumer_id = None;
            c.send(&info);
        },
        End::Fault(JMS),
    );
    for name in ["", "unknown", &"x".repeat(30_000)] {
        let name = name.to_owned();
        corpus.connected(
            format!("the end of the subscription {name:.9}"),
            move |c| {
                let subscription_name = Some(name.as_str().into());
                c.send(&RemoveSubscriptionInfo { subscription_name, ..Default::default() });
            },
            End::Fault(INVALID_DESTINATION),
        );
    }
}

/// The id of something that a client has.
type Object = fn(&super::client::Client) -> Structure;

fn twice(corpus: &mut Corpus) {
    let objects: [(&str, Object); 3] = [
        ("consumer", |c| Structure::ConsumerId(Box::new((*c.consumer(1)).clone()))),
        ("producer", |c| Structure::ProducerId(Box::new((*c.producer(1)).clone()))),
        ("session", |c| Structure::SessionId(Box::new((*c.session(1)).clone()))),
    ];
    for (name, object) in objects {
        for last in [i64::MIN, -2, -1, 0, 1, i64::MAX] {
            corpus.consuming(
                format!("the end of a {name} twice, seen up to {last}"),
                move |c| {
                    let object_id = Some(Arc::new(object(c)));
                    let info =
                        RemoveInfo { object_id, last_delivered_sequence_id: last, ..Default::default() };
                    c.send(&info);
                    c.send(&info);
                },
                End::GoesOn,
            );
        }
    }
    corpus.consuming(
        "the end of the connection twice",
        |c| {
            let object_id = Some(Arc::new(Structure::ConnectionId(Box::new((*c.connection()).clone()))));
            let info = RemoveInfo { object_id, ..Default::default() };
            c.send(&info);
            c.send(&info);
        },
        End::Any,
    );
    corpus.consuming(
        "a message behind the end of its producer",
        |c| {
            let object_id = Some(Arc::new(Structure::ProducerId(Box::new((*c.producer(1)).clone()))));
            c.send(&RemoveInfo { object_id, ..Default::default() });
            let to = own(c);
            let message = c.message(&to);
            c.send(&message);
        },
        End::Fault(JMS),
    );
    corpus.consuming(
        "acknowledgements behind the end of their consumer",
        |c| {
            let object_id = Some(Arc::new(Structure::ConsumerId(Box::new((*c.consumer(1)).clone()))));
            c.send(&RemoveInfo { object_id, ..Default::default() });
            for kind in 0..=6 {
                let (first, last) = (c.came[0].clone(), c.came[2].clone());
                let ack = c.ack(kind, &first, &last);
                c.send(&ack);
            }
        },
        End::GoesOn,
    );
    corpus.consuming(
        "the same producer and the same consumer again",
        |c| {
            let own = own(c);
            let producer = c.producer_info(1);
            c.ask(&producer);
            let consumer = c.consumer_info(1, &own);
            c.ask(&consumer);
        },
        End::GoesOn,
    );
}
