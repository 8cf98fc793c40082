//! OpenWire in process.

mod consumers;
mod browsers;
mod hostile;
mod kit;
mod returning;
mod scheduler;
