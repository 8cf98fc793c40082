//! The running program seen from outside: through sockets, by real clients, over crashes, and by peers that
//! mean no good. One binary, as linking takes longer than most of what is in it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod conformance;
mod crash;
mod hostile;
mod interop;
mod security;
mod semantics;
mod support;
