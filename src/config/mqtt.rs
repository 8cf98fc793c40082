//! The section of MQTT: what is written, held against what the protocol can say.

use wharfmq_base::Millis;

use super::entries::{Entries, Instance};
use super::fields::Span;
use super::problem::Problem;
use super::schema;
use super::settings::Mqtt;

const SECOND: u64 = 1_000;
/// The longest keep-alive that CONNECT can say, in whole hours.
const KEEP_ALIVE_MAX: u64 = 18 * 3_600 * SECOND;
/// More seconds than this cannot be said in a session expiry interval, where all ones mean for ever.
const EXPIRY_MAX: u64 = (u32::MAX as u64 - 1) * SECOND;

/// Checks the section. The result is only good where no problem was added.
pub(super) fn resolve(written: schema::Mqtt, entries: &Entries, problems: &mut Vec<Problem>) -> Mqtt {
    let mut check = Check { entries, problems };
    let length = check.within("max_topic_length", written.max_topic_length.0.0, 1);
    if let Some(0) = written.max_queued_messages {
        check.bound("max_queued_messages", "0 would keep nothing");
    }
    if let Some(0) = written.max_publish_rate {
        check.bound("max_publish_rate", "0 would let nothing through");
    }
    if written.max_subscriptions == 0 {
        check.bound("max_subscriptions", "0 would refuse all");
    }
    let keep_alive = written.max_keep_alive.map(|span| check.span("max_keep_alive", span, KEEP_ALIVE_MAX));
    Mqtt {
        max_inflight: check.within("max_inflight", written.max_inflight.into(), 1),
        receive_maximum: check.within("receive_maximum", written.receive_maximum.into(), 1),
        max_queued_messages: written.max_queued_messages,
        max_publish_rate: written.max_publish_rate,
        max_subscriptions: written.max_subscriptions,
        max_topic_levels: check.within("max_topic_levels", written.max_topic_levels.into(), 1),
        max_topic_length: length,
        topic_aliases: check.within("topic_aliases", written.topic_aliases.into(), 0),
        max_keep_alive: keep_alive.map(|span| (span.0 / SECOND) as u16),
        max_session_expiry: written
            .max_session_expiry
            .map(|span| check.span("max_session_expiry", span, EXPIRY_MAX)),
        check_payload_format: written.check_payload_format,
        response_topic: check.response_topic(written.response_topic),
        server_reference: written.server_reference,
        shared_choice: written.shared_choice,
        sys_interval: match written.sys_interval {
            Span(Millis(0)) => Millis(0),
            span => check.span("sys_interval", span, EXPIRY_MAX),
        },
    }
}

struct Check<'a> {
    entries: &'a Entries,
    problems: &'a mut Vec<Problem>,
}

impl Check<'_> {
    fn within(&mut self, key: &'static str, value: u64, least: u16) -> u16 {
        match u16::try_from(value) {
            Ok(value) if value >= least => value,
            _ => {
                self.bound(key, &format!("{value} is outside {least} to 65535"));
                least
            }
        }
    }

    fn span(&mut self, key: &'static str, Span(span): Span, most: u64) -> Millis {
        if !(SECOND..=most).contains(&span.0) {
            self.bound(key, &format!("{} ms is outside {SECOND} ms to {most} ms", span.0));
        }
        span
    }

    fn response_topic(&mut self, topic: String) -> String {
        if topic.contains(['+', '#', '\0']) {
            self.bound("response_topic", "a topic that answers are sent to has no wildcards");
        }
        topic
    }

    fn bound(&mut self, key: &'static str, what: &str) {
        let at = self.entries.origin("mqtt", &Instance::Only, key);
        self.problems.push(Problem::new(at, format!("`mqtt.{key}`: {what}")));
    }
}
