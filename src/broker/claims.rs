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

    pub(super) fn is_held(&self, id: &ByteString) -> bool {
        self.holders.contains_key(id)
    }

    /// Ends the holder at once, for a connection that waits and goes on to do so.
    pub(super) fn oust(&self, id: &ByteString, waiting: ConnId) {
        let holder = self.holders.get(id);
        if let Some(holder) = holder.filter(|holder| holder.conn != waiting) {
            // A client that reads nothing is told nothing, and would not go for that.
            holder.outbox.expel();
        }
    }

    /// Lets go; a connection that waits becomes the holder. False where another already is.
    pub(super) fn release(&self, id: &ByteString, conn: ConnId) -> bool {
        loop {
            let Some(mut holder) = self.holders.get_mut(id) else { return true };
            if holder.conn != conn {
                if holder.next.as_ref().is_some_and(|next| next.conn == conn) {
                    holder.next = None;
                }
                return false;
            }
            if let Some(next) = holder.next.take() {
                *holder = Holder::new(&next);
                drop(holder);
                next.push(CoreEvent::Claimed);
                return true;
            }
            drop(holder);
            // A newcomer may have come in between: it would wait for nobody.
            let is_free = |_: &ByteString, holder: &Holder| holder.conn == conn && holder.next.is_none();
            if self.holders.remove_if(id, is_free).is_some() {
                return true;
            }
        }
    }
}

impl Holder {
    fn new(outbox: &Arc<Outbox>) -> Self {
        Self { conn: outbox.conn, outbox: Arc::clone(outbox), next: None }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Claims as a connection does, and waits as long as it has to. False where nobody lets go.
    fn hold(claims: &Claims, id: &ByteString, outbox: &Arc<Outbox>) -> bool {
        if claims.claim(id, outbox) == Claim::Granted {
            return true;
        }
        let mut events = VecDeque::new();
        for _ in 0..10_000_000 {
            outbox.take(&mut events);
            if events.drain(..).any(|event| matches!(event, CoreEvent::Claimed)) {
                return true;
            }
            std::thread::yield_now();
        }
        false
    }

    #[test]
    fn who_comes_while_another_goes_does_not_wait_for_nobody() {
        let claims = Claims::default();
        let id = ByteString::from_static("same");
        std::thread::scope(|scope| {
            for of in 0..2 {
                let (claims, id) = (&claims, &id);
                scope.spawn(move || {
                    for n in 0..20_000 {
                        let outbox = Outbox::new(ConnId(2 * n + of));
                        assert!(hold(claims, id, &outbox), "{n} waits for nobody");
                        assert!(claims.release(id, outbox.conn));
                    }
                });
            }
        });
        assert!(claims.holders.is_empty());
    }
}
