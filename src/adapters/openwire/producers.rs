//! Producers: their windows, and where what they send goes.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use smallvec::SmallVec;
use wharfmq_openwire::{Destination, ProducerId, ProducerInfo, Text};

use super::fault::{RESOURCE, Stop};
use super::{Open, names};
use crate::broker::{self, Port, Route};

/// Producers of one connection.
const PRODUCERS_MAX: usize = 10_000;
/// Destinations whose routes are remembered.
const TARGETS_MAX: usize = 256;

/// Where the copies of a message go.
pub(super) type Routes = SmallVec<[Arc<Route>; 1]>;

/// One producer.
pub(super) struct Producer {
    /// Whether it waits for a ProducerAck for each message.
    pub(super) window: bool,
    /// What it has sent in earlier connections, where its client comes back by itself.
    pub(super) sent: Option<Arc<broker::Producer>>,
    /// The number by which others know of it.
    announced: Option<u64>,
}

/// A connection's producers, and what they send to.
#[derive(Default)]
pub(super) struct Producers {
    known: HashMap<(i64, i64), Producer, RandomState>,
    targets: Vec<Target>,
    /// The place in `targets` of the last one.
    last: usize,
    /// Whether destinations come out of the object cache: then they keep no frames.
    is_cached: bool,
}

struct Target {
    destination: Arc<Destination>,
    generation: u64,
    routes: Routes,
}

impl Open {
    pub(super) fn on_producer(&mut self, info: &ProducerInfo, port: &mut Port) -> Result<(), Stop> {
        let id = info.producer_id.as_ref().ok_or_else(|| Stop::jms("ProducerInfo has no producer id"))?;
        self.check_own(id.connection_id.as_ref())?;
        if let Some(destination) = &info.destination {
            // The client is told now that its destination is none, not with its first message.
            self.producers.routes(destination, port)?;
        }
        if self.producers.known.len() >= PRODUCERS_MAX && self.producers.get(id).is_none() {
            return Err(Stop::fault(RESOURCE, format!("a connection may have {PRODUCERS_MAX} producers")));
        }
        let sent = self.client()?.sent_by(id, port);
        let announced = self.announce(id, info.destination.as_ref(), port);
        self.producers.known.insert(key(id), Producer { window: info.window_size > 0, sent, announced });
        Ok(())
    }

    /// Lets others know of a producer of one destination.
    fn announce(&self, id: &ProducerId, to: Option<&Arc<Destination>>, port: &mut Port) -> Option<u64> {
        let [address] = &names::addresses(to?, port).ok()?[..] else { return None };
        let number = number_of(id)?;
        port.add_producer(number, address);
        Some(number)
    }
}

impl Producers {
    pub(super) fn new(is_cached: bool) -> Self {
        Self { is_cached, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn get(&self, id: &ProducerId) -> Option<&Producer> {
        self.known.get(&key(id))
    }

    pub(super) fn remove(&mut self, id: &ProducerId, port: &Port) {
        let gone = self.known.remove(&key(id));
        gone.and_then(|gone| gone.announced).into_iter().for_each(|number| port.remove_producer(number));
    }

    pub(super) fn remove_session(&mut self, session: i64, port: &Port) {
        for (_, gone) in self.known.extract_if(|(of, _), _| *of == session) {
            gone.announced.into_iter().for_each(|number| port.remove_producer(number));
        }
    }

    /// The routes of a destination. Producers tend to name the same one again.
    pub(super) fn routes(&mut self, destination: &Arc<Destination>, port: &Port) -> Result<&Routes, Stop> {
        let generation = port.generation();
        let is_it = |target: &Target| {
            Arc::ptr_eq(&target.destination, destination) || target.destination == *destination
        };
        if !self.targets.get(self.last).is_some_and(is_it) {
            self.last = match self.targets.iter().position(is_it) {
                Some(at) => at,
                None => self.add(destination),
            };
        }
        let missing = || Stop::jms("the destination is not known");
        let target = self.targets.get_mut(self.last).ok_or_else(missing)?;
        if target.generation != generation || target.routes.is_empty() {
            target.routes.clear();
            for address in names::addresses(destination, port)? {
                target.routes.push(port.route(&address)?);
            }
            // Routes made just now are of the generation that making them has led to.
            target.generation =
                target.routes.iter().map(|route| route.generation()).min().unwrap_or(generation);
        }
        Ok(&target.routes)
    }

    fn add(&mut self, destination: &Arc<Destination>) -> usize {
        if self.targets.len() >= TARGETS_MAX {
            // Begins anew, which needs no bookkeeping on the way.
            self.targets.clear();
        }
        let destination =
            if self.is_cached { Arc::clone(destination) } else { Arc::new(destination.compact()) };
        self.targets.push(Target { destination, generation: 0, routes: Routes::new() });
        self.targets.len() - 1
    }
}

/// One number for a producer of a connection. There is none for the ids that no client gives.
pub(super) fn number_of(id: &ProducerId) -> Option<u64> {
    let (session, value) = (i32::try_from(id.session_id).ok()?, u32::try_from(id.value).ok()?);
    Some(u64::from(session as u32) << 32 | u64::from(value))
}

/// The id of the producer with a number.
pub(super) fn id_of(number: u64, connection: Text) -> ProducerId {
    let (session, value) = ((number >> 32) as u32 as i32, number as u32);
    ProducerId { connection_id: Some(connection), session_id: session.into(), value: value.into() }
}

const fn key(id: &ProducerId) -> (i64, i64) {
    (id.session_id, id.value)
}
