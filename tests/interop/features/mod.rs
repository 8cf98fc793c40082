//! What clients do with MQTT, one row a feature, and which client does which of them here.
//!
//! A client that cannot do one says why; what is in neither list, or in both, fails a test. The table in
//! `docs/mqtt.md` is made of these lists.

mod mosquitto;
mod rumqttc;
mod scripts;

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Broker, Setup};

/// Name of the feature and what it is.
const FEATURES: &[(&str, &str)] = &[
    ("version_3_1", "MQTT 3.1"),
    ("version_3_1_1", "MQTT 3.1.1"),
    ("version_5", "MQTT 5.0"),
    ("qos_0", "QoS 0"),
    ("qos_1", "QoS 1"),
    ("qos_2", "QoS 2"),
    ("wildcards", "wildcards"),
    ("unsubscribe", "unsubscribe"),
    ("retained", "retained: set, replaced, cleared"),
    ("retain_handling", "Retain Handling"),
    ("retain_as_published", "Retain As Published"),
    ("no_local", "No Local"),
    ("will", "will"),
    ("will_with_delay", "will with a delay"),
    ("disconnect", "clean and abrupt disconnect"),
    ("persistent_session", "persistent session, offline messages"),
    ("session_expiry", "Session Expiry Interval"),
    ("take_over", "take-over of a client id"),
    ("assigned_client_id", "Assigned Client Identifier"),
    ("keep_alive", "keep-alive"),
    ("shared_subscription", "shared subscription"),
    ("subscription_identifiers", "Subscription Identifier"),
    ("request_and_response", "request and response"),
    ("user_properties", "User Property"),
    ("content_type", "Content Type"),
    ("payload_format", "Payload Format Indicator"),
    ("message_expiry", "Message Expiry Interval"),
    ("topic_alias_to_broker", "Topic Alias to the broker"),
    ("topic_alias_to_client", "Topic Alias to the client"),
    ("receive_maximum", "Receive Maximum 1"),
    ("maximum_packet_size", "Maximum Packet Size"),
    ("megabyte", "payload of 1 MiB"),
    ("ten_megabytes", "payload of 10 MiB"),
    ("empty_payload", "empty payload"),
    ("utf8_topics", "topics in all of UTF-8"),
    ("no_subscribers", "reason 0x10, no matching subscribers"),
    ("refused_subscription", "reasons 0x87 and 0x8F of SUBACK"),
    ("queue", "queues, `$queue/NAME`"),
    ("password", "user name and password"),
    ("scram", "SCRAM-SHA-256, anew while connected"),
    ("tls", "TLS"),
    ("tls_client_certificate", "TLS with a client certificate"),
    ("websocket", "WebSocket"),
    ("websocket_tls", "WebSocket within TLS"),
];

/// A client and what it does of that.
struct Column {
    name: &'static str,
    runs: Vec<&'static str>,
    /// What it cannot do, and why.
    cannot: &'static [(&'static str, &'static str)],
}

/// Tests of these names out of the functions of the same name, and the list of the names.
macro_rules! rows {
    ($($feature:ident)+) => {
        /// The features that are tested.
        pub(in crate::interop::features) const RUNS: &[&str] = &[$(stringify!($feature)),+];

        mod feature {
            $(
                #[test]
                fn $feature() {
                    super::$feature();
                }
            )+
        }
    };
}
use rows;

fn columns() -> Vec<Column> {
    let column = |name, runs: &[&'static str], cannot| Column { name, runs: runs.to_vec(), cannot };
    vec![
        column("mosquitto", mosquitto::RUNS, mosquitto::CANNOT),
        column("paho", &all_but(scripts::PAHO_CANNOT), scripts::PAHO_CANNOT),
        column("MQTT.js", &all_but(scripts::MQTT_JS_CANNOT), scripts::MQTT_JS_CANNOT),
        column("rumqttc, v4", rumqttc::v4::RUNS, rumqttc::v4::CANNOT),
        column("rumqttc, v5", rumqttc::v5::RUNS, rumqttc::v5::CANNOT),
    ]
}

/// What a script is to do.
fn all_but(cannot: &[(&str, &str)]) -> Vec<&'static str> {
    let names = FEATURES.iter().map(|(feature, _)| *feature);
    names.filter(|feature| cannot.iter().all(|(not, _)| not != feature)).collect()
}

#[test]
fn every_client_has_an_answer_to_every_feature() {
    for column in columns() {
        let mut said: Vec<&str> = column.runs.clone();
        said.extend(column.cannot.iter().map(|(feature, _)| *feature));
        let mut features: Vec<&str> = FEATURES.iter().map(|(feature, _)| *feature).collect();
        said.sort_unstable();
        features.sort_unstable();
        assert_eq!(said, features, "{}", column.name);
    }
}

#[test]
fn the_documents_have_the_matrix() {
    let docs = fs::read_to_string(root().join("docs/mqtt.md")).unwrap();
    let table = table();
    assert!(docs.contains(&table), "docs/mqtt.md is to hold this:\n{table}");
}

fn table() -> String {
    let columns = columns();
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let mut table = format!("| | {} |\n|{}\n", names.join(" | "), " --- |".repeat(names.len() + 1));
    for (feature, what) in FEATURES {
        let cells: Vec<&str> =
            columns.iter().map(|column| if column.runs.contains(feature) { "yes" } else { "–" }).collect();
        table += &format!("| {what} | {} |\n", cells.join(" | "));
    }
    table
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the certificates for development.
fn certificate(file: &str) -> PathBuf {
    root().join("certs-dev").join(file)
}

/// Who may log in, and with what. Others come in without a name.
const USER: (&str, &str) = ("ada", "pencil");

const USERS: &str = concat!(
    "[user.ada]\npassword = \"SCRAM-SHA-256$4096:aAMll/ogANDGOvlHE+u/+w==$+md5lmLruVfs2S61",
    "EQmqNQEeyN7K9YinUh4ZPY/Qig8=:Noa1OHi2o5S8qbqneP6C3DRAqf/C2UBMpAt6Su3qQO4=\"\n",
);

/// A broker with all ways in. `auto` takes none but TLS clients that show a certificate.
fn broker() -> Broker {
    let profile = |name: &str, more: &str| {
        let (chain, key) = (certificate("server.pem"), certificate("server.key"));
        format!("[tls.{name}]\ncertificate = {chain:?}\nkey = {key:?}\n{more}\n")
    };
    let strict = format!("client_ca = {:?}\nclient_auth = \"required\"", certificate("ca.pem"));
    let setup = Setup::new();
    let users = setup.data_dir().with_file_name("users.toml");
    fs::write(&users, USERS).unwrap();
    let users = format!("[security]\nusers_file = {users:?}\n");
    setup
        .config(&(users + &profile("default", "") + &profile("devices", &strict)))
        .listen("mqtts://127.0.0.1:0")
        .listen("auto://127.0.0.1:0?tls=devices")
        .listen("ws://127.0.0.1:0")
        .listen("wss://127.0.0.1:0")
        .start()
}

/// What large messages are filled with: text of one line, which every client can print.
fn filling(size: usize) -> String {
    "0123456789abcdefghijklmnopqrstuvwxyz+".chars().cycle().take(size).collect()
}
