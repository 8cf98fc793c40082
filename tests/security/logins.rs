//! User names and passwords, by the clients that users have.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Users;
use crate::support::clients::{mosquitto, publish, run_script, subscribe};
use crate::support::mqtt::{V5, V311};
use crate::support::{Mqtt, PATIENCE, Setup, Stomp, until};

/// What `mosquitto_pub` says of a refusal.
#[track_caller]
fn refused(address: SocketAddr, arguments: &str) -> String {
    let ended = mosquitto("mosquitto_pub", address, &format!("{arguments} -t t -m x -q 1")).ended(PATIENCE);
    assert_ne!(ended.code, Some(0), "{arguments}: {}", ended.out);
    ended.err
}

#[test]
fn mosquitto_by_name_and_password() {
    let users = Users::new(&[("ada", "pencil")]);
    let broker = users.broker();
    let address = broker.mqtt();
    for version in ["mqttv31", "mqttv311", "mqttv5"] {
        let mut reader = subscribe(address, &format!("-V {version} -u ada -P pencil -t t -q 1 -C 1"));
        publish(address, &format!("-V {version} -u ada -P pencil -t t -m hello -q 1"));
        assert_eq!(reader.message(), "hello");
        reader.done();
        for wrong in ["-u ada -P eraser", "-u eve -P pencil", "-u ada"] {
            let said = refused(address, &format!("-V {version} {wrong}")).to_lowercase();
            assert!(said.contains("bad user name or password"), "{version} {wrong}: {said}");
        }
        let said = refused(address, &format!("-V {version}")).to_lowercase();
        assert!(said.contains("not authori"), "{version}: {said}");
    }
    let line = broker.wait_log(&["login refused: wrong password", "audit", "\"ada\"", "127.0.0.1"]);
    assert!(!line.contains("eraser"), "{line}");
    broker.wait_log(&["login refused: there is no such user", "\"eve\""]);
    broker.wait_log(&["login refused: neither a user name nor a certificate"]);
    for secret in ["pencil", "eraser"] {
        assert!(!broker.log().contains(secret), "a password in the log: {}", broker.log());
    }
}

#[test]
fn scripts_by_name_and_password() {
    let users = Users::new(&[("ada", "Grüße: 7\\n")]);
    let broker = users.broker();
    for case in ["stomp", "mqtt_311", "mqtt_5"] {
        run_script("logins.py", &broker, &[case]);
    }
}

#[test]
fn where_anonymous_clients_may_stay_passwords_are_checked_all_the_same() {
    let users = Users::new(&[("ada", "pencil")]);
    let broker = users.setup().start();
    publish(broker.mqtt(), "-t t -m x -q 1");
    publish(broker.mqtt(), "-u ada -P pencil -t t -m x -q 1");
    refused(broker.mqtt(), "-u ada -P eraser");
    let headers = [("accept-version", "1.2"), ("host", "x"), ("login", "ada"), ("passcode", "eraser")];
    let mut client = Stomp::open(broker.stomp());
    client.frame("CONNECT", &headers, b"");
    assert_eq!(client.expect("ERROR").header("message"), "login or passcode is wrong");
    client.closed();
}

#[test]
fn a_listener_for_everybody_needs_users_or_a_word() {
    let everywhere = || Setup::new().memory().listen("mqtt://0.0.0.0:0");
    let (code, said) = everywhere().refuses_to_start();
    assert_eq!(code, Some(2));
    assert!(said.contains("users_file"), "{said}");
    let users = Users::new(&[("ada", "pencil")]);
    let broker = users.setup().listen("mqtt://0.0.0.0:0").start();
    // The first listener is on the loopback address, and there nobody has to say who they are.
    publish(broker.mqtt(), "-t t -m x");
    let line = broker.wait_log(&["ready in"]);
    let port = line.split("mqtt://0.0.0.0:").nth(1).unwrap();
    let port: u16 = port.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap();
    let open = SocketAddr::from(([127, 0, 0, 1], port));
    assert!(refused(open, "-V mqttv311").contains("not authori"));
    publish(open, "-u ada -P pencil -t t -m x");
}

#[test]
fn a_hang_up_reads_the_users_again() {
    let users = Users::new(&[("ada", "pencil")]);
    let broker = users.broker();
    let mut stays = subscribe(broker.mqtt(), "-u ada -P pencil -t t -q 1 -C 1");
    users.change(&["passwd", "ada"], "eraser");
    users.change(&["add", "bob"], "chisel");
    broker.hang_up();
    broker.wait_log(&["users read from", "users=2"]);
    refused(broker.mqtt(), "-u ada -P pencil");
    publish(broker.mqtt(), "-u ada -P eraser -t t -m x -q 1");
    assert_eq!(stays.message(), "x", "who is in stays in");
    stays.done();
    // A broken file changes nothing, and neither does one that is gone.
    let good = fs::read(users.path()).unwrap();
    fs::write(users.path(), "[user.ada]\npasword = 1\n").unwrap();
    broker.hang_up();
    broker.wait_log(&["the users stay as they were", "users.toml:2:1: unknown key `pasword`"]);
    publish(broker.mqtt(), "-u bob -P chisel -t t -m x -q 1");
    fs::write(users.path(), good).unwrap();
    fs::set_permissions(users.path(), fs::Permissions::from_mode(0o644)).unwrap();
    users.change(&["remove", "bob"], "");
    fs::set_permissions(users.path(), fs::Permissions::from_mode(0o644)).unwrap();
    broker.hang_up();
    broker.wait_log(&["others than its owner", "chmod 600"]);
    broker.wait_log(&["users read from", "users=1"]);
    refused(broker.mqtt(), "-u bob -P chisel");
}

#[test]
fn a_users_file_that_is_wrong_keeps_the_broker_from_starting() {
    let users = Users::new(&[]);
    fs::write(users.path(), "[user.ada]\npassword = \"pencil\"\n").unwrap();
    let (code, said) = users.setup().refuses_to_start();
    assert_eq!(code, Some(2));
    assert!(said.contains("users.toml:2:12: `password`: not a SCRAM-SHA-256 verifier"), "{said}");
    assert!(!said.contains("pencil"), "{said}");
}

/// Wrong logins at one time.
const WRONG: usize = 100;

#[test]
fn logins_that_cost_much_delay_nobody() {
    let users = Users::new(&[("ada", "pencil")]);
    users.change(&["add", "dear", "--iterations", "100000"], "pencil");
    let broker = users.setup().set("limits.login_timeout=60s").start();
    let address = broker.mqtt();
    let mut healthy = Mqtt::connect(address, V5, "healthy");
    healthy.subscribe("beat", 0);
    let refused = Arc::new(AtomicUsize::new(0));
    let attackers: Vec<_> = (0..WRONG)
        .map(|n| {
            let refused = Arc::clone(&refused);
            thread::spawn(move || {
                let mut client = Mqtt::open(address, V311);
                client.write(&connect_packet(&format!("wrong-{n}"), "dear", "eraser"));
                let answer = client.next_within(Duration::from_secs(60)).unwrap();
                assert_eq!((answer.kind, &answer.body[..]), (2, &[0, 4][..]));
                refused.fetch_add(1, Ordering::Relaxed);
            })
        })
        .collect();
    let mut took = Vec::new();
    until("all are refused", || {
        for _ in 0..20 {
            let start = Instant::now();
            healthy.send("beat", b"x", 0, false);
            healthy.receive();
            took.push(start.elapsed());
        }
        refused.load(Ordering::Relaxed) == WRONG
    });
    attackers.into_iter().for_each(|attacker| attacker.join().unwrap());
    took.sort();
    let p99 = took[took.len() * 99 / 100];
    assert!(p99 < Duration::from_millis(300), "p99 {p99:?} of {} round trips", took.len());
}

/// A CONNECT of MQTT 3.1.1 with user name and password.
fn connect_packet(id: &str, user: &str, password: &str) -> Vec<u8> {
    let mut body = crate::support::mqtt::string("MQTT");
    body.extend([4, 0xC2, 0, 60]);
    [id, user, password].iter().for_each(|text| body.extend(crate::support::mqtt::string(text)));
    crate::support::mqtt::packet(0x10, &body)
}
