//! Tests of the queue.

mod delivery;
mod kit;
mod memory;
mod model;
mod random;
mod replay;
mod trouble;
