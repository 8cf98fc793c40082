//! What the broker promises, seen through sockets.

mod connections;
mod queues;
mod retention;
mod sessions;
mod settings;
mod volume;
