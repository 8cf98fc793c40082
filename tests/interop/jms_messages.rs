//! Messages of all types between JMS clients, stomp.py and mosquitto's programs.

use std::time::Duration;

use super::jms::{program, start};
use crate::support::clients::{publish, run_script, subscribe};

const TEXT: &str = "h\u{e9}llo \u{20ac} \u{1f600}";
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn from_jms_to_stomp_py() {
    let broker = start();
    for options in ["-", "jms.useCompression=true", "wireFormat.tightEncodingEnabled=false"] {
        let sent = program("Messages", &broker, &["send", options, "queue://to.stomp"]).ended(PATIENCE);
        assert_eq!(sent.code, Some(0), "{options}: {}{}", sent.out, sent.err);
        run_script("jms_messages.py", &broker, &["read"]);
    }
}

#[test]
fn from_jms_to_mosquitto() {
    let broker = start();
    for version in ["mqttv311", "mqttv5"] {
        let mut reader = subscribe(broker.mqtt(), &format!("-V {version} -t to/mqtt -q 1 -C 6 -F %x"));
        let sent = program("Messages", &broker, &["send", "-", "topic://to.mqtt"]).ended(PATIENCE);
        assert_eq!(sent.code, Some(0), "{}{}", sent.out, sent.err);
        assert_eq!(reader.message(), hex(TEXT.as_bytes()), "{version}");
        assert_eq!(reader.message(), "");
        assert_eq!(reader.message(), "0001ff");
        let map = reader.message();
        assert!(map.contains(&hex(b"\"byte\":-7")) && map.starts_with("7b"), "{map}");
        assert_eq!(reader.message(), hex(format!("[7,\"{TEXT}\",\"CP8=\"]").as_bytes()));
        assert!(reader.message().starts_with("aced0005"));
        reader.done();
    }
}

#[test]
fn from_stomp_py_to_jms() {
    let broker = start();
    run_script("jms_messages.py", &broker, &["write"]);
    let mut jms = program("Messages", &broker, &["receive", "queue://to.jms", "6"]);
    let headers = "type=greeting | correlation=c:1 | reply=queue://re.ply | colour=red";
    let none = "type=null | correlation=null | reply=null | colour=null";
    assert_eq!(jms.line(), "ready");
    for expected in [
        format!("text {TEXT} | {headers}"),
        format!("text  | {headers}"),
        format!("bytes 616263 | {none}"),
        format!(
            "map {{a=Integer 1, b=Long 1099511627776, c=Double 1.5, d=Boolean true, e=String héllo €}} | {none}"
        ),
        format!("map {{a=String x, b=Short 5, c=Bytes 2}} | {none}"),
        format!("stream [Integer 1, String x, null] | {none}"),
    ] {
        assert_eq!(jms.line(), expected);
    }
    jms.done();
}

#[test]
fn from_mosquitto_to_jms() {
    let broker = start();
    let to = "-t $queue/to/jms -q 1";
    publish(broker.mqtt(), &format!("{to} -m {}", TEXT.replace(' ', "_")));
    let properties = "-D PUBLISH user-property colour red -D PUBLISH correlation-data c:1 \
        -D PUBLISH response-topic $queue/re/ply -D PUBLISH user-property type greeting";
    publish(broker.mqtt(), &format!("{to} -V mqttv5 -m plain {properties}"));
    publish(broker.mqtt(), &format!("{to} -n"));
    publish(broker.mqtt(), &format!("{to} -m \u{7f}"));
    let mut jms = program("Messages", &broker, &["receive", "queue://to.jms", "4"]);
    let none = "type=null | correlation=null | reply=null | colour=null";
    assert_eq!(jms.line(), "ready");
    assert_eq!(jms.line(), format!("text {TEXT} | {none}"));
    assert_eq!(
        jms.line(),
        "text plain | type=greeting | correlation=c:1 | reply=queue://re.ply | colour=red"
    );
    assert_eq!(jms.line(), format!("text  | {none}"));
    assert_eq!(jms.line(), format!("bytes 7f | {none}"));
    jms.done();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
