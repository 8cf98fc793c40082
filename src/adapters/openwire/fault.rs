//! Why a command is not carried out, in the classes that JMS clients act by.

use wharfmq_core::NameError;
use wharfmq_openwire::Throwable;

use crate::adapters::Close;
use crate::broker::{Refused, TxError, chosen_name};

/// What ends a command early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The command fails: its sender is told by an exception, and the connection goes on.
    Fault(Fault),
    /// The connection ends without more words.
    Close(Close),
    /// The command has to wait, for what was sent before it or for the disk.
    Later,
}

/// An exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) class: &'static str,
    pub(super) message: String,
}

pub(super) const JMS: &str = "javax.jms.JMSException";
pub(super) const INVALID_CLIENT_ID: &str = "javax.jms.InvalidClientIDException";
pub(super) const INVALID_DESTINATION: &str = "javax.jms.InvalidDestinationException";
pub(super) const INVALID_SELECTOR: &str = "javax.jms.InvalidSelectorException";
pub(super) const RESOURCE: &str = "javax.jms.ResourceAllocationException";
pub(super) const SECURITY: &str = "java.lang.SecurityException";
pub(super) const ROLLED_BACK: &str = "javax.jms.TransactionRolledBackException";
pub(super) const XA: &str = "javax.transaction.xa.XAException";
pub(super) const NO_DESTINATION: &str = "org.apache.activemq.DestinationDoesNotExistException";

/// Bytes of what an exception says; what comes behind them is left out.
const TEXT_MAX: usize = 1_024;

impl Fault {
    pub(super) fn new(class: &'static str, message: impl ToString) -> Self {
        let mut message = message.to_string();
        if message.len() > TEXT_MAX {
            // Names are in it that a client has chosen.
            message.truncate(message.floor_char_boundary(TEXT_MAX));
            message.push('…');
        }
        Self { class, message }
    }

    pub(super) fn throwable(&self) -> Throwable {
        Throwable::new(self.class, &self.message)
    }
}

impl Stop {
    /// An exception of a class.
    pub(super) fn fault(class: &'static str, message: impl ToString) -> Self {
        Self::Fault(Fault::new(class, message))
    }

    /// A JMSException.
    pub(super) fn jms(message: impl ToString) -> Self {
        Self::fault(JMS, message)
    }
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        if let Refused::Gone(name) = &refused {
            // The client puts words around it.
            return Self::fault(NO_DESTINATION, chosen_name(name).unwrap_or(name));
        }
        let class = match &refused {
            Refused::Name(_) | Refused::Foreign | Refused::Reserved | Refused::System => INVALID_DESTINATION,
            Refused::TooManyQueues
            | Refused::TooManyTemporaries
            | Refused::TooManyWatches
            | Refused::TooManyJobs
            | Refused::TooManyConsumers(_)
            | Refused::Log(_) => RESOURCE,
            _ => JMS,
        };
        Self::fault(class, refused)
    }
}

impl From<NameError> for Stop {
    fn from(error: NameError) -> Self {
        Self::fault(INVALID_DESTINATION, error)
    }
}

impl From<TxError> for Stop {
    fn from(error: TxError) -> Self {
        let class = match error {
            TxError::TooMany | TxError::TooLarge(_) => RESOURCE,
            TxError::Doomed | TxError::TimedOut(_) => ROLLED_BACK,
            _ => JMS,
        };
        Self::fault(class, error)
    }
}
