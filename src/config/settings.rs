//! The configuration as the program uses it: plain values, checked and complete.

use std::collections::BTreeMap;
use std::path::PathBuf;

use wharfmq_base::{ByteSize, Millis};

pub use super::fields::{
    ClientAuth, Groups, Identity, LogFormat, Nack, Overflow, Share, SharedChoice, StoreKind, Sync,
};
pub use super::listener::Listener;

/// Everything the broker needs to know to start.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where everything is kept that outlives the process.
    pub data_dir: PathBuf,
    /// How long a stop waits for clients.
    pub drain_time: Millis,
    /// Where to listen; never empty.
    pub listeners: Vec<Listener>,
    /// The users, if there are any.
    pub users_file: Option<PathBuf>,
    /// The TLS profiles that listeners name.
    pub tls: BTreeMap<String, TlsProfile>,
    /// Whether the profile `default` is to be made by [`dev_tls::make`](super::dev_tls::make) before the start.
    pub dev_tls: bool,
    /// Where messages are kept.
    pub store: StoreKind,
    /// When they count as stored.
    pub sync: Sync,
    /// Settings of destinations, as written; the order carries no meaning.
    pub addresses: Vec<AddressSettings>,
    /// Whether queues named after consumers of virtual topics get what is published to those.
    pub virtual_topics: bool,
    /// What is passed on, as written.
    pub forwards: Vec<ForwardSettings>,
    /// Bounds.
    pub limits: Limits,
    /// What MQTT clients are offered.
    pub mqtt: Mqtt,
    /// The log.
    pub log: Log,
}

/// A certificate and what is asked of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsProfile {
    /// PEM file of the chain, the server's own first.
    pub certificate: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
    /// PEM file of the authorities that sign clients; given whenever `client_auth` is not `None`.
    pub client_ca: Option<PathBuf>,
    /// Whether clients show certificates.
    pub client_auth: ClientAuth,
    /// Which part of them names the user.
    pub identity: Identity,
}

/// Settings of the destinations that match a pattern; what is `None` is left to less specific patterns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddressSettings {
    /// `queue://…` or `topic://…` with `*` and `>`.
    pub pattern: String,
    /// Deliveries before the dead-letter queue, 0 for no limit.
    pub max_deliveries: Option<u8>,
    /// Wait before a redelivery.
    pub redelivery_delay: Option<Millis>,
    /// Factor of the delay at each further one, finite and at least 1.
    pub redelivery_backoff: Option<f64>,
    /// What a negative acknowledgement means.
    pub nack: Option<Nack>,
    /// How long a message may be held.
    pub lock_timeout: Option<Millis>,
    /// Where goes what could not be delivered.
    pub dead_letter: Option<Grave>,
    /// Where goes what expired.
    pub expired: Option<Grave>,
    /// Longest life of a message.
    pub expiry: Option<Millis>,
    /// Messages a queue holds, at least 1.
    pub max_messages: Option<u64>,
    /// Bytes of messages a queue holds, at least 1.
    pub max_bytes: Option<ByteSize>,
    /// What a full queue does.
    pub overflow: Option<Overflow>,
    /// Whether priorities count.
    pub priority: Option<bool>,
    /// What groups mean.
    pub groups: Option<Groups>,
    /// For how long identities are remembered.
    pub dedup: Option<Millis>,
    /// The header that holds them.
    pub dedup_by: Option<String>,
    /// Whether one consumer at a time is served.
    pub single_active: Option<bool>,
    /// The header whose value replaces.
    pub last_value: Option<String>,
    /// Whether nothing is delivered.
    pub paused: Option<bool>,
    /// Last messages of a topic that are kept.
    pub history: Option<u64>,
    /// How old they may be.
    pub history_age: Option<Millis>,
}

/// Where messages go that a queue gives up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grave {
    /// Nowhere.
    Drop,
    /// To the queue of this name.
    Queue(String),
    /// To the queue whose name is that of the giving one between these two, which are not both empty.
    Around(String, String),
}

/// What is passed on from the destinations of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardSettings {
    /// `queue://…` or `topic://…` with `*` and `>`.
    pub from: String,
    /// `queue://…` and `topic://…`; at least one.
    pub to: Vec<String>,
    /// A selector.
    pub filter: Option<String>,
    /// Whether messages stay where they were sent.
    pub keep: bool,
}

/// Bounds on what clients can make the broker spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest frame.
    pub max_frame: ByteSize,
    /// The largest frame before login, at most `max_frame`.
    pub max_frame_before_login: ByteSize,
    /// How long a login may take, TLS included.
    pub login_timeout: Millis,
    /// Open connections over all listeners, at least 1.
    pub max_connections: u32,
    /// What messages in memory may take, already reckoned from a share.
    pub memory: ByteSize,
    /// What messages of one queue may take that are in memory only.
    pub destination_memory: ByteSize,
    /// What messages of one queue may take on the disk: a size, or a share that is reckoned at the start.
    pub destination_disk: Share,
    /// What stays free on the disk.
    pub disk_free_min: ByteSize,
    /// Messages in a transaction, at least 1.
    pub max_transaction_messages: u32,
    /// Bytes of messages in a transaction.
    pub max_transaction_bytes: ByteSize,
    /// How long a transaction may stay open.
    pub transaction_timeout: Millis,
}

/// What MQTT clients are offered, and bounds on each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mqtt {
    /// Messages on their way to a client, at least 1.
    pub max_inflight: u16,
    /// Messages of a client that are not answered, at least 1.
    pub receive_maximum: u16,
    /// Messages that wait for a session, at least 1.
    pub max_queued_messages: Option<u64>,
    /// Messages a second from a client, at least 1.
    pub max_publish_rate: Option<u32>,
    /// Subscriptions of a client, at least 1.
    pub max_subscriptions: u32,
    /// Levels of a topic or filter, at least 1.
    pub max_topic_levels: u16,
    /// Bytes of a topic or filter, at least 1.
    pub max_topic_length: u16,
    /// Topic aliases in each direction.
    pub topic_aliases: u16,
    /// The longest keep-alive, in whole seconds.
    pub max_keep_alive: Option<u16>,
    /// The longest life of a session after its connection.
    pub max_session_expiry: Option<Millis>,
    /// Whether payloads that say they are UTF-8 are checked.
    pub check_payload_format: bool,
    /// Where clients are told to expect answers, `%c` for the client id; empty for nothing.
    pub response_topic: String,
    /// Where clients are sent when the broker stops.
    pub server_reference: Option<String>,
    /// Which member of a shared subscription gets a message.
    pub shared_choice: SharedChoice,
    /// How often `$SYS` is published; 0: never.
    pub sys_interval: Millis,
}

/// The log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A level, or directives `target=level` separated by commas.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
}
