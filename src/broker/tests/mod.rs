//! Tests of the broker through its ports: no sockets, a clock that the test turns.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod advisories;
mod branches;
mod crash;
mod dead_letters;
mod filters;
mod kit;
mod limits;
mod names;
mod prepared;
mod prepared_crash;
mod recovery;
mod regressions;
mod schedule;
mod sequences;
mod space;
mod temporary;
mod terms;
mod topology;
mod transactions;
mod watchers;
mod wills;
