//! OpenWire in process.

mod hostile;
mod kit;
mod returning;
