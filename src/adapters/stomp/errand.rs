//! SEND that asks for more than the usual: something of the queues that take it, or to be sent later.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};
use wharfmq_core::{Item, Kind, Terms};

use super::Open;
use super::composite::Routes;
use super::fault::Stop;
use super::message::ID_PREFIX;
use super::receipts::SILENT;
use super::send::Sent;
use crate::adapters::convert;
use crate::adapters::schedule::JOB;
use crate::broker::{Later, Port, Route, Schedule};

/// What is to be done for a SEND.
pub(super) struct Errand {
    routes: Routes,
    terms: Terms,
    /// Where the queues cannot see to it.
    schedule: Option<Schedule>,
}

/// One copy of it, which nothing but its transaction can refuse any more.
enum Copy {
    Now(Arc<Route>, Item, Terms),
    Later(Later),
}

impl Open {
    /// What a SEND asks for; `None` for nothing. A job that it makes is named in the head.
    pub(super) fn errand(
        &mut self,
        sent: &Sent<'_>,
        destination: &str,
        several: Option<&Routes>,
        port: &Port,
    ) -> Result<Option<Errand>, Stop> {
        let Some(asked) = &sent.asked else { return Ok(None) };
        let routes: Routes = match several {
            Some(routes) => routes.clone(),
            None => smallvec![Arc::clone(self.routes.get(destination, port).map_err(Stop::fault)?)],
        };
        let to_topic = routes.iter().any(|route| route.address.kind == Kind::Topic);
        let mut schedule = asked.times.schedule(asked.delay(), to_topic).map_err(Stop::Fault)?;
        if let Some(schedule) = &mut schedule {
            schedule.job = port.next_job();
            let number = schedule.job.0.to_string();
            convert::put_header(&mut self.raw, JOB, &[ID_PREFIX, &number]);
        }
        Ok(Some(Errand { routes, terms: asked.terms(port.now.wall), schedule }))
    }

    /// Stages one copy for each destination, with one receipt for all.
    pub(super) fn stage_errand(
        &mut self,
        errand: &Errand,
        item: Item,
        start: usize,
        sent: &Sent<'_>,
        port: &mut Port,
    ) -> Result<(), Stop> {
        // Refused before the first of them is sent.
        let copies = errand.routes.iter().map(|route| errand.copy(route, item, port));
        let mut copies = copies.collect::<Result<SmallVec<[_; 2]>, Stop>>()?;
        if let Some(name) = &sent.transaction {
            for copy in copies {
                match copy {
                    Copy::Now(route, item, terms) => {
                        port.publish_in(name, &route, item, Some(terms), &self.raw)?;
                    }
                    Copy::Later(later) => port.schedule_in(name, later, &self.raw)?,
                }
            }
            self.raw.truncate(start);
            self.promise_receipt(sent.receipt.as_deref(), port);
            return Ok(());
        }
        let Some(last) = copies.pop() else { return Ok(()) };
        copies.into_iter().for_each(|copy| copy.publish(SILENT, port));
        last.publish(sent.receipt.as_ref().map_or(SILENT, |id| self.receipts.push(id)), port);
        Ok(())
    }
}

impl Errand {
    fn copy(&self, route: &Arc<Route>, item: Item, port: &Port) -> Result<Copy, Stop> {
        let terms = self.terms.clone();
        Ok(match &self.schedule {
            None => Copy::Now(Arc::clone(route), item, terms),
            Some(schedule) => Copy::Later(port.later(&route.address, item, terms, schedule.clone())?),
        })
    }
}

impl Copy {
    fn publish(self, token: wharfmq_core::Token, port: &mut Port) {
        match self {
            Self::Now(route, item, terms) => {
                port.publish_with(&route, item, terms, Some(token));
            }
            Self::Later(later) => {
                port.schedule(later, Some(token));
            }
        }
    }
}
