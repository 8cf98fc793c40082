//! What the broker promises, seen through sockets.

mod advisories;
mod bounds;
mod connections;
mod queues;
mod retention;
mod sessions;
mod settings;
mod volume;
