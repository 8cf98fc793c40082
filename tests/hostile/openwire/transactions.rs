//! Transactions that are not what they should be.

use wharfmq_openwire::{MessageAck, TransactionId, XATransactionId};

use super::case::{Corpus, End, JMS, own};
use super::client::queue;

pub(super) fn add(corpus: &mut Corpus) {
    for operation in [2, 4] {
        corpus.connected(
            format!("step {operation} of a transaction that was not begun"),
            move |c| {
                let step = c.step(1, operation);
                c.send(&step);
            },
            End::Fault(JMS),
        );
        corpus.connected(
            format!("step {operation} of a transaction twice"),
            move |c| {
                for operation in [0, operation] {
                    let step = c.step(1, operation);
                    c.ask(&step);
                }
                let step = c.step(1, operation);
                c.send(&step);
            },
            End::Fault(JMS),
        );
    }
    for operation in [-128, -1, 8, 127] {
        corpus.connected(
            format!("step {operation} of a transaction"),
            move |c| {
                let step = c.step(1, operation);
                c.send(&step);
            },
            End::Fault(JMS),
        );
    }
    corpus.connected(
        "a transaction begun twice",
        |c| {
            for _ in 0..2 {
                let step = c.step(1, 0);
                c.ask(&step);
            }
        },
        End::GoesOn,
    );
    corpus.connected(
        "a step of no transaction",
        |c| {
            let mut step = c.step(1, 0);
            step.transaction_id = None;
            c.send(&step);
        },
        End::Fault(JMS),
    );
    in_them(corpus);
    branches(corpus);
}

fn in_them(corpus: &mut Corpus) {
    corpus.consuming(
        "a message in a transaction that was not begun",
        |c| {
            let mut message = c.message(&queue("a"));
            message.transaction_id = Some(c.transaction(9));
            c.send(&message);
        },
        End::Fault(JMS),
    );
    corpus.consuming(
        "one acknowledgement in two transactions",
        |c| {
            for number in [1, 2] {
                let step = c.step(number, 0);
                c.ask(&step);
                let (first, last) = (c.came[0].clone(), c.came[2].clone());
                let ack =
                    MessageAck { transaction_id: Some(c.transaction(number)), ..c.ack(2, &first, &last) };
                c.ask(&ack);
            }
            for number in [1, 2] {
                let step = c.step(number, 2);
                c.ask(&step);
            }
        },
        End::GoesOn,
    );
    corpus.consuming(
        "a commit after a message in it was refused unheard",
        |c| {
            let step = c.step(1, 0);
            c.ask(&step);
            let mut message = c.message(&queue(""));
            message.transaction_id = Some(c.transaction(1));
            message.response_required = true;
            c.send(&message);
        },
        End::Fault("javax.jms.InvalidDestinationException"),
    );
    corpus.consuming(
        "a transaction left open with all that it has",
        |c| {
            let step = c.step(1, 0);
            c.ask(&step);
            let own = own(c);
            let mut message = c.message(&own);
            message.transaction_id = Some(c.transaction(1));
            c.ask(&message);
            let (first, last) = (c.came[0].clone(), c.came[2].clone());
            let ack = MessageAck { transaction_id: Some(c.transaction(1)), ..c.ack(2, &first, &last) };
            c.ask(&ack);
        },
        End::GoesOn,
    );
}

fn branches(corpus: &mut Corpus) {
    for (name, len) in [("65 bytes", 65), ("500 kB", 500_000)] {
        corpus.connected(
            format!("a branch whose id has {name}"),
            move |c| {
                let part = Some(vec![b'x'; len].into());
                let id = XATransactionId {
                    format_id: 1,
                    global_transaction_id: part.clone(),
                    branch_qualifier: part,
                };
                let mut step = c.step(1, 0);
                step.transaction_id = Some(TransactionId::Xa(id).into());
                c.send(&step);
            },
            End::Any,
        );
    }
}
