//! The clients that users have, against the running program.

mod features;
mod jms;
mod mosquitto;
mod scripts;
mod statistics;
mod websocket;
