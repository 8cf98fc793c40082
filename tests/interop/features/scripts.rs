//! paho-mqtt and MQTT.js: a script each goes through the features and says of each how it went.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use super::{USER, all_but, broker, certificate, root};
use crate::support::Broker;
use crate::support::clients::run;

/// What paho-mqtt cannot do.
pub(super) const PAHO_CANNOT: &[(&str, &str)] = &[("scram", "paho-mqtt has no AUTH")];

/// MQTT.js does everything, over TCP and over WebSocket.
pub(super) const MQTT_JS_CANNOT: &[(&str, &str)] = &[];

#[test]
fn paho() {
    let broker = broker();
    let mut command = Command::new(root().join("target/test-venv/bin/python"));
    command.arg("-u").arg(root().join("tests/interop/paho_features.py"));
    all_pass(command.arg(settings(&broker, "tcp")), &all_but(PAHO_CANNOT));
}

#[test]
fn mqtt_js_over_tcp() {
    mqtt_js("tcp");
}

#[test]
fn mqtt_js_over_websocket() {
    mqtt_js("ws");
}

fn mqtt_js(transport: &str) {
    let broker = broker();
    let mut command = Command::new("node");
    command.arg(root().join("tests/interop/mqttjs_client.mjs"));
    all_pass(command.arg(settings(&broker, transport)), &all_but(MQTT_JS_CANNOT));
}

/// What a script has to know, as JSON.
fn settings(broker: &Broker, transport: &str) -> String {
    let port = |scheme| broker.address(scheme).port();
    let file = |name| certificate(name).to_str().unwrap().to_owned();
    serde_json::json!({
        "packages": root().join("target/test-node").to_str().unwrap(),
        "transport": transport,
        "ports": {
            "mqtt": port("mqtt"),
            "mqtts": port("mqtts"),
            "strict": port("auto"),
            "ws": port("ws"),
            "wss": port("wss"),
        },
        "user": USER.0,
        "password": USER.1,
        "ca": file("ca.pem"),
        "cert": file("client.pem"),
        "key": file("client.key"),
        "stranger": file("client2.pem"),
    })
    .to_string()
}

/// Runs a script and asserts that it says of every feature that it passed; one left out has not.
#[track_caller]
fn all_pass(command: &mut Command, features: &[&str]) {
    let ended = run(command.args(features)).ended(Duration::from_secs(55));
    let said: BTreeMap<String, serde_json::Value> = ended
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .map(|value: serde_json::Value| (value["feature"].as_str().unwrap_or_default().to_owned(), value))
        .collect();
    let mut wrong = String::new();
    for feature in features {
        match said.get(*feature) {
            Some(value) if value["ok"] == true => {}
            Some(value) => wrong += &format!("{feature}: {}\n", value["error"].as_str().unwrap_or("?")),
            None => wrong += &format!("{feature}: nothing was said\n"),
        }
    }
    assert!(wrong.is_empty(), "{wrong}{}", ended.err);
    assert_eq!((said.len(), ended.code), (features.len(), Some(0)), "{}", ended.err);
}
