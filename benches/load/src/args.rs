//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::stomp::Ack;

/// Load for message brokers, and what came of it.
#[derive(Debug, Parser)]
#[command(name = "wharfmq-load", version)]
pub(crate) struct Args {
    /// Print one JSON object instead of a line for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) mode: Mode,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Mode {
    /// Publishers and subscribers over MQTT
    MqttPubsub(MqttPubsub),
    /// Producers with receipts and consumers on one STOMP queue
    StompQueue(StompQueue),
    /// Fill a STOMP queue with persistent messages, each with a receipt
    StompFill(StompFill),
    /// Drain what stomp-fill left, and check that nothing is missing
    StompDrain(StompDrain),
    /// STOMP messages that are to be sent later, and how late they are
    StompLater(StompLater),
    /// Memory a broker takes for idle MQTT connections with one subscription each
    MqttIdle(MqttIdle),
    /// Forward bytes from publishers to all subscribers without looking at them
    Relay(Relay),
    /// Time of one write with fdatasync into a file already written
    Fsync(Fsync),
}

/// Which broker, and which processes are its.
#[derive(Debug, clap::Args)]
pub(crate) struct Broker {
    /// Address of the listener
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) connect: SocketAddr,
    #[arg(long, requires = "password")]
    pub(crate) user: Option<String>,
    #[arg(long, requires = "user")]
    pub(crate) password: Option<String>,
    /// Speak TLS 1.3, and trust the authority of this certificate
    #[arg(long, value_name = "PEM")]
    pub(crate) tls: Option<PathBuf>,
    /// Processes whose CPU time and memory are counted
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub(crate) broker_pid: Vec<u32>,
    /// Count their descendants too
    #[arg(long)]
    pub(crate) children: bool,
}

impl Broker {
    pub(crate) fn login(&self) -> Option<(&str, &str)> {
        Some((self.user.as_deref()?, self.password.as_deref()?))
    }
}

/// How much, how fast and how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Pace {
    /// Bytes of a payload, at least 24
    #[arg(long, default_value_t = 64)]
    pub(crate) size: usize,
    /// Length of the measured window
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
    /// Messages to measure in all, instead of a time
    #[arg(long)]
    pub(crate) count: Option<u64>,
    /// Seconds of the same load before the measured window
    #[arg(long, default_value_t = 1.0)]
    pub(crate) warmup: f64,
    /// Messages a producer may have unacknowledged, at most 32,767
    #[arg(long, default_value_t = 100)]
    pub(crate) window: u32,
    /// Messages a second in all, sent by the clock however slow the broker is; as fast as it takes them otherwise
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// How many messages a producer may be ahead of its receivers
    #[arg(long)]
    pub(crate) ahead: Option<u64>,
    /// Seconds without any progress after which the rest is given up as lost
    #[arg(long, default_value_t = 5.0)]
    pub(crate) patience: f64,
}

/// Who publishes to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Topics {
    /// Pairs, each on a topic of its own
    OneToOne,
    /// One publisher, all subscribers
    FanOut,
    /// All publishers, one subscriber
    FanIn,
    /// All publishers, the members of one shared subscription
    Shared,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MqttPubsub {
    #[command(flatten)]
    pub(crate) broker: Broker,
    #[command(flatten)]
    pub(crate) pace: Pace,
    #[arg(long, value_enum, default_value_t = Topics::OneToOne)]
    pub(crate) topics: Topics,
    /// Pairs, subscribers of the fan-out, or publishers of the fan-in and of the shared subscription
    #[arg(long, default_value_t = 1)]
    pub(crate) clients: usize,
    /// Members of the shared subscription
    #[arg(long, default_value_t = 1)]
    pub(crate) members: usize,
    /// Topics that each publisher uses in turn, at most 10,000; its subscriber has a wildcard for them
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) spread: Option<u32>,
    /// Subscriptions of other clients, exact and with wildcards, that match nothing of the load
    #[arg(long, default_value_t = 0)]
    pub(crate) others: usize,
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(crate) qos: u8,
    /// Speak MQTT 5.0 instead of 3.1.1
    #[arg(long)]
    pub(crate) v5: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StompQueue {
    #[command(flatten)]
    pub(crate) broker: Broker,
    #[command(flatten)]
    pub(crate) pace: Pace,
    #[arg(long, default_value_t = 1)]
    pub(crate) producers: usize,
    #[arg(long, default_value_t = 1)]
    pub(crate) consumers: usize,
    #[arg(long, value_enum, default_value_t)]
    pub(crate) ack: Ack,
    /// Messages a consumer may have unacknowledged
    #[arg(long, default_value_t = 1000)]
    pub(crate) prefetch: u32,
    /// A queue of this run's own if not given
    #[arg(long)]
    pub(crate) destination: Option<String>,
    /// Send persistent:false
    #[arg(long)]
    pub(crate) non_persistent: bool,
    /// Give each consumer a selector of its own, for the messages of one producer; as many of both
    #[arg(long)]
    pub(crate) selectors: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StompFill {
    #[command(flatten)]
    pub(crate) broker: Broker,
    #[arg(long)]
    pub(crate) destination: String,
    /// Messages in all; a multiple of the producers
    #[arg(long)]
    pub(crate) count: u64,
    #[arg(long, default_value_t = 4)]
    pub(crate) producers: usize,
    #[arg(long, default_value_t = 1024)]
    pub(crate) size: usize,
    #[arg(long, default_value_t = 1000)]
    pub(crate) window: u32,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StompDrain {
    #[command(flatten)]
    pub(crate) broker: Broker,
    #[arg(long)]
    pub(crate) destination: String,
    /// As given to stomp-fill
    #[arg(long)]
    pub(crate) count: u64,
    /// As given to stomp-fill
    #[arg(long, default_value_t = 4)]
    pub(crate) producers: usize,
    /// As given to stomp-fill
    #[arg(long, default_value_t = 1024)]
    pub(crate) size: usize,
    #[arg(long, default_value_t = 1)]
    pub(crate) consumers: usize,
    #[arg(long, value_enum, default_value_t)]
    pub(crate) ack: Ack,
    #[arg(long, default_value_t = 1000)]
    pub(crate) prefetch: u32,
    #[arg(long, default_value_t = 10.0)]
    pub(crate) patience: f64,
}

/// Half of a run, for a restart of the broker in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    All,
    /// Send only
    Fill,
    /// Receive only, with the same count
    Drain,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StompLater {
    #[command(flatten)]
    pub(crate) broker: Broker,
    #[arg(long, default_value = "/queue/later")]
    pub(crate) destination: String,
    /// Messages
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) count: u64,
    /// Seconds until the first is due: enough to send them all
    #[arg(long, default_value_t = 60.0)]
    pub(crate) lead: f64,
    /// Seconds from the first to the last
    #[arg(long, default_value_t = 60.0)]
    pub(crate) spread: f64,
    /// Bytes of a body, and a few more
    #[arg(long, default_value_t = 100)]
    pub(crate) size: usize,
    /// Have the scheduler send them, instead of the queue wait
    #[arg(long)]
    pub(crate) jobs: bool,
    #[arg(long, value_enum, default_value_t = Part::All)]
    pub(crate) part: Part,
    /// Seconds without any message, once the first has come, after which the rest counts as lost
    #[arg(long, default_value_t = 30.0)]
    pub(crate) patience: f64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MqttIdle {
    #[command(flatten)]
    pub(crate) broker: Broker,
    #[arg(long, default_value_t = 5000)]
    pub(crate) count: usize,
    /// Speak MQTT 5.0 instead of 3.1.1
    #[arg(long)]
    pub(crate) v5: bool,
    /// Seconds that the broker gets to give memory back before it is measured
    #[arg(long, default_value_t = 3.0)]
    pub(crate) settle: f64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Relay {
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:1883")]
    pub(crate) listen: SocketAddr,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Fsync {
    /// Directory on the disk to measure
    pub(crate) dir: PathBuf,
    #[arg(long, default_value_t = 500)]
    pub(crate) count: usize,
    /// Bytes of one write
    #[arg(long, default_value_t = 8192)]
    pub(crate) size: usize,
}
