//! `$SYS`, as dashboards and exporters for Mosquitto read it.

use std::collections::BTreeMap;

use crate::support::clients::{mosquitto, publish, run_script, subscribe};
use crate::support::{Broker, PATIENCE, Setup, until};

/// A broker that says every second how it is.
fn broker() -> Broker {
    Setup::new().set("mqtt.sys_interval=1s").start()
}

/// What a client is told within a second, named as mosquitto-exporter names it: without `$SYS/`, and with `_`
/// for what stands between words.
fn scrape(broker: &Broker) -> BTreeMap<String, String> {
    let said = mosquitto("mosquitto_sub", broker.mqtt(), "-t $SYS/# -W 1 -F %r:%q:%t:%p").ended(PATIENCE);
    assert_eq!(said.code, Some(27), "it ends by its timeout: {}", said.err);
    let mut values = BTreeMap::new();
    for line in said.out.lines() {
        let [retain, qos, topic, value] = line.splitn(4, ':').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let name = topic.strip_prefix("$SYS/").unwrap().replace(['/', ' '], "_");
        assert_eq!(qos, "0");
        let known = values.insert(name, value.to_owned()).is_some();
        assert_eq!(retain, if known { "0" } else { "1" }, "{line}");
    }
    values
}

fn number(values: &BTreeMap<String, String>, name: &str) -> f64 {
    let value = values.get(name).unwrap_or_else(|| panic!("no {name} in {values:?}"));
    value.parse().unwrap_or_else(|_| panic!("{name} is {value}"))
}

#[test]
fn an_exporter_finds_its_names_and_numbers() {
    let broker = broker();
    let mut reader = subscribe(broker.mqtt(), "-t plant/# -q 1");
    publish(broker.mqtt(), "-t plant/1 -m 0123456789 -q 1 -r");
    assert_eq!(reader.message(), "0123456789");
    // A kept session that is away, with a message.
    mosquitto("mosquitto_sub", broker.mqtt(), "-t away/# -q 1 -c -i away -E").done();
    publish(broker.mqtt(), "-t away/1 -m x -q 1");
    let mut values = BTreeMap::new();
    until("the next sample", || {
        values = scrape(&broker);
        number(&values, "broker_load_publish_received_1min") > 0.0
            && number(&values, "broker_messages_stored") > 0.0
    });
    for name in ["broker_clients_connected", "broker_clients_active"] {
        assert_eq!(number(&values, name), 2.0, "{name}");
    }
    for name in ["broker_clients_disconnected", "broker_clients_inactive"] {
        assert_eq!(number(&values, name), 1.0, "{name}");
    }
    assert_eq!(number(&values, "broker_clients_total"), 3.0);
    assert!(number(&values, "broker_clients_maximum") >= 3.0);
    assert_eq!(number(&values, "broker_retained_messages_count"), 1.0);
    assert_eq!(number(&values, "broker_store_messages_count"), 1.0);
    assert_eq!(number(&values, "broker_subscriptions_count"), 3.0);
    assert_eq!(number(&values, "broker_publish_messages_received"), 2.0);
    assert_eq!(number(&values, "broker_publish_bytes_received"), 11.0);
    assert!(number(&values, "broker_bytes_received") > 100.0);
    assert!(number(&values, "broker_bytes_sent") > 100.0);
    assert!(number(&values, "broker_messages_received") >= 10.0);
    assert!(number(&values, "broker_messages_sent") >= 10.0);
    assert!(number(&values, "broker_heap_current") > 1e6);
    assert!(number(&values, "broker_heap_maximum") >= number(&values, "broker_heap_current"));
    for load in ["messages", "publish", "bytes"] {
        for way in ["received", "sent"] {
            for span in ["1min", "5min", "15min"] {
                assert!(number(&values, &format!("broker_load_{load}_{way}_{span}")) >= 0.0);
            }
        }
    }
    for load in ["sockets", "connections", "publish_dropped"] {
        assert!(number(&values, &format!("broker_load_{load}_15min")) >= 0.0);
    }
    for name in
        ["clients_expired", "publish_messages_dropped", "shared_subscriptions_count", "store_messages_bytes"]
    {
        assert!(number(&values, &format!("broker_{name}")) >= 0.0);
    }
    assert!(values["broker_uptime"].ends_with(" seconds"));
    assert!(values["broker_version"].starts_with("wharfmq version "));
}

#[test]
fn they_stay_apart_from_the_topics_of_clients() {
    let broker = broker();
    let mut all = subscribe(broker.mqtt(), "-t # -t +/broker/uptime -F %t");
    let mut system = subscribe(broker.mqtt(), "-t $SYS/broker/uptime -F %r:%p");
    assert!(system.message().starts_with("1:"));
    for _ in 0..2 {
        assert!(system.message().starts_with("0:"), "what changes is not marked");
    }
    publish(broker.mqtt(), "-t last -m x");
    assert_eq!(all.message(), "last");
}

#[test]
fn an_interval_of_nothing_turns_them_off() {
    let broker = Setup::new().set("mqtt.sys_interval=0s").start();
    let said = mosquitto("mosquitto_sub", broker.mqtt(), "-t $SYS/# -W 1").ended(PATIENCE);
    assert_eq!((said.code, said.out.as_str()), (Some(27), ""));
}

#[test]
fn paho_reads_them() {
    run_script("paho_client.py", &broker(), &["system_topics"]);
}
