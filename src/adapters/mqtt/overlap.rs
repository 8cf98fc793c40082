//! Subscriptions of one client that match the same message.

use wharfmq_core::Address;

use super::Open;

impl Open {
    /// Whether a message of QoS 1 or 2 to this address comes through the session's queue in any case. The
    /// copy that a subscription of QoS 0 would get is left out then: one is enough, at the highest quality
    /// of service and with all identifiers (3.3.4).
    pub(super) fn comes_queued(&self, address: &Address) -> bool {
        // The queue does not take the client's own messages where no local is set, so they would be lost.
        self.queue.is_some()
            && self.subs.iter().flatten().any(|sub| {
                sub.is_collected()
                    && !sub.is_consumer()
                    && !sub.no_local
                    && sub.pattern.matches_address(address)
            })
    }
}
