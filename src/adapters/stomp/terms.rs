//! What the headers of a SEND ask of the queues that take it: groups, duplicates, delays.

use wharfmq_base::Millis;
use wharfmq_core::{GroupId, Kind, Terms, limits};

use super::fault::Stop;

const GROUP: &str = "JMSXGroupID";
const SEQUENCE: &str = "JMSXGroupSeq";
const IDENTITY: &str = "_AMQ_DUPL_ID";
const DELAY: &str = "AMQ_SCHEDULED_DELAY";

/// What a SEND asked for. Of a repeated header the first counts.
#[derive(Debug, Default)]
pub(super) struct Asked {
    group: Option<GroupId>,
    closes_group: Option<bool>,
    delay: Option<Millis>,
}

/// Whether a header may ask for something: looked at for every header, so only its first letters are.
pub(super) fn may_ask(name: &str) -> bool {
    name.starts_with("JMSXGroup") || name.starts_with("AMQ_SCHEDULED_") || name.starts_with("_AMQ_")
}

impl Asked {
    /// Reads a header. False where it is for the broker alone and no consumer sees it.
    pub(super) fn read(&mut self, name: &str, value: &str) -> Result<bool, Stop> {
        match name {
            GROUP => {
                bounded(name, value, limits::GROUP_NAME_BYTES_MAX)?;
                self.group.get_or_insert_with(|| GroupId::of(value));
            }
            SEQUENCE => {
                let number: i64 =
                    value.parse().map_err(|_| Stop::fault("JMSXGroupSeq is not a whole number"))?;
                self.closes_group.get_or_insert(number < 0);
            }
            // The broker reads it itself, where the queue asks for it.
            IDENTITY => bounded(name, value, limits::IDENTITY_BYTES_MAX)?,
            DELAY => {
                let delay = delay(value)?;
                self.delay.get_or_insert(delay);
                return Ok(false);
            }
            _ => {}
        }
        Ok(true)
    }

    /// What is asked of the queues of a destination.
    pub(super) fn terms(&self, to: Kind, now: Millis) -> Result<Terms, Stop> {
        let group = self.group.unwrap_or_default();
        let closes_group = !group.is_none() && self.closes_group.unwrap_or_default();
        let delay = self.delay.unwrap_or_default();
        if delay > Millis(0) && to == Kind::Topic {
            return Err(Stop::fault("AMQ_SCHEDULED_DELAY is for queues: a topic delivers at once"));
        }
        let due = if delay > Millis(0) { now.plus(delay) } else { Millis(0) };
        Ok(Terms { group, closes_group, due, ..Terms::default() })
    }
}

fn bounded(name: &str, value: &str, max: usize) -> Result<(), Stop> {
    if value.len() > max {
        return Err(Stop::fault(format!("{name} has {} bytes; it may have {max}", value.len())));
    }
    Ok(())
}

fn delay(value: &str) -> Result<Millis, Stop> {
    match value.parse() {
        Ok(delay) if delay <= limits::DELAY_MAX_MS => Ok(Millis(delay)),
        _ => Err(Stop::fault(format!(
            "AMQ_SCHEDULED_DELAY is a number of milliseconds from 0 to {} (five years)",
            limits::DELAY_MAX_MS
        ))),
    }
}
