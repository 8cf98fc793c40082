//! OpenWire in process.

mod hostile;
mod kit;
