//! MQTT and STOMP over WebSocket, by clients from elsewhere; and a proxy in front.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::clients::run_script;
use crate::support::{Broker, Setup};

fn broker() -> Broker {
    Setup::new().dev_tls().listen("ws://127.0.0.1:0").listen("wss://127.0.0.1:0").start()
}

fn run(case: &str) {
    let broker = broker();
    let port = |scheme| broker.address(scheme).port().to_string();
    let ca = broker.setup().data_dir().join("dev-tls/ca.pem");
    let arguments = [case, &port("ws"), &port("wss"), ca.to_str().unwrap()];
    run_script("websocket_client.py", &broker, &arguments);
}

macro_rules! cases {
    ($($case:ident)+) => {
        $(
            #[test]
            fn $case() {
                run(stringify!($case));
            }
        )+
    };
}

cases! {
    paho
    paho_within_tls
    ten_megabytes
    session_outlives_its_connection
    packets_in_frames
    text_within_mqtt
    ping
    stomp_text
    stomp_py
    browsers_and_strangers
}

const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01p";

fn connack(broker: &Broker, header: &[u8]) -> bool {
    let mut client = TcpStream::connect(broker.address("auto")).unwrap();
    client.write_all(&[header, CONNECT].concat()).unwrap();
    let mut answer = [0; 4];
    client.read_exact(&mut answer).is_ok() && answer == [0x20, 2, 0, 0]
}

#[test]
fn a_proxy_says_who_the_client_is() {
    let setup = Setup::new().listen("auto://127.0.0.1:0?proxy=127.0.0.0/8").set("log.level=debug");
    let broker = setup.start();
    assert!(connack(&broker, b"PROXY TCP6 2001:db8::7 2001:db8::1 50000 1883\r\n"));
    broker.wait_log(&["connection opened", "[2001:db8::7]:50000"]);
    assert!(connack(
        &broker,
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\xc3\x50\x07\x5b"
    ));
    broker.wait_log(&["connection opened", "192.0.2.7:50000"]);
    assert!(!connack(&broker, b""), "without the header nobody gets in");
    broker.wait_log(&["PROXY protocol expected"]);
}
