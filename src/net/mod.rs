//! Sockets: listeners, TLS, and the one loop that every connection of a socket protocol runs in.

mod connection;
mod drive;
#[cfg(test)]
mod drive_tests;
mod ending;
mod greeting;
#[cfg(test)]
mod greeting_tests;
mod hub;
mod identity;
mod link;
mod listener;
#[cfg(test)]
mod listener_tests;
mod proxy;
#[cfg(test)]
mod relay_bench;
mod server;
mod sniff;
#[cfg(test)]
mod testing;
mod timer;
mod tls;
#[cfg(test)]
mod tls_tests;
mod websocket;

pub use hub::{Hub, Limits, Permit, Sessions};
pub use identity::Identity;
pub use listener::{Listener, ListenerSpec, OpenError, Spoken};
pub use server::{Server, reload_certificates};
pub use sniff::{Proto, Sniffed, sniff};
pub use tls::{ClientAuth, Tls, TlsError, TlsProfile};
