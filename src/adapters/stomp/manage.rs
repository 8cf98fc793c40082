//! SEND to the scheduler itself: what ActiveMQ has for looking at scheduled messages and taking them back.

use std::borrow::Cow;

use wharfmq_base::Millis;
use wharfmq_core::{Kind, MessageId};
use wharfmq_stomp::Frame;

use super::Open;
use super::elements::Elements;
use super::fault::Stop;
use super::message::ID_PREFIX;
use super::send::Sent;
use crate::adapters::destination::stomp_name;
use crate::adapters::schedule::JOB;
use crate::broker::{Jobs, Port};

/// The topic that is the scheduler.
const MANAGEMENT: &str = "ActiveMQ.Scheduler.Management";
pub(super) const ACTION: &str = "AMQ_SCHEDULER_ACTION";
const START: &str = "ACTION_START_TIME";
const END: &str = "ACTION_END_TIME";

impl Open {
    /// Carries out a SEND to the scheduler; false where it is an ordinary one.
    pub(super) fn manage(
        &mut self,
        frame: &Frame<'_>,
        sent: &Sent<'_>,
        start: usize,
        port: &mut Port,
    ) -> Result<bool, Stop> {
        let destination = sent.destination.as_deref().unwrap_or_default();
        let to = stomp_name(destination).ok();
        if !to.is_some_and(|name| name.kind == Kind::Topic && name.name == MANAGEMENT) {
            return Ok(false);
        }
        let Some(action) = frame.get(ACTION)? else { return Ok(false) };
        if sent.transaction.is_some() {
            return Err(Stop::fault("the scheduler takes part in no transaction: leave the header out"));
        }
        // What was sent before is known to it; where that has to wait, this waits too.
        self.raw.truncate(start);
        self.flush(port);
        if !port.is_flushed() {
            return Err(Stop::Later);
        }
        match &*action {
            "BROWSE" => {
                let Some(reply_to) = frame.get("reply-to")? else {
                    return Err(Stop::fault("BROWSE needs reply-to: a destination for the answers"));
                };
                let elements = Elements::read(&reply_to).map_err(Stop::fault)?;
                let [one] = elements.list[..] else {
                    return Err(Stop::fault("reply-to has to name one destination"));
                };
                let to = one.to_send(port)?;
                port.show_jobs(meant(frame)?, &to)?;
            }
            "REMOVE" => match frame.get(JOB)? {
                Some(id) => port.cancel_jobs(Jobs::Of(job(&id)?))?,
                None => return Err(Stop::fault(format!("REMOVE needs {JOB}"))),
            },
            "REMOVEALL" => port.cancel_jobs(meant(frame)?)?,
            _ => return Err(Stop::fault(format!("{ACTION} is BROWSE, REMOVE or REMOVEALL"))),
        }
        self.promise_receipt(sent.receipt.as_deref(), port);
        Ok(true)
    }
}

/// The jobs within the times that a frame names; all where it names none.
fn meant(frame: &Frame<'_>) -> Result<Jobs, Stop> {
    let time = |name: &str, text: Cow<'_, str>| match text.parse() {
        Ok(ms) => Ok(Millis(ms)),
        Err(_) => Err(Stop::fault(format!("{name} is not a time in milliseconds since 1970"))),
    };
    match (frame.get(START)?, frame.get(END)?) {
        (None, None) => Ok(Jobs::All),
        (Some(start), Some(end)) => Ok(Jobs::Due(time(START, start)?, time(END, end)?)),
        _ => Err(Stop::fault(format!("{START} and {END} belong together"))),
    }
}

fn job(id: &str) -> Result<MessageId, Stop> {
    let number = id.strip_prefix(ID_PREFIX).and_then(|number| number.parse().ok());
    number.map(MessageId).ok_or_else(|| Stop::fault(format!("{JOB} is not one of this broker's")))
}
