//! Clients that come back by themselves after their connection was lost, and send again whatever has no answer.

use std::sync::Arc;

use wharfmq_openwire::{Message, ProducerId, TransactionId};

use super::connect::Client;
use super::producers::Producer;
use crate::broker::{self, Port};

/// A message with a number that a later connection asks for.
pub(super) struct Numbered {
    sent: Arc<broker::Producer>,
    number: u64,
}

impl Client {
    /// The connection begins. One of an earlier time with the same id has nothing to do with it, unless the
    /// client says that it is the same one.
    pub(super) fn begin(&self, port: &mut Port) {
        if self.fault_tolerant && !self.returns {
            port.forget_producers(&self.connection);
        }
    }

    /// The client has said goodbye.
    pub(super) fn end(&self, port: &mut Port) {
        if self.fault_tolerant {
            port.forget_producers(&self.connection);
        }
    }

    /// What a producer has sent in earlier connections; `None` where its client never comes back.
    pub(super) fn sent_by(&self, id: &ProducerId, port: &Port) -> Option<Arc<broker::Producer>> {
        if !self.fault_tolerant {
            return None;
        }
        let name = format!("{}:{}:{}", self.connection, id.session_id, id.value);
        port.producer(&name).map(Arc::new)
    }
}

/// The number of a message, where it may be sent again: outside of transactions, which clients begin anew, and
/// where an answer is waited for or nothing may be lost.
pub(super) fn numbered(
    producer: &Producer,
    message: &Message,
    transaction: Option<&TransactionId>,
) -> Option<Numbered> {
    let sent = producer.sent.as_ref()?;
    if transaction.is_some() || !message.response_required && !message.persistent {
        return None;
    }
    let id = message.message_id.as_ref()?;
    let number = u64::try_from(id.producer_sequence_id).ok().filter(|number| *number > 0)?;
    // One that is passed on has the number that its first producer gave it.
    (id.producer_id == message.producer_id).then(|| Numbered { sent: Arc::clone(sent), number })
}

impl Numbered {
    /// Whether the broker has taken it already.
    pub(super) fn is_repeated(&self) -> bool {
        self.sent.has_sent(self.number)
    }

    /// It is the staged publication at `index`.
    pub(super) fn stage(&self, index: u32, port: &mut Port) {
        port.number(&self.sent, index, self.number);
    }
}
