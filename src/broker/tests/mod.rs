//! Tests of the broker through its ports: no sockets, a clock that the test turns.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crash;
mod kit;
mod limits;
mod recovery;
mod regressions;
mod space;
mod temporary;
mod watchers;
