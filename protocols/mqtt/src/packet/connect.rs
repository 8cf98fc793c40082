//! CONNECT and CONNACK.

use super::{Qos, Version};
use crate::{Properties, Reason};

/// CONNECT (3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect<'a> {
    /// From protocol name and level.
    pub version: Version,
    /// Clean start; clean session in MQTT 3.x.
    pub clean_start: bool,
    /// Seconds; 0 turns the mechanism off.
    pub keep_alive: u16,
    /// May be empty: the server chooses one then.
    pub client_id: &'a str,
    /// What to publish when the connection is lost.
    pub will: Option<Will<'a>>,
    /// May be there and empty.
    pub user_name: Option<&'a str>,
    /// Any bytes.
    pub password: Option<&'a [u8]>,
    /// Empty in MQTT 3.x.
    pub properties: Properties<'a>,
}

/// The will message of a CONNECT (3.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Will<'a> {
    /// QoS to publish with.
    pub qos: Qos,
    /// Whether to publish as a retained message.
    pub retain: bool,
    /// A valid topic name.
    pub topic: &'a str,
    /// Any bytes.
    pub payload: &'a [u8],
    /// Empty in MQTT 3.x.
    pub properties: Properties<'a>,
}

/// CONNACK (3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connack<'a> {
    /// Whether the server goes on with a session it has kept. Not in MQTT 3.1.
    pub session_present: bool,
    /// Reason code in MQTT 5, return code ([`crate::ConnectReturn`]) in MQTT 3.x.
    pub code: Reason,
    /// Empty in MQTT 3.x.
    pub properties: Properties<'a>,
}
