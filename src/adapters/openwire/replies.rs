//! Answers that wait until what they confirm is durable.

use std::collections::VecDeque;

use wharfmq_core::Token;
use wharfmq_openwire::ProducerId;

use super::tx::Ending;

/// What is said once something is durable.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Nobody asked: only a failure is told.
    Silent,
    /// One copy of several, of which the last has the reply: it fails where one of them does.
    Copy,
    /// A Response to the command of this number.
    Response(i32),
    /// What follows from the end of a transaction, or from its preparation.
    Transaction(Box<Ending>),
    /// A ProducerAck of so many bytes.
    Ack(Box<ProducerId>, i32),
    /// A Response to the command that ends the connection.
    Last(i32),
}

/// The replies in the order of their tokens, which come back in it.
#[derive(Debug, Default)]
pub(super) struct Replies {
    waiting: VecDeque<Reply>,
    next: u64,
    /// Why a copy was refused whose last one was not heard of yet.
    refused: Option<String>,
}

impl Replies {
    /// The token that brings a reply back.
    pub(super) fn push(&mut self, reply: Reply) -> Token {
        self.waiting.push_back(reply);
        self.next += 1;
        Token(self.next)
    }

    /// Takes the last one back: its token was given to nobody.
    pub(super) fn unpush(&mut self) -> Option<Reply> {
        self.waiting.pop_back()
    }

    /// The reply of a token.
    pub(super) fn pop(&mut self) -> Option<Reply> {
        let reply = self.waiting.pop_front();
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
        reply
    }

    /// What became of what a reply is for, its other copies included; `None` where it is a copy itself.
    pub(super) fn outcome(
        &mut self,
        reply: &Reply,
        result: Result<(), String>,
    ) -> Option<Result<(), String>> {
        if *reply == Reply::Copy {
            if self.refused.is_none() {
                self.refused = result.err();
            }
            return None;
        }
        Some(self.refused.take().map_or(result, Err))
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
