//! What the tests of the running program stand on: the program as a process, clients of a few lines that can
//! also misbehave, and waiting with a deadline.

pub(crate) mod broker;
pub(crate) mod clients;
pub(crate) mod mqtt;
pub(crate) mod stomp;
pub(crate) mod wait;

pub(crate) use broker::{Broker, Setup};
pub(crate) use mqtt::Mqtt;
pub(crate) use stomp::Stomp;
pub(crate) use wait::{PATIENCE, until};
