//! Why a connection ended, and what the log says of it.

use std::any::Any;
use std::io;

use super::websocket::Fault;
use super::{Hub, Proto};
use crate::adapters::{Close, Closed};
use crate::broker::Peer;

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// By the word of its session, or of the driver in its place.
    Close(Close),
    /// The client ended its side of the stream.
    EndOfStream,
    /// The stream broke.
    Broken(io::Error),
    /// The server stops.
    Shutdown,
    /// The session panicked; with what.
    Panic(String),
}

impl Ending {
    pub(super) fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        Self::Panic(text.unwrap_or_else(|| "no message".to_owned()))
    }

    /// What the session is told.
    pub(super) fn closed(&self) -> Closed {
        match self {
            Self::Close(close) => Closed::Session(close.clone()),
            Self::EndOfStream | Self::Broken(_) | Self::Panic(_) => Closed::Lost,
            Self::Shutdown => Closed::Shutdown,
        }
    }

    /// Violations and refusals are for the operator, but no client may fill the disk with them.
    pub(super) fn log(&self, peer: &Peer, proto: Option<Proto>, hub: &Hub) {
        let addr = peer.addr;
        let listener = peer.listener;
        let protocol = proto.map_or("unknown", Proto::name);
        match self {
            Self::Close(Close::Clean) => {
                tracing::debug!(%addr, listener, protocol, "connection closed by the client");
            }
            Self::EndOfStream => tracing::debug!(%addr, listener, protocol, "connection lost: end of stream"),
            Self::Broken(error) => tracing::debug!(%addr, listener, protocol, "connection lost: {error}"),
            Self::Shutdown => tracing::debug!(%addr, listener, protocol, "connection closed: shutting down"),
            Self::Panic(text) => {
                tracing::error!(%addr, listener, protocol, "connection closed after a panic in its session: {text}");
            }
            Self::Close(close) => {
                let Some(suppressed) = hub.lines.pass(hub.clock.now().mono) else { return };
                match close {
                    Close::Violation(_) => {
                        tracing::warn!(%addr, listener, protocol, suppressed, "connection closed: {close}");
                    }
                    _ => tracing::info!(%addr, listener, protocol, suppressed, "connection closed: {close}"),
                }
            }
        }
    }
}

impl From<Close> for Ending {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

impl From<io::Error> for Ending {
    /// What a client did against the framing is a violation like any other; everything else broke.
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Fault>()) {
            Some(fault) => Close::Violation(fault.to_string()).into(),
            None => Self::Broken(error),
        }
    }
}
