//! Messages to be sent later: what ActiveMQ's scheduler is asked for, by headers or properties.

use wharfmq_base::Millis;
use wharfmq_core::{Cron, MessageId, limits};

use crate::broker::{Repeats, Schedule};

const PERIOD: &str = "AMQ_SCHEDULED_PERIOD";
const REPEAT: &str = "AMQ_SCHEDULED_REPEAT";
const CRON: &str = "AMQ_SCHEDULED_CRON";
/// Names the job in every message that it sends.
pub(super) const JOB: &str = "scheduledJobId";

/// The times that a SEND asked for beside a delay. Of a repeated header the first counts.
#[derive(Debug, Default)]
pub(super) struct Times {
    period: Option<Millis>,
    repeats: Option<Repeats>,
    cron: Option<Cron>,
}

impl Times {
    /// Reads a header; false where it is none of these.
    pub(super) fn read(&mut self, name: &str, value: &str) -> Result<bool, String> {
        match name {
            PERIOD => drop(self.period.get_or_insert(millis(name, value)?)),
            REPEAT => drop(self.repeats.get_or_insert(repeats(value)?)),
            CRON => drop(self.cron.get_or_insert(cron(value)?)),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// When the message is sent; its job has no number yet. `None` where its queues can see to the delay,
    /// or there is none.
    pub(super) fn schedule(&self, delay: Millis, to_topic: bool) -> Result<Option<Schedule>, String> {
        let period = self.period.unwrap_or_default();
        let repeats = self.repeats.unwrap_or(Repeats::Times(0));
        let cron = self.cron.clone();
        if cron.is_none() && period == Millis(0) {
            let at_once = delay == Millis(0);
            if at_once || !to_topic && repeats == Repeats::Times(0) {
                return Ok(None);
            }
        }
        if repeats == Repeats::Endless && cron.is_some() {
            return Err(format!(
                "{REPEAT}:-1 repeats without an end, as {CRON} does already: leave one of them out"
            ));
        }
        if repeats == Repeats::Endless && period == Millis(0) {
            return Err(format!("{REPEAT}:-1 needs {PERIOD} of a millisecond or more"));
        }
        Ok(Some(Schedule { job: MessageId(0), delay, period, repeats, cron }))
    }
}

/// A number of milliseconds, five years at most.
pub(super) fn millis(name: &str, value: &str) -> Result<Millis, String> {
    match value.parse() {
        Ok(span) if span <= limits::DELAY_MAX_MS => Ok(Millis(span)),
        _ => {
            Err(format!("{name} is a number of milliseconds from 0 to {} (five years)", limits::DELAY_MAX_MS))
        }
    }
}

fn repeats(value: &str) -> Result<Repeats, String> {
    match value.parse() {
        Ok(-1) => Ok(Repeats::Endless),
        Ok(times) if (0..=i64::from(limits::REPEATS_MAX)).contains(&times) => {
            Ok(Repeats::Times(times as u32))
        }
        _ => Err(format!("{REPEAT} is a number from 0 to {}, or -1 for no end", limits::REPEATS_MAX)),
    }
}

fn cron(value: &str) -> Result<Cron, String> {
    Cron::parse(value).map_err(|error| format!("{CRON}: {error}"))
}
