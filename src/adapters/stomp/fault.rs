//! Why a frame is not carried out.

use crate::adapters::Close;

/// What ends a round of frames early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The frame is wrong: an ERROR says so, and the connection ends.
    Fault(String),
    /// The connection ends without more words.
    Close(Close),
    /// The frame has to wait for what was sent before it.
    Later,
}

impl Stop {
    pub(super) fn fault(why: impl ToString) -> Self {
        Self::Fault(why.to_string())
    }
}

impl From<wharfmq_stomp::Error> for Stop {
    fn from(error: wharfmq_stomp::Error) -> Self {
        Self::fault(error)
    }
}

impl From<crate::broker::TxError> for Stop {
    fn from(error: crate::broker::TxError) -> Self {
        Self::fault(error)
    }
}

impl From<crate::broker::Refused> for Stop {
    fn from(refused: crate::broker::Refused) -> Self {
        Self::fault(refused)
    }
}
