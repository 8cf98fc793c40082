//! Messages that the client sends: kept as one head whatever their encoding was, and staged.

use std::sync::Arc;

use bytes::Bytes;
use wharfmq_base::Millis;
use wharfmq_core::{GroupId, Item, Qos, Span, Terms, Token};
use wharfmq_openwire::{Message, ProducerId, TransactionId, write_head};

use super::errand::Errand;
use super::failover::Numbered;
use super::fault::Stop;
use super::producers::Routes;
use super::replies::Reply;
use super::{Open, Phase, failover};
use crate::adapters::convert::OPENWIRE;
use crate::broker::Port;

/// Marks an item that no client can be sent as it is.
const NO_PASS: u16 = u16::MAX;
const PRIORITY_MAX: i8 = 9;
/// What a message counts for in its producer's window beside its content and its properties, in bytes.
const WINDOW_SHARE: usize = 1_024;

impl Open {
    /// Stages a message. Answers its number, whether its sender waits, and what came of it.
    pub(super) fn on_message(&mut self, mut message: Message, port: &mut Port) -> super::Handled {
        let (id, wants) = (message.command_id, message.response_required);
        let transaction = message.transaction_id.take();
        let start = self.raw.len();
        let staged = self.stage(&mut message, transaction.as_deref(), port);
        if staged.is_err() {
            self.raw.truncate(start);
            self.leave_window(&message, port);
            // Where nobody is told, a commit must not succeed.
            if let Some(transaction) = transaction.filter(|_| !wants)
                && let Ok(name) = self.transactions.name_of(&transaction)
            {
                port.doom(&name);
            }
        }
        (id, wants, staged)
    }

    /// A message that is refused at once is on its way no more: its producer's window has room for another.
    fn leave_window(&mut self, message: &Message, port: &mut Port) {
        let Ok(sender) = self.sender(message, None) else { return };
        if let Some(reply @ Reply::Ack(..)) = sender.reply(message, message.content.as_ref()) {
            let token = self.replies.push(reply);
            port.confirm(token);
        }
    }

    fn stage(
        &mut self,
        message: &mut Message,
        transaction: Option<&TransactionId>,
        port: &mut Port,
    ) -> Result<Option<Reply>, Stop> {
        let sender = self.sender(message, transaction)?;
        let destination =
            message.destination.clone().ok_or_else(|| Stop::jms("the message has no destination"))?;
        if self.phase != Phase::Open {
            // Without an answer, so that a client that fails over sends it again elsewhere.
            if let Some(transaction) = transaction {
                port.doom(&self.transactions.name_of(transaction)?);
            }
            return Ok(None);
        }
        let routes = self.producers.routes(&destination, port)?.clone();
        let content = message.content.take();
        let reply = sender.reply(message, content.as_ref());
        let numbered = sender.numbered;
        if numbered.as_ref().is_some_and(Numbered::is_repeated) {
            let token = reply.map(|reply| self.replies.push(reply));
            port.drop_repeated(token);
            return Ok(None);
        }
        let errand = Errand::take(message)?;
        if routes.len() > 1 {
            message.original_destination = Some(Arc::clone(&destination));
        }
        if let Some(errand) = errand {
            let to = (&routes, transaction);
            return self.stage_errand(errand, message, content, to, (reply, numbered), port);
        }
        let terms = terms(message);
        let item = self.put(message, content);
        if let Some(transaction) = transaction {
            let name = self.transactions.name_of(transaction)?;
            for route in &routes {
                port.publish_in(&name, route, item, terms.clone(), &self.raw)?;
            }
            self.raw.truncate(item.frame.start as usize);
            return Ok(reply);
        }
        self.publish(&routes, item, terms, (reply, numbered), port);
        Ok(None)
    }

    /// Who sends a message, and what it waits for.
    fn sender(&self, message: &Message, transaction: Option<&TransactionId>) -> Result<Sender, Stop> {
        self.check_client()?;
        let id = message.producer_id.as_ref().ok_or_else(|| Stop::jms("the message has no producer id"))?;
        self.check_own(id.connection_id.as_ref())?;
        let Some(known) = self.producers.get(id) else {
            return Err(Stop::jms("the producer of the message was not introduced, or has been removed"));
        };
        let window = known.window && !message.response_required;
        Ok(Sender { id: Arc::clone(id), window, numbered: failover::numbered(known, message, transaction) })
    }

    /// Stages one copy for each destination, with one answer for all.
    fn publish(
        &mut self,
        routes: &Routes,
        item: Item,
        terms: Option<Terms>,
        (reply, numbered): (Option<Reply>, Option<Numbered>),
        port: &mut Port,
    ) {
        let Some((last, others)) = routes.split_last() else { return };
        for route in others {
            let token = self.replies.push(Reply::Copy);
            let _others = publish(port, route, item, terms.clone(), Some(token));
        }
        let token = match reply {
            Some(reply) => Some(self.replies.push(reply)),
            None if others.is_empty() && last.is_storage_less() => None,
            // A queue may refuse it or another copy, and the client is to know.
            None => Some(self.replies.push(Reply::Silent)),
        };
        let index = publish(port, last, item, terms, token);
        numbered.iter().for_each(|numbered| numbered.stage(index, port));
    }

    /// Appends a message to what is staged: its head, in the form that is stored, and its content.
    pub(super) fn put(&mut self, message: &mut Message, content: Option<Bytes>) -> Item {
        let start = self.raw.len();
        strip(message);
        message.content = content.as_ref().map(|_| Bytes::new());
        write_head(message, &mut self.raw);
        let body_at = self.raw.len();
        self.raw.extend_from_slice(&content.unwrap_or_default());
        let span = |from: usize, to: usize| Span { start: from as u32, len: (to - from) as u32 };
        Item {
            frame: span(start, self.raw.len()),
            head: span(start, body_at),
            body: span(body_at, self.raw.len()),
            address: 0,
            patch: NO_PASS,
            tag: OPENWIRE,
            qos: if message.persistent { Qos::ExactlyOnce } else { Qos::AtMostOnce },
            retain: false,
            priority: message.priority.clamp(0, PRIORITY_MAX) as u8,
            expires: if message.expiration > 0 { Millis(message.expiration as u64) } else { Millis::NEVER },
        }
    }
}

/// Who sends a message.
struct Sender {
    id: Arc<ProducerId>,
    /// Whether it waits for a ProducerAck.
    window: bool,
    numbered: Option<Numbered>,
}

impl Sender {
    /// What is said once the message is taken.
    fn reply(&self, message: &Message, content: Option<&Bytes>) -> Option<Reply> {
        if message.response_required {
            return Some(Reply::Response(message.command_id));
        }
        let size =
            content.map_or(0, Bytes::len) + message.marshalled_properties.as_ref().map_or(0, Bytes::len);
        self.window.then(|| Reply::Ack(Box::new(self.id.compact()), (WINDOW_SHARE + size) as i32))
    }
}

fn publish(
    port: &mut Port,
    route: &Arc<crate::broker::Route>,
    item: Item,
    terms: Option<Terms>,
    token: Option<Token>,
) -> u32 {
    match terms {
        Some(terms) => port.publish_with(route, item, terms, token),
        None => port.publish(route, item, token),
    }
}

/// Takes out what holds for one hop, and what no client may set.
fn strip(message: &mut Message) {
    message.command_id = 0;
    message.response_required = false;
    message.transaction_id = None;
    message.target_consumer_id = None;
    message.redelivery_counter = 0;
    message.broker_path = None;
    message.cluster = None;
    message.user_id = None;
    message.arrival = 0;
    message.data_structure = None;
    message.broker_in_time = 0;
    message.broker_out_time = 0;
    message.jmsx_group_first_for_consumer = false;
}

/// What a message asks of the queues that take it.
pub(super) fn terms(message: &Message) -> Option<Terms> {
    let group = message.group_id.as_ref()?.decode();
    let group = GroupId::of(&group);
    if group.is_none() {
        return None;
    }
    Some(Terms { group, closes_group: message.group_sequence < 0, ..Terms::default() })
}
