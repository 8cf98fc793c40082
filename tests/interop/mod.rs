//! The clients that users have, against the running program.

mod features;
<<<<<<< HEAD
mod jms_messages;
=======
pub(crate) mod jms;
>>>>>>> 2c41d60 (activemq-compat.md: for JMS, by area, each row with a test that is there)
mod jms_tls;
mod mosquitto;
mod scripts;
mod statistics;
mod websocket;
