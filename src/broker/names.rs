//! Names that connections give themselves: a connection's own, which whoever comes back takes over, and that
//! of its client, which nobody else may have meanwhile.
//!
//! They are names of JMS connections. MQTT's client ids, which name sessions, are others: see
//! [`super::Port::claim`].

use bytestring::ByteString;
use dashmap::DashMap;
use std::sync::Arc;

use wharfmq_core::{ConnId, Outbox};

use super::claims::Claims;
use super::{Claim, Port};

/// Who has which name.
#[derive(Debug, Default)]
pub(super) struct Names {
    connections: Claims,
    /// The users of those that have, or wait for, a connection's name.
    users: DashMap<ByteString, Box<str>>,
    clients: DashMap<ByteString, ConnId>,
}

/// The names of one connection.
#[derive(Debug, Default)]
pub(super) struct Own {
    connection: Option<ByteString>,
    client: Option<ByteString>,
}

impl Names {
    fn claim(&self, name: &ByteString, user: &str, outbox: &Arc<Outbox>) -> Option<Claim> {
        // Held until the claim is made, so that a release in between does not take the user away.
        let entry = self.users.entry(name.clone()).or_insert_with(|| user.into());
        (**entry == *user).then(|| self.connections.claim(name, outbox))
    }

    fn release(&self, name: &ByteString, conn: ConnId) {
        self.users.remove_if(name, |_, _| {
            self.connections.release(name, conn);
            !self.connections.is_held(name)
        });
    }

    fn release_client(&self, name: &ByteString, conn: ConnId) {
        self.clients.remove_if(name, |_, holder| *holder == conn);
    }
}

impl Port {
    /// Makes `name` this connection's own name, until it ends. Where another connection of the same user has
    /// it that one is told to go, and [`wharfmq_core::CoreEvent::Claimed`] follows once it has let go: by then
    /// its deliveries, its transactions and its temporary destinations are gone, and its client's name is free.
    /// One that does not go in time is made to with [`Port::oust`]. `None` where another user has the name.
    pub fn claim_connection(&mut self, name: &ByteString) -> Option<Claim> {
        self.release_connection();
        let user = self.principal().map_or("", |principal| &principal.name);
        let claim = self.broker.names.claim(name, user, &self.outbox)?;
        self.names.get_or_insert_default().connection = Some(name.clone());
        Some(claim)
    }

    /// Ends the connection at once that has the name this one waits for, also where it takes no events.
    pub fn oust(&mut self) {
        let name = self.names.as_ref().and_then(|names| names.connection.as_ref());
        if let Some(name) = name {
            self.broker.names.connections.oust(name, self.outbox.conn);
        }
    }

    /// Makes `name` the name of this connection's client, until it ends. False where another connection has it.
    pub fn claim_client(&mut self, name: &ByteString) -> bool {
        let holder = *self.broker.names.clients.entry(name.clone()).or_insert(self.outbox.conn);
        if holder != self.outbox.conn {
            return false;
        }
        let names = self.names.get_or_insert_default();
        if let Some(earlier) = names.client.replace(name.clone()).filter(|earlier| earlier != name) {
            self.broker.names.release_client(&earlier, self.outbox.conn);
        }
        true
    }

    fn release_connection(&mut self) {
        let name = self.names.as_mut().and_then(|names| names.connection.take());
        if let Some(name) = name {
            self.broker.names.release(&name, self.outbox.conn);
        }
    }

    /// Lets go of all names; the last thing a connection does, as whoever waits for one begins then.
    pub(super) fn release_names(&mut self) {
        let client = self.names.as_mut().and_then(|names| names.client.take());
        if let Some(name) = client {
            self.broker.names.release_client(&name, self.outbox.conn);
        }
        self.release_connection();
        self.names = None;
    }
}
