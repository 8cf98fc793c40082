//! Adapters: each translates one protocol's frames into commands on a [`Port`], and what the core
//! says back into frames. Synchronous code only; bytes in, bytes out, time as an argument.

pub mod convert;
pub mod destination;
#[cfg(test)]
mod fuzz_tests;
pub mod mqtt;
pub mod openwire;
mod routes;
mod schedule;
pub mod stomp;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

use std::fmt;

use bytes::BytesMut;
use wharfmq_base::Millis;

use crate::broker::Port;

/// One client's side of a protocol, as a state machine without I/O.
///
/// The driver calls one method at a time and writes [`Port::out`] to the socket after each round.
/// A method returns `Err` to end the connection: what it has put into `out` is still sent, as far as
/// the client takes it. After an `Err` only [`Session::on_closed`] is called.
pub trait Session: Send {
    /// Takes as many whole frames off `input` as it can, up to [`ROUND_FRAMES`] or
    /// [`ROUND_BYTES`]; leaves the rest. Called again with more bytes, or with the same if
    /// it says [`Progress::More`].
    fn on_input(&mut self, input: &mut BytesMut, port: &mut Port) -> Result<Progress, Close>;

    /// Takes events from [`Port::events`] as far as it can send them; what it leaves is offered again
    /// once [`Port::out`] has drained or [`Session::on_input`] has run.
    fn on_events(&mut self, port: &mut Port) -> Result<(), Close>;

    /// Answers what has become durable or was refused: [`Port::next_confirm`] until it is `None`.
    fn on_confirms(&mut self, port: &mut Port) -> Result<(), Close>;

    /// The time of [`Session::deadline`] has come.
    fn on_deadline(&mut self, port: &mut Port) -> Result<(), Close>;

    /// When the session wants [`Session::on_deadline`], on the monotonic clock ([`crate::broker::Now::mono`]).
    fn deadline(&self) -> Option<Millis>;

    /// Whether the client has logged in; before that smaller limits hold.
    fn is_open(&self) -> bool;

    /// The broker stops, or an operator closes the connection: say so in the protocol's words.
    /// Settles and commits are still read for a while; publishes and deliveries are over.
    fn drain(&mut self, port: &mut Port);

    /// The connection is gone. Cancel subscriptions, return deliveries, publish a will.
    fn on_closed(&mut self, how: Closed, port: &mut Port);
}

/// Frames one call of [`Session::on_input`] handles at most, so that no client holds a worker long.
pub const ROUND_FRAMES: usize = 4_096;
/// Bytes one call of [`Session::on_input`] handles at most; a single frame may be larger.
pub const ROUND_BYTES: usize = 256 * 1024;

/// Whether a round of input was cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// What is left in the input is an incomplete frame, or nothing.
    NeedInput,
    /// Whole frames are left: call again after everybody else had their turn.
    More,
    /// Nothing more may be handled before the core has answered (login, take-over, a full queue).
    Wait,
}

/// Why a session ends the connection; goes to the log with the client's name and address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Close {
    /// The client said goodbye.
    Clean,
    /// The client broke the protocol; how.
    Violation(String),
    /// The client did not keep a promise about time (keep-alive, heart-beat, login).
    TimedOut(&'static str),
    /// The broker refused to go on: not allowed, over a limit, taken over, shutting down.
    Refused(String),
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("client disconnected"),
            Self::Violation(how) => write!(f, "protocol error: {how}"),
            Self::TimedOut(what) => write!(f, "timed out: {what}"),
            Self::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}

/// How a connection ended, for [`Session::on_closed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// By the session's own [`Close`].
    Session(Close),
    /// The client's side ended without a goodbye: end of stream or an error.
    Lost,
    /// The broker is stopping.
    Shutdown,
}
