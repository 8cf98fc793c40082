//! Which connection speaks for a client id: one at a time.
//!
//! A newcomer pushes the holder out and waits for it to let go, so that the holder's last words (its
//! will, the return of its deliveries) lie before the newcomer's first.

use std::sync::Arc;

use bytestring::ByteString;
use dashmap::DashMap;
use wharfmq_core::{ConnId, CoreEvent, Gone, Outbox};

/// The answer to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The client id is the connection's own.
    Granted,
    /// The holder was told to go; [`CoreEvent::Claimed`] follows. A session that has waited for a
    /// second takes it with [`super::Port::claim_now`].
    Wait,
}

#[derive(Debug)]
struct Holder {
    conn: ConnId,
    outbox: Arc<Outbox>,
    next: Option<Arc<Outbox>>,
}

/// Who holds which client id.
#[derive(Debug, Default)]
pub(super) struct Claims {
    holders: DashMap<ByteString, Holder>,
}

impl Claims {
    pub(super) fn claim(&self, id: &ByteString, outbox: &Arc<Outbox>) -> Claim {
        let mut displaced = None;
        let mut holder = self.holders.entry(id.clone()).or_insert_with(|| Holder::new(outbox));
        if holder.conn == outbox.conn {
            return Claim::Granted;
        }
        if let Some(earlier) = holder.next.replace(Arc::clone(outbox)) {
            displaced = Some(earlier);
        }
        let current = Arc::clone(&holder.outbox);
        drop(holder);
        current.push(CoreEvent::Kick(Gone::TakenOver));
        if let Some(displaced) = displaced {
            displaced.push(CoreEvent::Kick(Gone::TakenOver));
        }
        Claim::Wait
    }

    pub(super) fn claim_now(&self, id: &ByteString, outbox: &Arc<Outbox>) {
        let earlier = self.holders.insert(id.clone(), Holder::new(outbox));
        if let Some(earlier) = earlier.filter(|earlier| earlier.conn != outbox.conn) {
            // A client that reads nothing is told nothing, and would not go for that.
            earlier.outbox.expel();
        }
    }

    pub(super) fn holds(&self, id: &ByteString, conn: ConnId) -> bool {
        self.holders.get(id).is_some_and(|holder| holder.conn == conn)
    }

    /// Lets go; a connection that waits becomes the holder. False where another already is.
    pub(super) fn release(&self, id: &ByteString, conn: ConnId) -> bool {
        let Some(mut holder) = self.holders.get_mut(id) else { return true };
        if holder.conn != conn {
            if holder.next.as_ref().is_some_and(|next| next.conn == conn) {
                holder.next = None;
            }
            return false;
        }
        match holder.next.take() {
            Some(next) => {
                *holder = Holder::new(&next);
                drop(holder);
                next.push(CoreEvent::Claimed);
            }
            None => {
                drop(holder);
                self.holders.remove_if(id, |_, holder| holder.conn == conn && holder.next.is_none());
            }
        }
        true
    }
}

impl Holder {
    fn new(outbox: &Arc<Outbox>) -> Self {
        Self { conn: outbox.conn, outbox: Arc::clone(outbox), next: None }
    }
}
