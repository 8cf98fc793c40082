//! What the broker is told: the configuration file, the environment and the command line.
//!
//! [`schema`] declares every key with its type, default and text; [`load`](fn@load) reads all sources,
//! names everything that is wrong with its place, and gives [`Settings`].

mod addresses;
mod destinations;
pub mod dev_tls;
mod document;
pub mod entries;
pub mod fields;
mod forwards;
pub mod keys;
pub mod listener;
mod load;
mod memory;
mod mqtt;
pub mod overlay;
pub mod problem;
mod resolve;
pub mod schema;
pub mod settings;
mod show;
pub mod url;

#[cfg(test)]
mod tests;

pub use listener::{Listener, Protocol, Scheme};
pub use load::{Loaded, Sources, load, users_file};
pub use overlay::Flags;
pub use problem::{Origin, Problem, Problems};
pub use settings::{AddressSettings, ForwardSettings, Grave, Limits, Log, Settings, TlsProfile};
pub use show::show;
