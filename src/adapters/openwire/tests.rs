//! OpenWire in process.
