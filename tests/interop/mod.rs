//! The clients that users have, against the running program.

mod mosquitto;
mod scripts;
mod statistics;
mod websocket;
