//! OpenWire in process.

mod consumers;
mod hostile;
mod kit;
mod returning;
mod scheduler;
