//! Retained messages for new subscriptions.
//!
//! They are read a few at a time, as far as the client takes them, so that neither a million of them nor
//! a slow reader costs memory or keeps other connections waiting.

use std::collections::VecDeque;
use std::sync::Arc;

use wharfmq_core::{Cursor, Message, SubTag};

use super::deliver::Outgoing;
use super::{OUT_HIGH, Open};
use crate::broker::Port;

/// Topics that are looked at in one go.
const STEP: usize = 256;
/// What may be looked at before other connections have their turn: topics, and [`READ_COST`] per read.
const TURN: usize = 1_024;
/// What a read counts for by itself, in topics.
const READ_COST: usize = 8;

/// The subscriptions whose retained messages have not been sent yet.
#[derive(Default)]
pub(super) struct Line {
    /// The first is being read.
    subs: VecDeque<SubTag>,
    cursor: Option<Cursor>,
    /// Read of the first and not yet sent.
    found: VecDeque<Arc<Message>>,
    /// Nothing more is to be read of the first.
    read: bool,
}

impl Line {
    fn next(&mut self) {
        self.subs.pop_front();
        (self.cursor, self.read) = (None, false);
    }

    /// Whether what was read is sent, so that messages that are published meanwhile may be sent without
    /// an older value coming behind them.
    pub(super) fn is_between(&self) -> bool {
        self.found.is_empty()
    }
}

impl Open {
    /// Puts a new subscription in line. Shared subscriptions (4.8.2) and queues get no retained messages.
    pub(super) fn queue_retained(&mut self, tag: SubTag) {
        let Some(Some(sub)) = self.subs.get(tag.0 as usize) else { return };
        if !sub.is_consumer() {
            self.retained.get_or_insert_default().subs.push_back(tag);
        }
    }

    /// The subscription is gone, or another has its tag: nothing more is sent for it.
    pub(super) fn stop_retained(&mut self, tag: SubTag) {
        let Some(line) = &mut self.retained else { return };
        if line.subs.front() == Some(&tag) {
            line.found.clear();
            line.next();
        }
        line.subs.retain(|waiting| *waiting != tag);
    }

    /// Sends what is in line, as far as the client takes it, and for one turn at most.
    pub(super) fn send_retained(&mut self, port: &mut Port) {
        let Some(mut line) = self.retained.take() else { return };
        let mut left = TURN;
        while let Some(&tag) = line.subs.front() {
            if !self.send_found(tag, &mut line.found, port) {
                break;
            }
            if line.read {
                line.next();
            } else if left == 0 {
                port.go_on();
                break;
            } else {
                let looked = self.read_on(tag, &mut line, port);
                left = left.saturating_sub(looked + READ_COST);
            }
        }
        if !line.subs.is_empty() {
            self.retained = Some(line);
        }
    }

    /// Reads a few more; answers how many topics that has cost.
    fn read_on(&self, tag: SubTag, line: &mut Line, port: &Port) -> usize {
        let Some(Some(sub)) = self.subs.get(tag.0 as usize) else {
            line.read = true;
            return 0;
        };
        line.cursor = port.retained(&sub.pattern, line.cursor.take(), STEP, &mut line.found);
        line.read = line.cursor.is_none();
        if line.read { line.found.len() } else { STEP }
    }

    /// Sends what was read; false where the client takes no more for now.
    fn send_found(&mut self, tag: SubTag, found: &mut VecDeque<Arc<Message>>, port: &mut Port) -> bool {
        while let Some(message) = found.front() {
            if port.out.len() >= OUT_HIGH || !self.send_one(tag, message, port) {
                return false;
            }
            found.pop_front();
        }
        true
    }

    fn send_one(&mut self, tag: SubTag, message: &Arc<Message>, port: &mut Port) -> bool {
        let plan = self.plan(&[tag]);
        if message.expires <= port.now.wall {
            return true;
        }
        let qos = message.qos.min(plan.qos);
        let Ok(id) = self.packet_id(qos) else { return false };
        let outgoing = Outgoing {
            address: &message.address,
            tag: message.head.tag,
            head: &message.head.bytes,
            notes: &message.notes,
            body: message.body.clone(),
            expires: message.expires,
            qos,
            retain: true,
            dup: false,
            id,
            sub_ids: &plan.ids,
        };
        if !self.send_anew(&outgoing, port) {
            self.release(id);
        }
        true
    }
}
