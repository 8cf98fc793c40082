//! Tests of the queue.

mod choice;
mod delivery;
mod kit;
mod memory;
mod model;
mod random;
mod replay;
mod stuck;
mod terms;
mod trouble;
