//! The configuration as it is written: one documented field per key.
//!
//! The comment of a field is the text of `wharfmq config explain`; its type and default are what the
//! loader checks. See [`keys`](super::keys) for the tables that the `section!` declarations make.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Value;

use super::fields::{
    ClientAuth, Field, Groups, Identity, LogFormat, Nack, Names, Overflow, Share, SharedChoice, Size, Span,
    StoreKind, Sync,
};
use super::keys::{Key, Section, Shape};

/// Declares a section: `key: Type = "default" => "example";`, both as they would stand in the file.
///
/// A key without a default must be given, unless its type is an `Option`.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $shape:ident $name:literal $type:ident {
            $( $(#[doc = $text:literal])+ $field:ident $(as $key:literal)? : $ty:ty $(= $default:literal)? => $example:literal; )+
            $( nested { $( $(#[doc = $nested_about:literal])+ $nested:ident : $nested_type:ty; )+ } )?
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $type {
            $( $(#[doc = $text])+ $(#[serde(rename = $key)])? pub $field: $ty, )+
            $( $( $(#[doc = $nested_about])+ pub $nested: $nested_type, )+ )?
        }

        impl $type {
            /// The section and its keys.
            pub const SECTION: Section = Section {
                name: $name,
                shape: Shape::$shape,
                text: concat!($($about, "\n"),+),
                keys: &[$(
                    Key {
                        name: section!(@name $field $($key)?),
                        kind: <$ty as Field>::KIND,
                        required: section!(@required $ty $(, $default)?),
                        default: section!(@default $($default)?),
                        example: $example,
                        text: concat!($($text, "\n"),+),
                        accepts: |value: &Value| <$ty>::deserialize(value.clone()).is_ok(),
                    },
                )+],
            };
        }
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $key:literal) => { $key };
    (@required $ty:ty) => { <$ty as Field>::REQUIRED };
    (@required $ty:ty, $default:literal) => { false };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
}

section! {
    /// The broker as a whole. These keys stand at the top of the file, before any section.
    Table "" Config {
        /// The folder that holds everything the broker keeps. It is made where it is missing.
        /// One broker uses it at a time.
        data_dir: PathBuf = r#""wharfmq-data""# => r#""/var/lib/wharfmq""#;
        /// How long a stop waits for clients to finish what they have in hand before connections are
        /// closed. Nothing is lost when it is cut short: what was not acknowledged is delivered again.
        drain_time: Span = r#""10s""# => r#""30s""#;
        /// Whether a queue named Consumer.NAME.VirtualTopic.REST gets what is published to the topic
        /// VirtualTopic.REST, as in ActiveMQ.
        virtual_topics: bool = "true" => "false";
        nested {
            /// The listeners.
            listener: Vec<Listener>;
            /// The certificates, by name.
            tls: BTreeMap<String, Tls>;
            /// Who may connect.
            security: Security;
            /// Where messages are kept.
            store: Store;
            /// Settings of destinations, by pattern.
            address: Vec<Address>;
            /// What is passed on from one destination to others.
            forward: Vec<Forward>;
            /// Bounds on what the broker spends.
            limits: Limits;
            /// What MQTT clients are offered.
            mqtt: Mqtt;
            /// The log.
            log: Log;
        }
    }
}

section! {
    /// A place where clients connect. Where at least one is given, exactly those are opened; else
    /// each protocol on its default port of 127.0.0.1, and its TLS twin once [tls.default] is there.
    List "listener" Listener {
        /// Where to listen and what to speak there: scheme://host:port?option=value. The port may be
        /// left out for the scheme's default; port 0 takes any free one. The option `tls` names the
        /// certificate, like the key of that name. `proxy` names addresses or networks, such as
        /// 10.0.0.0/8, from which connections begin with a header of the PROXY protocol. `origin` names
        /// the sites whose pages may connect over WebSocket; left out, all may.
        url: String => r#""mqtts://0.0.0.0:8883""#;
        /// The name of the [tls.NAME] section whose certificate is shown. A TLS scheme without it
        /// takes `default`.
        tls: Option<String> => r#""default""#;
    }
}

section! {
    /// A certificate, by name, and what is asked of clients.
    Map "tls" Tls {
        /// The certificate chain that clients see, as PEM, the server's own first. The file is
        /// watched: it is replaced without a restart.
        certificate: PathBuf => r#""server.pem""#;
        /// The private key of the certificate, as PEM. Watched like the certificate.
        key: PathBuf => r#""server.key""#;
        /// The authorities whose client certificates are accepted, as PEM. Needed as soon as
        /// client_auth is not `none`.
        client_ca: Option<PathBuf> => r#""clients.pem""#;
        /// Whether clients show a certificate: `none` doesn't ask, `optional` asks and checks what is
        /// shown, `required` refuses who shows none. With client_ca set and this left out: `required`.
        client_auth: Option<ClientAuth> => r#""required""#;
        /// Which part of a client's certificate becomes its user name: the common name, the whole
        /// subject, the first DNS name or the first URI among the alternative names.
        identity: Identity = r#""cn""# => r#""san-dns""#;
    }
}

section! {
    /// Who may connect.
    Table "security" Security {
        /// Whether clients may connect without saying who they are. Left out: on loopback addresses
        /// only, and a listener on any other address refuses to start unless there is a users_file or
        /// client certificates are required. `true`: everywhere. `false`: nowhere.
        allow_anonymous: Option<bool> => "true";
        /// The file with the users and what is kept of their passwords; `wharfmq user` changes it. It is
        /// read at the start and on SIGHUP. Left out: user names and passwords are not looked at.
        users_file: Option<PathBuf> => r#""users.toml""#;
    }
}

section! {
    /// Where messages are kept.
    Table "store" Store {
        /// `journal` keeps persistent messages in the data directory, across stops and crashes.
        /// `memory` keeps nothing: every message is gone when the broker stops.
        kind: StoreKind = r#""journal""# => r#""memory""#;
        /// When a persistent message is confirmed to its producer. `always`: once it is on disk.
        sync: Sync = r#""always""# => r#""always""#;
    }
}

section! {
    /// Settings of the destinations that match a pattern. Of several that match, the most specific
    /// decides, key by key: the one with more literal levels, then the one whose first wildcard comes later.
    List "address" Address {
        /// Which destinations: queue://NAME or topic://NAME, where `*` stands for one level and a
        /// final `>` for all that follow.
        pattern as "match": String => r#""queue://orders.>""#;
        /// How often a message is delivered before it goes to the dead-letter queue, 1 to 255. 0: no
        /// limit. Where no pattern says otherwise: 10. Messages of MQTT sessions are not counted.
        max_deliveries: Option<u32> => "10";
        /// How long a message that was given back waits before it is delivered again, at most 1d. Where
        /// no pattern says otherwise: 1s.
        redelivery_delay: Option<Span> => r#""1s""#;
        /// By what the delay is multiplied at each further delivery, 1.0 to 1000. Where no pattern
        /// says otherwise: 1.0, a constant delay.
        redelivery_backoff: Option<f64> => "2.0";
        /// What a negative acknowledgement means: a failed delivery (`retry`), that the message goes to
        /// the dead-letter queue at once (`dead-letter`) or is dropped and counted (`discard`). Where no
        /// pattern says otherwise: `retry`.
        nack: Option<Nack> => r#""dead-letter""#;
        /// How long a consumer may hold a message without settling it, 1s to 30d; then that counts as a
        /// failed delivery. Where no pattern says otherwise: as long as the consumer is there.
        lock_timeout: Option<Span> => r#""30s""#;
        /// The queue that takes what could not be delivered, as queue://NAME, in which `%n` may stand
        /// once for the queue's own name; or `drop`. What such a queue holds neither expires nor moves
        /// on. Where no pattern says otherwise: queue://ActiveMQ.DLQ.
        dead_letter: Option<String> => r#""queue://DLQ.%n""#;
        /// The queue that takes what expired, written like dead_letter; or `drop`. Where no pattern says
        /// otherwise: that of dead_letter for persistent messages of a queue, `drop` for subscriptions.
        expired: Option<String> => r#""drop""#;
        /// How long a message stays that says nothing of it itself, at least 1ms; one that lives longer
        /// by its own word is cut to it. Where no pattern says otherwise: for ever.
        expiry: Option<Span> => r#""4d""#;
        /// How many messages a queue holds, at least 1. Left out: as many as memory and disk allow.
        max_messages: Option<u64> => "1_000_000";
        /// How many bytes of messages a queue holds, at least 1B. Left out: as many as memory and disk
        /// allow.
        max_bytes: Option<Size> => r#""1GiB""#;
        /// What happens once the queue is full: the producer waits (`block`), the message is refused
        /// (`reject`), the oldest goes (`drop-oldest`) or moves to the dead-letter queue
        /// (`dead-letter`). Where no pattern says otherwise: `block`.
        overflow: Option<Overflow> => r#""reject""#;
        /// Whether messages of a higher priority overtake others. Where no pattern says otherwise: no.
        priority: Option<bool> => "true";
        /// What the groups of messages mean (JMSXGroupID): one consumer gets a group until it is gone
        /// (`sticky`), nothing of a group is delivered while one of it is unsettled (`strict`), or
        /// nothing (`none`). Where no pattern says otherwise: `sticky`.
        groups: Option<Groups> => r#""strict""#;
        /// For how long the identity of a message is remembered, 1s to 7d: another that comes with it
        /// meanwhile is dropped. Where no pattern says otherwise: not at all.
        dedup: Option<Span> => r#""5m""#;
        /// The header that holds the identity. Where no pattern says otherwise: _AMQ_DUPL_ID.
        dedup_by: Option<String> => r#""order-id""#;
        /// Whether one consumer at a time gets everything, the next once it is gone. Where no pattern
        /// says otherwise: no.
        single_active: Option<bool> => "true";
        /// The header by which a message replaces those of the same value that still wait. Where no
        /// pattern says otherwise: none, and nothing is replaced.
        last_value: Option<String> => r#""symbol""#;
        /// Whether the queue takes messages and delivers none. Where no pattern says otherwise: no.
        paused: Option<bool> => "true";
        /// For topics: how many of the last messages are kept for subscriptions that ask for them,
        /// 1 to 100000. Left out: none, or with history_age the last 100000.
        history: Option<u64> => "10";
        /// For topics: how old messages may be that are kept for subscriptions that ask for them, 1s to
        /// 30d. Left out: any age.
        history_age: Option<Span> => r#""10m""#;
    }
}

section! {
    /// Passes on what is sent to the destinations of a pattern, in the same step as it is sent.
    List "forward" Forward {
        /// From which destinations: queue://NAME or topic://NAME, where `*` stands for one level and a
        /// final `>` for all that follow.
        from: String => r#""queue://orders.>""#;
        /// To which, 1 to 100: queue://NAME or topic://NAME, without wildcards. Queues are made at the
        /// start.
        to: Names => r#"["queue://audit", "topic://events"]"#;
        /// Which messages, as a selector; text that reads as a number compares with numbers. Left out:
        /// all.
        filter: Option<String> => r#""region = 'eu'""#;
        /// Whether they stay where they were sent as well. `false`: they are only passed on; what the
        /// filter does not choose stays.
        keep: bool = "true" => "false";
    }
}

section! {
    /// Bounds on what clients can make the broker spend.
    Table "limits" Limits {
        /// The largest frame, and so the largest message, that a client may send. 1KiB to 256MiB.
        max_frame: Size = r#""16MiB""# => r#""64MiB""#;
        /// The largest frame that a client may send before it has logged in. 1KiB to 256MiB;
        /// never more than max_frame, whatever is written here.
        max_frame_before_login: Size = r#""64KiB""# => r#""16KiB""#;
        /// How long a new connection may take to log in, TLS included. 100ms to 10m.
        login_timeout: Span = r#""10s""# => r#""5s""#;
        /// How many connections may be open at a time, over all listeners. Further ones are closed at once.
        max_connections: u32 = "100_000" => "500";
        /// How much memory messages may take: a share of the cgroup's limit, or of the machine's memory
        /// where no limit is set, or a size. At least 16MiB.
        memory: Share = r#""50%""# => r#""4GiB""#;
        /// How much of it the messages of one queue may take that are in memory only: a share of memory,
        /// or a size of at least 1MiB. Beyond it the queue is full: see overflow among the keys of addresses.
        destination_memory: Share = r#""25%""# => r#""64MiB""#;
        /// How much of the disk the stored messages of one queue may take: a share of what is free at
        /// the start, with what the store has, without disk_free_min; or a size of at least 1MiB.
        /// Beyond it the queue is full. With a store of the kind memory, destination_memory counts.
        destination_disk: Share = r#""50%""# => r#""10GiB""#;
        /// How much of the disk stays free: persistent messages are held off when less is left.
        disk_free_min: Size = r#""1GiB""# => r#""512MiB""#;
        /// How many messages a transaction may hold.
        max_transaction_messages: u32 = "10_000" => "1_000";
        /// How many bytes of messages a transaction may hold. At least 1KiB.
        max_transaction_bytes: Size = r#""16MiB""# => r#""64MiB""#;
        /// How long a transaction may stay open before it is aborted. 1s to 1d.
        transaction_timeout: Span = r#""10m""# => r#""1h""#;
    }
}

section! {
    /// What MQTT clients are offered, and bounds on each of them.
    Table "mqtt" Mqtt {
        /// How many QoS 1 and 2 messages may be on their way to a client unacknowledged, 1 to 65535. A
        /// client's own Receive Maximum counts where it is lower.
        max_inflight: u32 = "1_000" => "20";
        /// How many QoS 1 and 2 messages a client may have sent that are not yet answered, 1 to 65535.
        /// MQTT 5 clients are told (Receive Maximum), and one that sends more is disconnected.
        receive_maximum: u32 = "1_000" => "100";
        /// How many messages wait for one session, at least 1. Further ones are not kept for it, and
        /// counted. Left out: as many as limits.destination_disk allows.
        max_queued_messages: Option<u64> => "100_000";
        /// How many messages a second a client may publish, at least 1. What comes faster waits. Left out:
        /// any number.
        max_publish_rate: Option<u32> => "1_000";
        /// How many subscriptions a client may have, at least 1.
        max_subscriptions: u32 = "10_000" => "100";
        /// How many levels a topic or filter may have, 1 to 65535.
        max_topic_levels: u32 = "128" => "16";
        /// How long a topic or filter may be, 1B to 65535B.
        max_topic_length: Size = r#""65535B""# => r#""1KiB""#;
        /// How many topic aliases a client may use, and is sent at most, 0 to 65535.
        topic_aliases: u32 = "64" => "16";
        /// The longest keep-alive a client may ask for, 1s to 18h. MQTT 5 clients are told the shorter one,
        /// others are held to it without a word. Left out: whatever the client asks.
        max_keep_alive: Option<Span> => r#""5m""#;
        /// The longest time a session may outlive its connection, at least 1s. MQTT 5 clients are told the
        /// shorter one. Left out: whatever the client asks.
        max_session_expiry: Option<Span> => r#""7d""#;
        /// Whether a payload that says it is UTF-8 is checked. One that is not is refused.
        check_payload_format: bool = "false" => "true";
        /// Where MQTT 5 clients that ask for Response Information are told to expect answers; %c stands for
        /// the client id. Empty: they are told nothing.
        response_topic: String = r#""response/%c""# => r#""""#;
        /// The server that MQTT 5 clients are sent to when this one stops, as they are to write it.
        server_reference: Option<String> => r#""b.example.com:8883""#;
        /// Which member of a shared subscription gets a message: each in turn, as far as it keeps up
        /// (`fair`), or always the same one for a topic as long as it is there (`sticky`).
        shared_choice: SharedChoice = r#""fair""# => r#""sticky""#;
        /// How often the topics below $SYS are published anew, at least 1s. 0s: they don't exist.
        sys_interval: Span = r#""10s""# => r#""1m""#;
    }
}

section! {
    /// The log. It goes to standard error.
    Table "log" Log {
        /// What is logged: error, warn, info, debug or trace, also by part of the program, separated by commas:
        /// "info,wharfmq::net=debug".
        level: String = r#""info""# => r#""debug""#;
        /// `text` for people, `json` for machines: one object a line.
        format: LogFormat = r#""text""# => r#""json""#;
    }
}
