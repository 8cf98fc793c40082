//! SUBSCRIBE and UNSUBSCRIBE.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use smallvec::SmallVec;
use wharfmq_core::record::Class;
use wharfmq_core::{QueueCell, SubTag};
use wharfmq_mqtt::topic::parse_filter;
use wharfmq_mqtt::{
    Reason, RetainHandling, Suback, Subscribe, SubscriptionOptions, Unsuback, Unsubscribe, encode,
};

use super::options::Subscription;
use super::{Close, Open};
use crate::adapters::destination;
use crate::broker::{Binding, Cause, Port};

/// Key prefix of a subscription: the rest of the key is the filter.
const SUBSCRIPTION_KEY: u8 = b's';

impl Open {
    pub(super) fn on_subscribe(&mut self, subscribe: &Subscribe<'_>, port: &mut Port) -> Result<(), Close> {
        let id = subscribe.properties.subscription_ids().next().unwrap_or(0);
        let mut codes: SmallVec<[u8; 8]> = SmallVec::new();
        let mut retained = Vec::new();
        let mut refused = Reason::SUCCESS;
        for wanted in subscribe.subscriptions.iter() {
            match self.subscribe(wanted.filter, wanted.options, id, port) {
                Ok((tag, new)) => {
                    codes.push(wanted.options.qos as u8);
                    let handling = wanted.options.retain_handling;
                    if handling == RetainHandling::Send || handling == RetainHandling::SendIfNew && new {
                        retained.push(tag);
                    }
                }
                Err(reason) => {
                    refused = reason;
                    codes.push(if self.version.is_v5() { reason.0 } else { 0x80 });
                }
            }
        }
        let (packet_id, why) = (subscribe.packet_id, self.why_not(refused));
        let packet = self.explained(refused, &why, |out, properties| {
            encode::suback(out, self.version, &Suback { packet_id, properties, codes: &codes })
        });
        self.answer(packet, port)?;
        for tag in retained {
            self.queue_retained(tag, port);
        }
        self.send_retained(port);
        Ok(())
    }

    pub(super) fn on_unsubscribe(
        &mut self,
        unsubscribe: &Unsubscribe<'_>,
        port: &mut Port,
    ) -> Result<(), Close> {
        let mut codes: SmallVec<[u8; 8]> = SmallVec::new();
        for filter in unsubscribe.filters.iter() {
            let known = self.unsubscribe(filter, port);
            codes.push(if known { Reason::SUCCESS.0 } else { Reason::NO_SUBSCRIPTION_EXISTED.0 });
        }
        let packet_id = unsubscribe.packet_id;
        let codes: &[u8] = if self.version.is_v5() { &codes } else { &[] };
        let packet = self.explained(Reason::SUCCESS, "", |out, properties| {
            encode::unsuback(out, self.version, &Unsuback { packet_id, properties, codes })
        });
        self.answer(packet, port)
    }

    /// Sends an answer, after the log where the session outlives its connection.
    fn answer(&mut self, packet: BytesMut, port: &mut Port) -> Result<(), Close> {
        if packet.is_empty() {
            return Err(self.cannot_answer(port));
        }
        if self.queue.is_some() {
            self.defer(packet.freeze(), port);
        } else {
            port.out.put(&packet);
        }
        Ok(())
    }

    /// Subscribes; the tag, and whether the subscription is new. One of the same filter is replaced.
    fn subscribe(
        &mut self,
        filter: &str,
        options: SubscriptionOptions,
        id: u32,
        port: &mut Port,
    ) -> Result<(SubTag, bool), Reason> {
        let parsed = parse_filter(filter).map_err(|_| Reason::TOPIC_FILTER_INVALID)?;
        let pattern = self.options.check_topic(parsed.filter).ok();
        let pattern = pattern.and_then(|()| destination::mqtt_pattern(parsed.filter).ok());
        let Some(pattern) = pattern else {
            port.count(Cause::TopicFilter);
            return Err(Reason::TOPIC_FILTER_INVALID);
        };
        port.may_subscribe(&pattern).map_err(|_| Reason::NOT_AUTHORIZED)?;
        let sub = Subscription::new(filter, pattern, options, id);
        let known =
            self.subs.iter().position(|known| known.as_ref().is_some_and(|known| *known.filter == *filter));
        if known.is_none() && self.subs.iter().flatten().count() >= self.options.max_subscriptions {
            port.count(Cause::Subscriptions);
            return Err(Reason::QUOTA_EXCEEDED);
        }
        let slot = known.or_else(|| self.subs.iter().position(Option::is_none)).unwrap_or(self.subs.len());
        let tag = SubTag(slot as u32);
        if let Some(earlier) = self.subs.get_mut(slot).and_then(Option::take) {
            self.end_live(tag, &earlier, port);
        }
        let sub = match parsed.share {
            Some(group) => self.share(group, tag, sub, port)?,
            None => {
                self.keep(&sub, options, port)?;
                self.begin_live(tag, &sub, port);
                sub
            }
        };
        if slot == self.subs.len() {
            // Most clients have one subscription, and `push` alone would make room for four.
            self.subs.reserve_exact(usize::from(slot < 2));
            self.subs.push(Some(sub));
        } else if let Some(free) = self.subs.get_mut(slot) {
            *free = Some(sub);
        }
        Ok((tag, known.is_none()))
    }

    fn unsubscribe(&mut self, filter: &str, port: &mut Port) -> bool {
        let at = self.subs.iter().position(|sub| sub.as_ref().is_some_and(|sub| *sub.filter == *filter));
        let Some(at) = at else { return false };
        let Some(sub) = self.subs.get_mut(at).and_then(Option::take) else { return false };
        self.end_live(SubTag(at as u32), &sub, port);
        if let (Some((queue, _)), None) = (self.queue.clone(), &sub.shared) {
            port.remember(&queue, subscription_key(filter), None);
            // What fails here is the log, and then nothing is answered any more.
            let _ = port.unbind(&queue, &sub.pattern);
        }
        true
    }

    /// Makes a subscription outlive the connection, if the session does.
    fn keep(&self, sub: &Subscription, options: SubscriptionOptions, port: &mut Port) -> Result<(), Reason> {
        let Some((queue, _)) = self.queue.clone() else { return Ok(()) };
        port.remember(&queue, subscription_key(&sub.filter), Some(Subscription::remembered(options, sub.id)));
        let pattern = sub.pattern.clone();
        let bound = if sub.qos.is_persistent() {
            let (flags, no_local) = (sub.flags(), sub.no_local);
            port.bind(&queue, Binding { pattern, flags, no_local, filter: None, options: Bytes::new() })
        } else {
            port.unbind(&queue, &pattern)
        };
        bound.map(|_| ()).map_err(|_| Reason::UNSPECIFIED_ERROR)
    }

    /// Has messages come straight to the connection: all of them, or those that the queue does not keep.
    fn begin_live(&self, tag: SubTag, sub: &Subscription, port: &Port) {
        let queued = self.queue.is_some() && sub.qos.is_persistent();
        port.subscribe(&sub.pattern, tag, sub.no_local, queued, None);
    }

    /// Ends what a subscription does while its client is connected.
    pub(super) fn end_live(&self, tag: SubTag, sub: &Subscription, port: &mut Port) {
        match &sub.shared {
            None => port.unsubscribe(&sub.pattern, tag),
            Some(member) => {
                port.unsubscribe(&sub.pattern, tag);
                port.cancel(member, 0);
                let abandoned = member.queue.lock().queue().consumers().next().is_none();
                if abandoned {
                    // What fails here is the log; the queue is not in it.
                    let _ = port.delete(&member.queue);
                }
            }
        }
    }

    /// Joins a shared subscription: one queue that its members take turns at.
    fn share(
        &self,
        group: &str,
        tag: SubTag,
        mut sub: Subscription,
        port: &mut Port,
    ) -> Result<Subscription, Reason> {
        let name = ByteString::from(format!("{group}/{}", sub.pattern.text()));
        // The last member may be leaving at this moment and take the queue with it: then once more.
        for _ in 0..8 {
            let (queue, _) = port.open(Class::Shared, &name, false).map_err(|_| Reason::QUOTA_EXCEEDED)?;
            let pattern = sub.pattern.clone();
            let binding = Binding { pattern, flags: 2, no_local: false, filter: None, options: Bytes::new() };
            port.bind(&queue, binding).map_err(|_| Reason::UNSPECIFIED_ERROR)?;
            let member = port.consume(&queue, self.want(tag)).map_err(|_| Reason::QUOTA_EXCEEDED)?;
            if !queue.lock().is_deleted() {
                port.join(&sub.pattern, &queue, tag, self.options.shared_sticky);
                sub.shared = Some(member);
                return Ok(sub);
            }
            port.cancel(&member, 0);
        }
        Err(Reason::SERVER_BUSY)
    }

    /// The subscriptions of earlier connections.
    pub(super) fn restore_subscriptions(&mut self, queue: &Arc<QueueCell>, port: &Port) {
        for (key, value) in port.recall(queue) {
            let Some((&SUBSCRIPTION_KEY, filter)) = key.split_first() else { continue };
            let Ok(filter) = std::str::from_utf8(filter) else { continue };
            let Ok(pattern) = destination::mqtt_pattern(filter) else { continue };
            if let Some(sub) = Subscription::recall(filter, pattern, &value) {
                self.begin_live(SubTag(self.subs.len() as u32), &sub, port);
                self.subs.push(Some(sub));
            }
        }
    }
}

fn subscription_key(filter: &str) -> Bytes {
    let mut key = Vec::with_capacity(1 + filter.len());
    key.push(SUBSCRIPTION_KEY);
    key.extend_from_slice(filter.as_bytes());
    key.into()
}
