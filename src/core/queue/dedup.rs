//! Messages that were sent before.

/// What [`super::Queue::try_first`] knows of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novelty {
    /// It is new, and remembered from now on.
    New,
    /// It was seen, and the message that came with it is in the log.
    Seen,
    /// It was seen, and whether its message is taken is not known yet: ask again.
    Pending,
}
