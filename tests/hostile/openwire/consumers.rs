//! Consumers, what they choose, and what they say of what they were given.

use wharfmq_openwire::{
    ConsumerControl, ConsumerInfo, Destination, DestinationKind, MessageAck, Structure, Throwable,
    TransactionId, XATransactionId,
};

use super::case::{Change, Corpus, End, INVALID_DESTINATION, INVALID_SELECTOR, JMS, XA};
use super::client::{queue, topic};
use super::greetings::exploit;

pub(super) fn add(corpus: &mut Corpus) {
    selectors(corpus);
    infos(corpus);
    changed(corpus);
    prefetches(corpus);
    acks(corpus);
    changed_acks(corpus);
    acks_of_everything(corpus);
    browsers(corpus);
}

fn selectors(corpus: &mut Corpus) {
    for (name, selector) in [
        ("of noise", "\u{1}\u{2}\u{fffd}".to_owned()),
        ("without a value", "x =".to_owned()),
        ("of parentheses", "(".repeat(30_000)),
        ("of NOT", "NOT ".repeat(7_000) + "x"),
        ("of terms", "x = 1 OR ".repeat(3_000) + "x = 1"),
        ("of 2,000 in a list", format!("x IN ({}'a')", "'a',".repeat(2_000))),
        ("of a long pattern", format!("x LIKE '{}'", "%_".repeat(2_000))),
        ("of a text without end", "x = 'a".to_owned()),
        ("of an attack", "1=1; DROP TABLE messages".to_owned()),
    ] {
        corpus.connected(
            format!("a selector {name}"),
            move |c| {
                let info = c.consumer_info(1, &queue("hostile.selected"));
                c.send(&ConsumerInfo { selector: Some(selector.as_str().into()), ..info });
            },
            End::Fault(INVALID_SELECTOR),
        );
    }
}

fn infos(corpus: &mut Corpus) {
    for (name, destination) in [
        ("nowhere", Destination { kind: DestinationKind::Queue, physical_name: None }),
        ("an empty name", queue("")),
        ("10,000 commas", queue(&",".repeat(10_000))),
        ("200 levels", queue(&"a.".repeat(200))),
        ("another's temporary queue", Destination::new(DestinationKind::TempQueue, "ID:witness:1")),
    ] {
        let end = if name.contains("temporary") { End::Any } else { End::Fault(INVALID_DESTINATION) };
        corpus.connected(
            format!("a consumer of {name}"),
            move |c| {
                let info = c.consumer_info(1, &destination);
                c.send(&info);
            },
            end,
        );
    }
}

fn refused() -> [(&'static str, Change<ConsumerInfo>, End); 4] {
    [
        ("without a destination", |info| info.destination = None, End::Fault(INVALID_DESTINATION)),
        (
            "durable, of a queue",
            |info| info.subscription_name = Some("a".into()),
            End::Fault(INVALID_DESTINATION),
        ),
        (
            "durable, of two topics",
            |info| {
                info.destination = Some(topic("a,b").into());
                info.subscription_name = Some("a".into());
            },
            End::Fault(INVALID_DESTINATION),
        ),
        (
            "that browses a topic",
            |info| {
                info.destination = Some(topic("a").into());
                info.browser = true;
            },
            End::Fault(INVALID_DESTINATION),
        ),
    ]
}

fn taken() -> [(&'static str, Change<ConsumerInfo>); 12] {
    [
        ("of prefetch MAX", |info| info.prefetch_size = i32::MAX),
        ("of prefetch -1", |info| info.prefetch_size = -1),
        ("of prefetch MIN", |info| info.prefetch_size = i32::MIN),
        ("of priority -128", |info| info.priority = -128),
        ("of priority 127", |info| info.priority = 127),
        ("that lets MIN messages wait", |info| info.maximum_pending_message_limit = i32::MIN),
        ("of an empty selector", |info| info.selector = Some("".into())),
        ("of a bridge", |info| {
            info.network_subscription = true;
            info.broker_path = Some(vec![None; 2_000]);
            info.network_consumer_path = Some(vec![None; 2_000]);
        }),
        ("with an exception to be instantiated as a predicate", |info| {
            info.additional_predicate = Some(Box::new(Structure::ExceptionResponse(Box::new(exploit()))));
        }),
        ("of 64 topics", |info| {
            let names: Vec<_> = (0..64).map(|n| format!("hostile.t{n}")).collect();
            info.destination = Some(topic(&names.join(",")).into());
        }),
        ("of everything", |info| info.destination = Some(topic("hostile.>").into())),
        ("that is everything at once", |info| {
            info.exclusive = true;
            info.retroactive = true;
            info.no_local = true;
            info.optimized_acknowledge = true;
            info.no_range_acks = true;
            info.dispatch_async = true;
        }),
    ]
}

fn changed(corpus: &mut Corpus) {
    for (name, change, end) in
        refused().into_iter().chain(taken().map(|(name, change)| (name, change, End::GoesOn)))
    {
        corpus.connected(
            format!("a consumer {name}"),
            move |c| {
                let mut info = c.consumer_info(1, &queue("hostile.infos"));
                change(&mut info);
                c.send(&info);
            },
            end,
        );
    }
}

fn prefetches(corpus: &mut Corpus) {
    for prefetch in [i32::MIN, -1, 0, i32::MAX] {
        corpus.consuming(
            format!("a consumer changed to prefetch {prefetch}, again and again"),
            move |c| {
                let consumer_id = Some(Box::new((*c.consumer(1)).clone()));
                for prefetch in [prefetch, 1, prefetch, i32::MAX, prefetch] {
                    c.send(&ConsumerControl {
                        consumer_id: consumer_id.clone(),
                        prefetch,
                        ..Default::default()
                    });
                }
            },
            End::GoesOn,
        );
    }
    corpus.consuming(
        "a consumer closed, started, stopped and flushed by its client",
        |c| {
            let consumer_id = Some(Box::new((*c.consumer(1)).clone()));
            c.send(&ConsumerControl {
                consumer_id,
                close: true,
                start: true,
                stop: true,
                flush: true,
                ..Default::default()
            });
        },
        End::GoesOn,
    );
}

fn acks(corpus: &mut Corpus) {
    for kind in [-128, -1, 7, 8, 127] {
        corpus.consuming(
            format!("an acknowledgement of no type, {kind}"),
            move |c| {
                let (first, last) = (c.came[0].clone(), c.came[2].clone());
                let ack = c.ack(kind, &first, &last);
                c.send(&ack);
            },
            End::Fault(JMS),
        );
    }
}

fn ack_changes() -> [(&'static str, Change<MessageAck>, End); 12] {
    [
        ("of -1 messages", |ack| ack.message_count = -1, End::GoesOn),
        ("of MIN messages", |ack| ack.message_count = i32::MIN, End::GoesOn),
        ("of MAX messages", |ack| ack.message_count = i32::MAX, End::GoesOn),
        ("without a consumer", |ack| ack.consumer_id = None, End::Fault(JMS)),
        ("without a destination", |ack| ack.destination = None, End::GoesOn),
        ("of another destination", |ack| ack.destination = Some(queue("witness").into()), End::GoesOn),
        ("without a last message", |ack| ack.last_message_id = None, End::Fault(JMS)),
        (
            "of a message that never was",
            |ack| {
                if let Some(id) = &mut ack.last_message_id {
                    id.broker_sequence_id = i64::MAX;
                }
            },
            End::GoesOn,
        ),
        (
            "of a message of sequence MIN",
            |ack| {
                if let Some(id) = &mut ack.last_message_id {
                    id.broker_sequence_id = i64::MIN;
                }
            },
            End::GoesOn,
        ),
        (
            "from a message that never was",
            |ack| {
                if let Some(id) = &mut ack.first_message_id {
                    id.broker_sequence_id = i64::MAX;
                }
            },
            End::GoesOn,
        ),
        (
            "whose first is behind its last",
            |ack| std::mem::swap(&mut ack.first_message_id, &mut ack.last_message_id),
            End::GoesOn,
        ),
        (
            "in a transaction that was not begun",
            |ack| {
                ack.transaction_id = Some(TransactionId::Xa(XATransactionId::default()).into());
            },
            End::Fault(XA),
        ),
    ]
}

fn changed_acks(corpus: &mut Corpus) {
    for (name, change, end) in ack_changes() {
        corpus.consuming(
            format!("an acknowledgement {name}"),
            move |c| {
                let (first, last) = (c.came[0].clone(), c.came[2].clone());
                let mut ack = c.ack(2, &first, &last);
                change(&mut ack);
                c.send(&ack);
            },
            end,
        );
    }
}

fn acks_of_everything(corpus: &mut Corpus) {
    corpus.consuming(
        "everything acknowledged by every type, twice",
        |c| {
            for kind in (0..=6).chain(0..=6) {
                let (first, last) = (c.came[0].clone(), c.came[2].clone());
                let ack = c.ack(kind, &first, &last);
                c.send(&ack);
            }
        },
        End::GoesOn,
    );
    corpus.consuming(
        "poison by an exception to be instantiated",
        |c| {
            let (first, last) = (c.came[0].clone(), c.came[2].clone());
            let ack = MessageAck { poison_cause: exploit().exception, ..c.ack(1, &first, &last) };
            c.send(&ack);
        },
        End::GoesOn,
    );
    corpus.consuming(
        "poison by an exception of 60 kB",
        |c| {
            let (first, last) = (c.came[0].clone(), c.came[2].clone());
            let cause = Some(Box::new(Throwable::new(&"x".repeat(30_000), &"y".repeat(30_000))));
            let ack = MessageAck { poison_cause: cause, ..c.ack(1, &first, &last) };
            c.send(&ack);
        },
        End::GoesOn,
    );
}

fn browsers(corpus: &mut Corpus) {
    for prefetch in [i32::MIN, 0, 1, i32::MAX] {
        corpus.consuming(
            format!("a browser of prefetch {prefetch}, whose messages are taken and poisoned"),
            move |c| {
                let of = c.came[0].destination.clone().unwrap();
                let mut info = c.consumer_info(2, &of);
                (info.browser, info.prefetch_size) = (true, prefetch);
                c.send(&info);
                for kind in 0..=6 {
                    let (first, last) = (c.came[0].clone(), c.came[2].clone());
                    let mut ack = c.ack(kind, &first, &last);
                    ack.consumer_id = Some(c.consumer(2));
                    c.send(&ack);
                }
            },
            End::GoesOn,
        );
    }
}
