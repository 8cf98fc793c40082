//! Where a client's recent destinations lead, as its protocol spells them.

use std::sync::Arc;

use bytestring::ByteString;
use wharfmq_core::Address;

use crate::broker::{Port, Route};

/// Destinations remembered besides the last.
const KNOWN_MAX: usize = 64;

/// Reads a protocol's spelling of a destination; the error is in words for the client.
pub(super) type Naming = fn(&str) -> Result<Address, String>;

/// A small cache of routes by spelling. Who publishes nothing pays for a pointer.
pub(super) struct Routes {
    naming: Naming,
    recent: Option<Box<Recent>>,
}

#[derive(Default)]
struct Recent {
    last: Option<(ByteString, Arc<Route>)>,
    known: Vec<(ByteString, Arc<Route>)>,
    /// Which of `known` is replaced next.
    next: usize,
}

impl Routes {
    /// An empty cache.
    pub(super) const fn new(naming: Naming) -> Self {
        Self { naming, recent: None }
    }

    /// Whether a destination is spelled as the last one was.
    pub(super) fn is_last(&self, text: &str) -> bool {
        let last = self.recent.as_ref().and_then(|recent| recent.last.as_ref());
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
        let hit =
            matches!(&self.last, Some((known, route)) if known == text && route.generation() == generation);
        if !hit {
            let found = self.find(text, generation, naming, port)?;
            if let Some(earlier) = self.last.replace((text.into(), found)) {
                self.keep(earlier);
            }
        }
        self.last.as_ref().map(|(_, route)| route).ok_or_else(String::new)
    }

    fn find(
        &mut self,
        text: &str,
        generation: u64,
        naming: Naming,
        port: &Port,
    ) -> Result<Arc<Route>, String> {
        if let Some(at) = self.known.iter().position(|(known, _)| known == text) {
            let (_, route) = self.known.swap_remove(at);
            if route.generation() == generation {
                return Ok(route);
            }
        }
        if let Some((known, route)) = &self.last
            && known == text
        {
            return port.route(&route.address).map_err(|refused| refused.to_string());
        }
        let address = naming(text)?;
        port.route(&Arc::new(address)).map_err(|refused| refused.to_string())
    }

    fn keep(&mut self, entry: (ByteString, Arc<Route>)) {
        if self.known.iter().any(|(known, _)| *known == entry.0) {
            return;
        }
        if self.known.len() < KNOWN_MAX {
            self.known.push(entry);
        } else {
            self.next = (self.next + 1) % KNOWN_MAX;
            if let Some(slot) = self.known.get_mut(self.next) {
                *slot = entry;
            }
        }
    }
}
