//! Messages that ask for more than the usual: to be sent later, to be kept as a topic's last value, or
//! to be an order to the scheduler.

use std::borrow::Cow;
use std::sync::Arc;

use smallvec::SmallVec;
use wharfmq_base::Millis;
use wharfmq_core::{Item, Kind, MessageId, Terms};
use wharfmq_openwire::primitive::{Map, MapWriter, Value};
use wharfmq_openwire::{Message, TransactionId};

use super::failover::Numbered;
use super::fault::{JMS, Stop};
use super::producers::Routes;
use super::replies::Reply;
use super::{Open, names};
use crate::adapters::schedule::{JOB, Times, millis};
use crate::broker::{Jobs, Later, Port, Route, Schedule};

/// The topic that is the scheduler.
const MANAGEMENT: &str = "ActiveMQ.Scheduler.Management";
const ACTION: &str = "AMQ_SCHEDULER_ACTION";
const START: &str = "ACTION_START_TIME";
const END: &str = "ACTION_END_TIME";
const DELAY: &str = "AMQ_SCHEDULED_DELAY";
const RETAIN: &str = "ActiveMQ.Retain";

/// What the properties of a message ask for.
#[derive(Default)]
pub(super) struct Errand {
    delay: Millis,
    times: Times,
    pub(super) retain: bool,
    action: Option<String>,
    job: Option<MessageId>,
    span: (Option<Millis>, Option<Millis>),
}

/// One copy of a message, which nothing but its transaction can refuse any more.
enum Copy {
    Now(Arc<Route>, Item, Terms),
    Later(Box<Later>),
}

/// Whether one of the names that mean something to the broker may be among a message's properties: looked
/// at for every message, so nothing is decoded for it.
pub(super) fn may_ask(message: &Message) -> bool {
    let Some(properties) = &message.marshalled_properties else { return false };
    ["AMQ_SCHEDULE", RETAIN, JOB]
        .iter()
        .any(|name| memchr::memmem::find(properties, name.as_bytes()).is_some())
}

impl Errand {
    /// Takes out of a message's properties what is for the broker alone. `None` where nothing is asked for.
    pub(super) fn take(message: &mut Message) -> Result<Option<Self>, Stop> {
        if !may_ask(message) {
            return Ok(None);
        }
        let Some(properties) = message.marshalled_properties.clone() else { return Ok(None) };
        let unreadable = |_| Stop::jms("the properties of the message cannot be read");
        let Some(map) = Map::read(&properties).map_err(unreadable)? else { return Ok(None) };
        let mut errand = Self::default();
        let mut kept = MapWriter::default();
        let mut asks = false;
        for entry in map.iter() {
            let entry = entry.map_err(unreadable)?;
            let name = entry.key.decode().map_err(unreadable)?;
            let said = errand.read(&name, &entry.value).map_err(|why| Stop::fault(JMS, why))?;
            asks |= said != Said::Nothing;
            if said != Said::Taken {
                kept.copy(&entry);
            }
        }
        if asks {
            message.marshalled_properties = (!kept.is_empty()).then(|| kept.finish());
        }
        Ok(asks.then_some(errand))
    }

    fn read(&mut self, name: &str, value: &Value<'_>) -> Result<Said, String> {
        match name {
            DELAY => self.delay = millis(name, &shown(value))?,
            RETAIN => self.retain = shown(value).eq_ignore_ascii_case("true"),
            ACTION => {
                self.action = Some(shown(value).into_owned());
                return Ok(Said::Kept);
            }
            JOB => {
                self.job =
                    shown(value).strip_prefix("ID:wharfmq-").and_then(|n| n.parse().ok()).map(MessageId);
            }
            START => self.span.0 = shown(value).parse().ok().map(Millis),
            END => self.span.1 = shown(value).parse().ok().map(Millis),
            _ if self.times.read(name, &shown(value))? => {}
            _ => return Ok(Said::Nothing),
        }
        Ok(Said::Taken)
    }
}

/// What a property is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    /// The application's.
    Nothing,
    /// The broker's, and nobody else is to see it.
    Taken,
    /// Looked at, and left.
    Kept,
}

impl Open {
    /// Stages one copy for each destination. Where it is sent later, its head names the job.
    pub(super) fn stage_errand(
        &mut self,
        errand: Errand,
        message: &mut Message,
        content: Option<bytes::Bytes>,
        (routes, transaction): (&Routes, Option<&TransactionId>),
        (mut reply, numbered): (Option<Reply>, Option<Numbered>),
        port: &mut Port,
    ) -> Result<Option<Reply>, Stop> {
        if self.manage(&errand, message, routes, port)? {
            return Ok(reply);
        }
        // A delay is a job as well, also where a queue could see to it: these clients ask the scheduler for it.
        let schedule = errand.times.schedule(errand.delay, true).map_err(|why| Stop::fault(JMS, why))?;
        let schedule = schedule.map(|schedule| Schedule { job: port.next_job(), ..schedule });
        if let Some(schedule) = &schedule {
            name_job(message, schedule);
        }
        let terms = super::send::terms(message).unwrap_or_default();
        let item = Item { retain: errand.retain, ..self.put(message, content) };
        // Refused before the first of them is sent.
        let copies = routes.iter().map(|route| copy(route, item, &terms, schedule.as_ref(), port));
        let copies = copies.collect::<Result<SmallVec<[_; 1]>, Stop>>()?;
        if let Some(transaction) = transaction {
            let name = self.transactions.name_of(transaction)?;
            for copy in copies {
                match copy {
                    Copy::Now(route, item, terms) => {
                        port.publish_in(&name, &route, item, Some(terms), &self.raw)?
                    }
                    Copy::Later(later) => port.schedule_in(&name, *later, &self.raw)?,
                }
            }
            self.raw.truncate(item.frame.start as usize);
            return Ok(reply);
        }
        let last = copies.len().saturating_sub(1);
        for (n, copy) in copies.into_iter().enumerate() {
            let reply = if n == last { reply.take().unwrap_or(Reply::Silent) } else { Reply::Copy };
            let token = Some(self.replies.push(reply));
            let index = match copy {
                Copy::Now(route, item, terms) => port.publish_with(&route, item, terms, token),
                Copy::Later(later) => port.schedule(*later, token),
            };
            if n == last {
                numbered.iter().for_each(|numbered| numbered.stage(index, port));
            }
        }
        Ok(None)
    }

    /// Carries out a message to the scheduler itself; false where it is an ordinary one.
    fn manage(
        &mut self,
        errand: &Errand,
        message: &Message,
        routes: &Routes,
        port: &mut Port,
    ) -> Result<bool, Stop> {
        let to_scheduler =
            routes.iter().any(|route| route.address.kind == Kind::Topic && route.address.name == MANAGEMENT);
        let Some(action) = errand.action.as_deref().filter(|_| to_scheduler) else { return Ok(false) };
        // What was sent before is known to it.
        self.flush(port);
        let (from, to) = errand.span;
        let between = Jobs::Due(from.unwrap_or_default(), to.unwrap_or(Millis::NEVER));
        let spanned = errand.span != (None, None);
        match (action, errand.job) {
            ("BROWSE", _) => {
                let reply_to = message.reply_to.as_deref();
                let reply_to = reply_to.ok_or_else(|| Stop::jms("BROWSE needs JMSReplyTo"))?;
                let addresses = names::addresses(reply_to, port)?;
                let [to] = &addresses[..] else {
                    return Err(Stop::jms("JMSReplyTo has to name one destination"));
                };
                port.show_jobs(if spanned { between } else { Jobs::All }, to)?;
            }
            ("REMOVE", Some(job)) => port.cancel_jobs(Jobs::Of(job))?,
            ("REMOVEALL", _) => port.cancel_jobs(if spanned { between } else { Jobs::All })?,
            _ => return Err(Stop::jms(format!("the scheduler knows no action {action}"))),
        }
        Ok(true)
    }
}

fn copy(
    route: &Arc<Route>,
    item: Item,
    terms: &Terms,
    schedule: Option<&Schedule>,
    port: &Port,
) -> Result<Copy, Stop> {
    Ok(match schedule {
        None => Copy::Now(Arc::clone(route), item, terms.clone()),
        Some(schedule) => {
            Copy::Later(Box::new(port.later(&route.address, item, terms.clone(), schedule.clone())?))
        }
    })
}

/// Names the job that sends a message in each that it sends. Those of a job that sends several have a number
/// of the broker's each in place of the one that their producer has given.
fn name_job(message: &mut Message, schedule: &Schedule) {
    if schedule.is_repeating()
        && let Some(id) = &mut message.message_id
    {
        id.producer_sequence_id = super::message::NUMBERED_LATER;
    }
    let mut properties = MapWriter::default();
    let before = message.marshalled_properties.take().unwrap_or_default();
    if let Ok(Some(map)) = Map::read(&before) {
        map.iter().flatten().for_each(|entry| properties.copy(&entry));
    }
    properties.put_text(JOB, &schedule.job.to_string());
    message.marshalled_properties = Some(properties.finish());
}

/// A value as text.
pub(super) fn shown<'a>(value: &Value<'a>) -> Cow<'a, str> {
    match *value {
        Value::Text(text) => text.decode().unwrap_or_default(),
        Value::Bool(value) => value.to_string().into(),
        Value::Byte(value) => value.to_string().into(),
        Value::Short(value) => value.to_string().into(),
        Value::Int(value) => value.to_string().into(),
        Value::Long(value) => value.to_string().into(),
        _ => Cow::Borrowed(""),
    }
}
