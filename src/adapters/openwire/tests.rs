//! OpenWire in process.

mod browsers;
mod consumers;
mod hostile;
mod kit;
mod leaving;
mod replies;
mod returning;
mod scheduler;
