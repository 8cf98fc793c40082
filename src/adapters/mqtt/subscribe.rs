//! SUBSCRIBE and UNSUBSCRIBE.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use wharfmq_core::{Kind, Pattern, QueueCell, SubTag};
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
/// A shared subscription without a share name (4.8.2).
const SHARE_ALONE: &str = "$share";

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
            // What an earlier SUBSCRIBE of the filter has not brought yet comes with the rest.
            self.stop_retained(tag);
            self.queue_retained(tag);
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
            port.traffic.answered();
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
        let parsed = parse(filter).ok();
        let Some(Parsed { group, pattern, .. }) =
            parsed.filter(|parsed| self.options.check_topic(parsed.topics).is_ok())
        else {
            port.count(Cause::TopicFilter);
            return Err(Reason::TOPIC_FILTER_INVALID);
        };
        port.may_subscribe(&pattern).map_err(|_| Reason::NOT_AUTHORIZED)?;
        let sub = Subscription::new(filter, pattern, options, id);
        let known = self.subs.find(filter);
        if known.is_none() && self.subs.count() >= self.options.max_subscriptions {
            port.count(Cause::Subscriptions);
            return Err(Reason::QUOTA_EXCEEDED);
        }
        if group.is_some() && sub.is_system() {
            return Err(Reason::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED);
        }
        let tag = known.unwrap_or_else(|| self.subs.free());
        let earlier = self.subs.take(tag);
        let sub = match earlier {
            // Its place among the consumers stays, and so does what it was given.
            Some(earlier) if earlier.is_consumer() => {
                Subscription { shared: earlier.shared, queue: earlier.queue, ..sub }
            }
            earlier => {
                if let Some(earlier) = earlier {
                    self.end_live(tag, &earlier, port);
                }
                self.begin(group, tag, sub, port)?
            }
        };
        let kept = self.keep(&sub, options, port);
        self.subs.put(tag, sub);
        if let Err(reason) = kept {
            self.unsubscribe(filter, port);
            return Err(reason);
        }
        Ok((tag, known.is_none()))
    }

    fn unsubscribe(&mut self, filter: &str, port: &mut Port) -> bool {
        let Some(tag) = self.subs.find(filter) else { return false };
        let Some(sub) = self.subs.take(tag) else { return false };
        self.stop_retained(tag);
        let session = self.queue.as_ref().map(|(queue, _)| Arc::clone(queue));
        match &sub.shared {
            Some(member) => {
                port.leave_share(member, session.as_ref());
                self.flights.end(tag);
            }
            None => self.end_live(tag, &sub, port),
        }
        if sub.is_consumer() {
            // It went back to the others, and another subscription may have this tag next.
            port.discard_deliveries(|sub| sub == tag);
        }
        if let Some(queue) = session {
            port.remember(&queue, subscription_key(filter), None);
            if !sub.is_consumer() {
                // What fails here is the log, and then nothing is answered any more.
                let _ = port.unbind(&queue, &sub.pattern);
            }
        }
        true
    }

    /// Makes a subscription outlive the connection, if the session does.
    fn keep(&self, sub: &Subscription, options: SubscriptionOptions, port: &mut Port) -> Result<(), Reason> {
        let Some((queue, _)) = self.queue.clone() else { return Ok(()) };
        port.remember(&queue, subscription_key(&sub.filter), Some(Subscription::remembered(options, sub.id)));
        if sub.is_consumer() {
            return Ok(());
        }
        let pattern = sub.pattern.clone();
        let bound = if sub.is_collected() {
            let (flags, no_local) = (sub.flags(), sub.no_local);
            port.bind(&queue, Binding { pattern, flags, no_local, filter: None, options: Bytes::new() })
        } else {
            port.unbind(&queue, &pattern)
        };
        bound.map(|_| ()).map_err(|_| Reason::UNSPECIFIED_ERROR)
    }

    /// Has messages come: from a share, from a queue, or straight to the connection.
    fn begin(
        &self,
        group: Option<&str>,
        tag: SubTag,
        sub: Subscription,
        port: &mut Port,
    ) -> Result<Subscription, Reason> {
        match group {
            _ if sub.pattern.kind() == Kind::Queue => self.consume(tag, sub, port),
            Some(group) => self.join(group, tag, sub, port),
            None => {
                self.begin_live(tag, &sub, port);
                Ok(sub)
            }
        }
    }

    /// Has messages come straight to the connection: all of them, or those that the queue does not keep.
    fn begin_live(&self, tag: SubTag, sub: &Subscription, port: &Port) {
        let queued = self.queue.is_some() && sub.is_collected();
        port.subscribe(&sub.pattern, tag, sub.no_local, queued, None);
    }

    /// Ends what a subscription does while its client is connected.
    pub(super) fn end_live(&mut self, tag: SubTag, sub: &Subscription, port: &mut Port) {
        match (&sub.shared, &sub.queue) {
            (Some(member), _) => port.leave_share(member, None),
            (None, Some(source)) => self.end_consumer(tag, source, port),
            (None, None) => return port.unsubscribe(&sub.pattern, tag),
        }
        self.flights.end(tag);
    }

    /// The subscriptions of earlier connections.
    pub(super) fn restore_subscriptions(&mut self, queue: &Arc<QueueCell>, port: &mut Port) {
        for (key, value) in port.recall(queue) {
            let Some((&SUBSCRIPTION_KEY, filter)) = key.split_first() else { continue };
            let Ok(filter) = std::str::from_utf8(filter) else { continue };
            let Ok(Parsed { group, pattern, .. }) = parse(filter) else { continue };
            let Some(sub) = Subscription::recall(filter, pattern, &value) else { continue };
            let tag = self.subs.free();
            match self.begin(group, tag, sub, port) {
                Ok(sub) => self.subs.put(tag, sub),
                Err(reason) => {
                    tracing::warn!(client = %self.client_id, filter, %reason, "a subscription was not restored");
                }
            }
        }
    }
}

/// A filter, taken apart.
struct Parsed<'a> {
    /// The group of a shared subscription.
    group: Option<&'a str>,
    /// The filter without it.
    topics: &'a str,
    pattern: Pattern,
}

fn parse(filter: &str) -> Result<Parsed<'_>, Reason> {
    let invalid = Reason::TOPIC_FILTER_INVALID;
    let parsed = parse_filter(filter).map_err(|_| invalid)?;
    if filter == SHARE_ALONE {
        return Err(invalid);
    }
    let (group, topics) = (parsed.share, parsed.filter);
    let pattern = destination::mqtt_pattern(topics).map_err(|_| invalid)?;
    Ok(Parsed { group, topics, pattern })
}

fn subscription_key(filter: &str) -> Bytes {
    let mut key = Vec::with_capacity(1 + filter.len());
    key.push(SUBSCRIPTION_KEY);
    key.extend_from_slice(filter.as_bytes());
    key.into()
}
