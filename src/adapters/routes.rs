//! Where a client's recent destinations lead, as its protocol spells them.

use std::collections::HashMap;
use std::sync::Arc;

use bytestring::ByteString;
use foldhash::fast::RandomState;
use wharfmq_core::Address;

use crate::broker::{Port, Route};

/// Destinations remembered.
const KNOWN_MAX: usize = 1_024;
/// So many are looked through one by one.
const SCANNED_MAX: usize = 8;

/// Reads a protocol's spelling of a destination; the error is in words for the client.
pub(super) type Naming = fn(&str) -> Result<Address, String>;

/// A small cache of routes by spelling. Who publishes nothing pays for a pointer.
pub(super) struct Routes {
    naming: Naming,
    recent: Option<Box<Recent>>,
}

#[derive(Default)]
struct Recent {
    known: Vec<(ByteString, Arc<Route>)>,
    /// The place in `known` of the last one.
    last: usize,
    /// Places by spelling; empty while there are few.
    places: HashMap<ByteString, usize, RandomState>,
}

impl Routes {
    /// An empty cache.
    pub(super) const fn new(naming: Naming) -> Self {
        Self { naming, recent: None }
    }

    /// Whether a destination is spelled as the last one was.
    pub(super) fn is_last(&self, text: &str) -> bool {
        let last = self.recent.as_ref().and_then(|recent| recent.known.get(recent.last));
        last.is_some_and(|(known, _)| known == text)
    }

    /// The route of a destination, or why there is none. Publishers tend to name the same one again.
    pub(super) fn get(&mut self, text: &str, port: &Port) -> Result<&Arc<Route>, String> {
        self.recent.get_or_insert_default().get(text, self.naming, port)
    }
}

impl Recent {
    fn get(&mut self, text: &str, naming: Naming, port: &Port) -> Result<&Arc<Route>, String> {
        let generation = port.generation();
        let is_current =
            |(known, route): &(ByteString, Arc<Route>)| known == text && route.generation() == generation;
        if !self.known.get(self.last).is_some_and(is_current) {
            self.last = self.find(text, generation, naming, port)?;
        }
        self.known.get(self.last).map(|(_, route)| route).ok_or_else(String::new)
    }

    /// The place of a destination, whose route is looked up where it is not known or has changed.
    fn find(&mut self, text: &str, generation: u64, naming: Naming, port: &Port) -> Result<usize, String> {
        let route = |address: &Arc<Address>| port.route(address).map_err(|refused| refused.to_string());
        if let Some(at) = self.place(text) {
            if let Some((_, known)) = self.known.get_mut(at)
                && known.generation() != generation
            {
                *known = route(&known.address)?;
            }
            return Ok(at);
        }
        let found = route(&Arc::new(naming(text)?))?;
        Ok(self.keep(text.into(), found))
    }

    fn place(&self, text: &str) -> Option<usize> {
        if self.places.is_empty() {
            return self.known.iter().position(|(known, _)| known == text);
        }
        self.places.get(text).copied()
    }

    fn keep(&mut self, text: ByteString, route: Arc<Route>) -> usize {
        if self.known.len() >= KNOWN_MAX {
            // Begins anew, which needs no bookkeeping on the way.
            self.known.clear();
            self.places.clear();
        }
        self.known.push((text, route));
        if self.known.len() > SCANNED_MAX {
            let unplaced = self.known.iter().enumerate().skip(self.places.len());
            self.places.extend(unplaced.map(|(at, (text, _))| (text.clone(), at)));
        }
        self.known.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::destination::mqtt_address;
    use crate::adapters::mqtt::{MqttOptions, MqttSession};
    use crate::adapters::testing::TestBroker;

    #[test]
    fn many_destinations_lead_where_they_are_spelled() {
        let on = TestBroker::new();
        let client = on.client(MqttSession::new(Arc::new(MqttOptions::default())));
        let mut routes = Routes::new(|topic| mqtt_address(topic).map_err(|error| error.to_string()));
        for round in 0..3 {
            // More than are remembered, in an order in which each is found once at least.
            for n in (0..KNOWN_MAX + 500).chain(0..40).chain([7, 7, 8, 7]) {
                let route = routes.get(&format!("t/{n}"), &client.port).unwrap();
                assert_eq!(*route.address.name, *format!("t.{n}"), "round {round}");
                assert!(routes.is_last(&format!("t/{n}")));
            }
        }
        let recent = routes.recent.unwrap();
        assert!(recent.known.len() <= KNOWN_MAX && recent.places.len() <= KNOWN_MAX);
    }

    #[test]
    fn a_route_that_has_changed_is_looked_up_again() {
        let on = TestBroker::new();
        let client = on.client(MqttSession::new(Arc::new(MqttOptions::default())));
        let mut routes = Routes::new(|topic| mqtt_address(topic).map_err(|error| error.to_string()));
        for n in 0..20 {
            assert!(routes.get(&format!("t/{n}"), &client.port).unwrap().is_empty());
        }
        let pattern = crate::adapters::destination::mqtt_pattern("t/#").unwrap();
        client.port.subscribe(&pattern, wharfmq_core::SubTag(1), false, false, None);
        for n in 0..20 {
            assert!(!routes.get(&format!("t/{n}"), &client.port).unwrap().is_empty(), "{n}");
        }
    }
}
