//! The clients that users have, against the running program.

mod features;
pub(crate) mod jms;
mod jms_messages;
mod jms_tls;
mod mosquitto;
mod scripts;
mod statistics;
mod websocket;
