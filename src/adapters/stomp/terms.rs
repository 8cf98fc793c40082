//! What the headers of a SEND ask of the queues that take it: groups, duplicates, delays.

use wharfmq_base::Millis;
use wharfmq_core::{GroupId, Terms, limits};

use super::fault::Stop;
use super::manage::ACTION;
use crate::adapters::schedule::{JOB, Times, millis};

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
    pub(super) times: Times,
    /// Whether it may be for the scheduler itself.
    pub(super) manages: bool,
}

/// Whether a header may ask for something: looked at for every header, so only its first letters are.
pub(super) fn may_ask(name: &str) -> bool {
    name.starts_with("JMSXGroup")
        || name.starts_with("AMQ_SCHEDULE")
        || name.starts_with("_AMQ_")
        || name == JOB
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
                let delay = millis(name, value).map_err(Stop::Fault)?;
                self.delay.get_or_insert(delay);
                return Ok(false);
            }
            ACTION => self.manages = true,
            // The broker's own word for what it sends later.
            JOB => return Ok(false),
            _ => return Ok(!self.times.read(name, value).map_err(Stop::Fault)?),
        }
        Ok(true)
    }

    /// How much later it is to be sent.
    pub(super) fn delay(&self) -> Millis {
        self.delay.unwrap_or_default()
    }

    /// What is asked of the queues that take it.
    pub(super) fn terms(&self, now: Millis) -> Terms {
        let group = self.group.unwrap_or_default();
        let closes_group = !group.is_none() && self.closes_group.unwrap_or_default();
        let due = if self.delay() > Millis(0) { now.plus(self.delay()) } else { Millis(0) };
        Terms { group, closes_group, due, ..Terms::default() }
    }
}

fn bounded(name: &str, value: &str, max: usize) -> Result<(), Stop> {
    if value.len() > max {
        return Err(Stop::fault(format!("{name} has {} bytes; it may have {max}", value.len())));
    }
    Ok(())
}
