//! What can be typed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use wharfmq_base::parse_duration;

use crate::config::{Flags, Sources};
use crate::security::{ITERATIONS, ITERATIONS_DEFAULT};

const EXAMPLES: &str = "\
Examples:
  wharfmq                                       serve on 127.0.0.1, messages in ./wharfmq-data
  wharfmq --memory --listen mqtt://127.0.0.1:0  try it out: nothing stored, any free port
  wharfmq --config /etc/wharfmq.toml            serve as the file says
  wharfmq config check /etc/wharfmq.toml        is the file right?
  wharfmq config explain limits.max_frame       what is this key?
  wharfmq user add ada --users-file users.toml  let somebody in by name and password
  wharfmq receive 'topic://plant.>'             print what arrives
  wharfmq send topic://plant.line1.temp 21.5    send one message

Every configuration key can be given in the file, as WHARFMQ__SECTION__KEY in the environment, or
with --set section.key=value; the later beats the earlier.

Exit codes: 0 clean stop, 1 failure at run time, 2 wrong usage or configuration.";

/// One message broker for MQTT, STOMP and OpenWire (JMS), over one routing core.
#[derive(Debug, Parser)]
#[command(name = "wharfmq", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) serve: ServeOptions,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the broker (the default)
    Serve(ServeOptions),
    /// Check, explain and show the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Add, change, remove and list the users of the users file
    #[command(after_help = USER_EXAMPLES)]
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Send messages: one from the command line, or each line of standard input
    #[command(after_help = SEND_EXAMPLES)]
    Send(SendOptions),
    /// Print messages as they arrive
    #[command(after_help = RECEIVE_EXAMPLES)]
    Receive(ReceiveOptions),
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Name every error of a configuration file, with line, column and the nearest known key
    Check {
        /// The file
        file: PathBuf,
    },
    /// Say what a key does, its type, default and an example; without a key, list all
    Explain {
        /// Such as limits.max_frame, max_frame or limits
        key: Option<String>,
    },
    /// Print the effective configuration, each key with where its value comes from
    Show(ServeOptions),
}

const USER_EXAMPLES: &str = "\
Examples:
  wharfmq user add ada --users-file users.toml    asks for a password, twice
  wharfmq user passwd ada --config wharfmq.toml   the file that security.users_file names
  wharfmq user add ada --users-file users.toml < password.txt

A password is read from the terminal without being shown, or as one line of standard input; it is never
an argument. A running broker reads the file at the start and on SIGHUP.";

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a user; the file is made where it is missing
    Add {
        /// The user's name
        name: String,
        /// Rounds of hashing: more make guessing dearer, and each login
        #[arg(long, value_name = "N", default_value_t = ITERATIONS_DEFAULT, value_parser = iterations())]
        iterations: u32,
        #[command(flatten)]
        options: UserOptions,
    },
    /// Give a user another password
    Passwd {
        /// The user's name
        name: String,
        /// Rounds of hashing: more make guessing dearer, and each login
        #[arg(long, value_name = "N", default_value_t = ITERATIONS_DEFAULT, value_parser = iterations())]
        iterations: u32,
        #[command(flatten)]
        options: UserOptions,
    },
    /// Remove a user
    Remove {
        /// The user's name
        name: String,
        #[command(flatten)]
        options: UserOptions,
    },
    /// Print the names, one a line
    List {
        #[command(flatten)]
        options: UserOptions,
    },
}

#[derive(Debug, Args)]
pub(super) struct UserOptions {
    /// The users file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["config", "set"])]
    pub(super) users_file: Option<PathBuf>,
    /// Take the users file of this configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set any configuration key, such as security.users_file=users.toml
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl UserOptions {
    /// Where the configuration is to be read from, in the environment of `env`.
    pub(super) fn sources(self, env: impl Iterator<Item = (OsString, OsString)>) -> Sources {
        Sources { file: self.config, env: env.collect(), set: self.set, flags: Flags::default() }
    }
}

fn iterations() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(i64::from(*ITERATIONS.start())..=i64::from(*ITERATIONS.end()))
}

#[derive(Clone, Debug, Default, Args)]
pub(super) struct ServeOptions {
    /// Read this configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep everything in this folder
    #[arg(long, value_name = "DIR", conflicts_with = "memory")]
    data_dir: Option<PathBuf>,
    /// Keep messages in memory only: they are gone when the broker stops
    #[arg(long)]
    memory: bool,
    /// Make certificates for localhost and open the TLS twins of the default listeners, to try TLS out
    #[arg(long)]
    dev_tls: bool,
    /// Listen here, and only on the places given: scheme://host:port, such as mqtt://127.0.0.1:1883
    #[arg(long, value_name = "URL")]
    listen: Vec<String>,
    /// Set any configuration key, such as limits.max_frame=64MiB
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Log error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
    /// Log as text for people or json for machines
    #[arg(long, value_name = "text|json")]
    log_format: Option<String>,
}

impl ServeOptions {
    /// Where the configuration is to be read from, in the environment of `env`.
    pub(super) fn sources(self, env: impl Iterator<Item = (OsString, OsString)>) -> Sources {
        Sources {
            file: self.config,
            env: env.collect(),
            set: self.set,
            flags: Flags {
                data_dir: self.data_dir,
                memory: self.memory,
                dev_tls: self.dev_tls,
                listen: self.listen,
                log: self.log,
                log_format: self.log_format,
            },
        }
    }
}

const SEND_EXAMPLES: &str = "\
Examples:
  wharfmq send topic://plant.line1.temp 21.5
  wharfmq send queue://orders '{\"id\": 1}' --url stomp://127.0.0.1:61613
  seq 1000 | wharfmq send queue://numbers

Ends with 0 once the broker has confirmed every message.";

const RECEIVE_EXAMPLES: &str = "\
Examples:
  wharfmq receive 'topic://plant.>'                   until interrupted
  wharfmq receive queue://orders --count 1 --timeout 5s
  wharfmq receive 'topic://plant.*.temp' --json

A message is acknowledged once it is printed.";

#[derive(Debug, Args)]
pub(super) struct ClientOptions {
    /// queue://NAME or topic://NAME, levels split by dots
    pub(super) destination: String,
    /// The broker: mqtt://HOST:PORT or stomp://HOST:PORT
    /// [default: mqtt://127.0.0.1:1883 for topics, stomp://127.0.0.1:61613 for queues]
    #[arg(long)]
    pub(super) url: Option<String>,
    /// 0: unconfirmed, 1: confirmed, may come twice, 2: exactly once (MQTT only)
    #[arg(long, value_name = "0|1|2", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(super) qos: u8,
}

#[derive(Debug, Args)]
pub(super) struct SendOptions {
    #[command(flatten)]
    pub(super) client: ClientOptions,
    /// The message; without it, each line of standard input is one
    pub(super) body: Option<String>,
    /// Let the broker keep the message for later subscribers of the topic (MQTT only)
    #[arg(long)]
    pub(super) retain: bool,
    /// Give up when the broker doesn't answer for so long
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(super) timeout: Duration,
}

#[derive(Debug, Args)]
pub(super) struct ReceiveOptions {
    #[command(flatten)]
    pub(super) client: ClientOptions,
    /// Stop after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,
    /// Stop after so long; a failure if --count messages have not come by then
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
    /// Print one JSON object a message
    #[arg(long)]
    pub(super) json: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map(|span| Duration::from_millis(span.0)).map_err(|error| error.to_string())
}
