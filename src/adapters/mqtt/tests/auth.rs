//! User names, passwords, and SCRAM by AUTH.

use std::sync::atomic::{AtomicU32, Ordering};

use wharfmq_mqtt::{Auth, Connect, PropertyId, PropertyWriter, Value};

use super::kit::goodbye;
use super::*;
use crate::broker::Peer;
use crate::security::scram::MECHANISM;
use crate::security::testing::{proof, users};

/// A number for each client id.
static CLIENTS: AtomicU32 = AtomicU32::new(0);
const BARE: &str = "n=ada,r=abcdef";
const FIRST: &str = "n,,n=ada,r=abcdef";

fn broker() -> TestBroker {
    let on = TestBroker::new();
    on.broker.set_users(users(&[("ada", "pencil"), ("bob", "chisel")])).unwrap();
    on
}

fn peer(certificate: Option<&str>, anonymous: bool) -> Peer {
    let addr = ([127, 0, 0, 1], 1).into();
    Peer { addr, listener: "test", certificate: certificate.map(str::to_owned), anonymous }
}

fn stranger(on: &TestBroker) -> TestClient {
    on.client_of(peer(None, false), MqttSession::new(options()))
}

fn connect(
    version: Version,
    user: Option<&str>,
    password: Option<&str>,
    method: Option<(&str, &str)>,
) -> Vec<u8> {
    let id = format!("c{}", CLIENTS.fetch_add(1, Ordering::Relaxed));
    connect_as(&id, version, user, password, method)
}

fn connect_as(
    client_id: &str,
    version: Version,
    user: Option<&str>,
    password: Option<&str>,
    method: Option<(&str, &str)>,
) -> Vec<u8> {
    let (mut bytes, mut scratch) = (BytesMut::new(), BytesMut::new());
    let mut writer = PropertyWriter::new(&mut scratch);
    if let Some((method, data)) = method {
        writer.put(PropertyId::AuthenticationMethod, Value::Text(method)).unwrap();
        if !data.is_empty() {
            writer.put(PropertyId::AuthenticationData, Value::Binary(data.as_bytes())).unwrap();
        }
    }
    let connect = Connect {
        version,
        clean_start: true,
        keep_alive: 60,
        client_id,
        will: None,
        user_name: user,
        password: password.map(str::as_bytes),
        properties: writer.finish(),
    };
    encode::connect(&mut bytes, &connect).unwrap();
    bytes.to_vec()
}

fn auth(reason: Reason, method: &str, data: &str) -> Vec<u8> {
    let (mut bytes, mut scratch) = (BytesMut::new(), BytesMut::new());
    let mut writer = PropertyWriter::new(&mut scratch);
    writer.put(PropertyId::AuthenticationMethod, Value::Text(method)).unwrap();
    writer.put(PropertyId::AuthenticationData, Value::Binary(data.as_bytes())).unwrap();
    encode::auth(&mut bytes, &Auth { reason, properties: writer.finish() }).unwrap();
    bytes.to_vec()
}

/// The first packet of `bytes`: CONNACK, AUTH or DISCONNECT, as its kind, its code and its data.
fn answer(bytes: &[u8]) -> (&'static str, Reason, Vec<u8>) {
    let packet = decode(bytes, Version::V5, Limits::from_server(u32::MAX)).unwrap().unwrap().packet;
    let (kind, reason, properties) = match packet {
        Packet::Connack(connack) => ("connack", connack.code, connack.properties),
        Packet::Auth(auth) => ("auth", auth.reason, auth.properties),
        Packet::Disconnect(disconnect) => ("disconnect", disconnect.reason, disconnect.properties),
        other => panic!("{other:?}"),
    };
    let method = properties.text(PropertyId::AuthenticationMethod);
    assert_eq!(
        method.is_some(),
        kind == "auth" || properties.binary(PropertyId::AuthenticationData).is_some()
    );
    (kind, reason, properties.binary(PropertyId::AuthenticationData).unwrap_or_default().to_vec())
}

/// A client that came in by SCRAM.
fn proved(on: &TestBroker) -> TestClient {
    let mut client = stranger(on);
    let out = client.send(on, &connect(Version::V5, None, None, Some((MECHANISM, FIRST))));
    let (kind, reason, challenge) = answer(&out);
    assert_eq!((kind, reason), ("auth", Reason::CONTINUE_AUTHENTICATION));
    assert!(!client.session.is_open());
    let last = proof("n,,", BARE, &challenge, "pencil");
    let out = client.send(on, &auth(Reason::CONTINUE_AUTHENTICATION, MECHANISM, &last));
    let (kind, reason, data) = answer(&out);
    assert_eq!((kind, reason), ("connack", Reason::SUCCESS));
    assert!(data.starts_with(b"v="));
    assert_eq!(client.port.principal().unwrap().name, "ada");
    client
}

/// What comes of it where `user` and `password` are given, in a version of MQTT.
fn login(
    on: &TestBroker,
    version: Version,
    user: Option<&str>,
    password: Option<&str>,
) -> (u8, Option<String>) {
    let mut client = stranger(on);
    client.send(on, &[]);
    let mut out = client.send(on, &connect(version, user, password, None));
    if out.is_empty() {
        assert!(!client.session.is_open());
        out = client.wait(on, |out| !out.is_empty());
    }
    (out[3], client.port.principal().map(|principal| principal.name.clone()))
}

#[test]
fn user_name_and_password() {
    let on = broker();
    for version in [Version::V31, Version::V311, Version::V5] {
        let ada = Some("ada".to_owned());
        for _ in 0..2 {
            assert_eq!(login(&on, version, Some("ada"), Some("pencil")), (0, ada.clone()), "twice the same");
        }
        let wrong = if version.is_v5() { 0x86 } else { 4 };
        for (user, password) in
            [("ada", "chisel"), ("eve", "pencil"), ("ada", ""), ("", "pencil"), ("\u{7f}", "x")]
        {
            assert_eq!(login(&on, version, Some(user), Some(password)), (wrong, None), "{user} {password}");
        }
        let nobody = if version.is_v5() { 0x87 } else { 5 };
        assert_eq!(login(&on, version, None, None), (nobody, None));
        assert_eq!(login(&on, version, Some(""), None), (nobody, None));
        assert_eq!(login(&on, version, Some("ada"), None), (wrong, None));
    }
    assert!(on.broker.refused_logins() >= 24);
}

#[test]
fn nothing_is_read_while_a_password_is_checked() {
    let on = broker();
    let mut client = stranger(&on);
    let mut bytes = connect(Version::V311, Some("ada"), Some("pencil"), None);
    bytes.extend([0xC0, 0]);
    let mut out = client.send(&on, &bytes);
    if out.is_empty() {
        out = client.wait(&on, |out| out.len() >= 6);
    }
    assert_eq!(out, [0x20, 2, 0, 0, 0xD0, 0]);
}

#[test]
fn without_users_names_and_passwords_are_not_looked_at() {
    let on = TestBroker::new();
    let given = connect(Version::V311, Some("ada"), Some("anything"), None);
    let mut client = on.client(MqttSession::new(options()));
    assert_eq!(client.send(&on, &given), [0x20, 2, 0, 0]);
    assert_eq!(client.port.principal(), None);
    assert_eq!(stranger(&on).send(&on, &given), [0x20, 2, 0, 5]);
    let scram = connect(Version::V5, None, None, Some((MECHANISM, FIRST)));
    assert_eq!(
        answer(&on.client(MqttSession::new(options())).send(&on, &scram)).1,
        Reason::BAD_AUTHENTICATION_METHOD
    );
}

#[test]
fn a_certificate_is_somebody() {
    let on = broker();
    let mut client = on.client_of(peer(Some("pump-7"), false), MqttSession::new(options()));
    assert_eq!(client.send(&on, &connect(Version::V311, None, None, None)), [0x20, 2, 0, 0]);
    assert_eq!(client.port.principal().unwrap().name, "pump-7");
    // What is given is looked at all the same.
    let mut client = on.client_of(peer(Some("pump-7"), true), MqttSession::new(options()));
    client.send(&on, &connect(Version::V311, Some("ada"), Some("wrong"), None));
    assert_eq!(client.wait(&on, |out| !out.is_empty()), [0x20, 2, 0, 4]);
    let mut client = on.client(MqttSession::new(options()));
    assert_eq!(
        client.send(&on, &connect(Version::V311, None, None, None)),
        [0x20, 2, 0, 0],
        "nobody may stay"
    );
}

#[test]
fn the_holder_of_a_client_id_is_not_disturbed_by_a_wrong_password() {
    let on = broker();
    let mut holder = Client::connect_as(&on, Version::V5, "held", true).0.inner;
    let mut wrong = stranger(&on);
    wrong.send(&on, &connect_as("held", Version::V5, Some("ada"), Some("wrong"), None));
    assert!(wrong.port.principal().is_none());
    let mut wrong = stranger(&on);
    let out = wrong.send(&on, &connect_as("held", Version::V5, None, None, Some((MECHANISM, FIRST))));
    let last = proof("n,,", BARE, &answer(&out).2, "wrong");
    let out = wrong.send(&on, &auth(Reason::CONTINUE_AUTHENTICATION, MECHANISM, &last));
    assert_eq!(answer(&out), ("connack", Reason::NOT_AUTHORIZED, Vec::new()));
    assert!(matches!(wrong.closed, Some(Close::Refused(_))));
    assert_eq!(holder.send(&on, &[0xC0, 0]), [0xD0, 0]);
}

#[test]
fn scram() {
    let on = broker();
    let mut client = proved(&on);
    assert_eq!(client.send(&on, &[0xC0, 0]), [0xD0, 0]);
    assert!(client.session.is_open());
}

#[test]
fn a_client_that_waits_for_the_servers_word_is_given_one() {
    let on = broker();
    let mut client = stranger(&on);
    let out = client.send(&on, &connect(Version::V5, None, None, Some((MECHANISM, ""))));
    assert_eq!(answer(&out), ("auth", Reason::CONTINUE_AUTHENTICATION, Vec::new()));
    let out = client.send(&on, &auth(Reason::CONTINUE_AUTHENTICATION, MECHANISM, FIRST));
    let last = proof("n,,", BARE, &answer(&out).2, "pencil");
    let out = client.send(&on, &auth(Reason::CONTINUE_AUTHENTICATION, MECHANISM, &last));
    assert_eq!(answer(&out).1, Reason::SUCCESS);
    // Once, and no second time.
    let mut client = stranger(&on);
    client.send(&on, &connect(Version::V5, None, None, Some((MECHANISM, ""))));
    let out = client.send(&on, &auth(Reason::CONTINUE_AUTHENTICATION, MECHANISM, ""));
    assert_eq!(answer(&out), ("connack", Reason::NOT_AUTHORIZED, Vec::new()));
}

#[test]
fn exchanges_that_end_before_connack() {
    let on = broker();
    let method = |method, data| connect(Version::V5, None, None, Some((method, data)));
    for (first, reason) in [
        (method("SCRAM-SHA-1", FIRST), Reason::BAD_AUTHENTICATION_METHOD),
        (method("", FIRST), Reason::BAD_AUTHENTICATION_METHOD),
        (method(MECHANISM, "p=tls-unique,,n=ada,r=abc"), Reason::NOT_AUTHORIZED),
        (method(MECHANISM, "nonsense"), Reason::NOT_AUTHORIZED),
    ] {
        let mut client = stranger(&on);
        assert_eq!(answer(&client.send(&on, &first)), ("connack", reason, Vec::new()));
        assert!(client.closed.is_some());
    }
    for (second, reason) in [
        (auth(Reason::CONTINUE_AUTHENTICATION, "SCRAM-SHA-512", "x"), Reason::PROTOCOL_ERROR),
        (auth(Reason::RE_AUTHENTICATE, MECHANISM, FIRST), Reason::PROTOCOL_ERROR),
        (vec![0xC0, 0], Reason::PROTOCOL_ERROR),
        (vec![0x30, 4, 0, 1, b'a', 0], Reason::PROTOCOL_ERROR),
        (method(MECHANISM, FIRST), Reason::PROTOCOL_ERROR),
        (vec![0xF0, 2, 0x18, 0], Reason::PROTOCOL_ERROR),
        (auth(Reason::CONTINUE_AUTHENTICATION, MECHANISM, "c=biws,r=x,p=eA=="), Reason::NOT_AUTHORIZED),
    ] {
        let mut client = stranger(&on);
        client.send(&on, &method(MECHANISM, FIRST));
        assert_eq!(answer(&client.send(&on, &second)), ("connack", reason, Vec::new()), "{second:?}");
        assert!(client.closed.is_some());
    }
    let mut client = stranger(&on);
    client.send(&on, &method(MECHANISM, FIRST));
    assert!(client.send(&on, &[0xE0, 0]).is_empty());
    assert_eq!(client.closed, Some(Close::Clean));
}

#[test]
fn proving_it_anew_while_messages_go_on() {
    let on = broker();
    let mut client = proved(&on);
    client.send(&on, &[0x82, 7, 0, 1, 0, 0, 1, b'n', 0]);
    let mut from = on.client(MqttSession::new(options()));
    from.send(&on, &connect(Version::V311, Some("bob"), Some("chisel"), None));
    for password in ["pencil", "pencil", "wrong"] {
        let out = client.send(&on, &auth(Reason::RE_AUTHENTICATE, MECHANISM, FIRST));
        let (kind, reason, challenge) = answer(&out);
        assert_eq!((kind, reason), ("auth", Reason::CONTINUE_AUTHENTICATION));
        assert_eq!(client.send(&on, &[0xC0, 0]), [0xD0, 0]);
        let last = proof("n,,", BARE, &challenge, password);
        let out = client.send(&on, &auth(Reason::CONTINUE_AUTHENTICATION, MECHANISM, &last));
        if password == "pencil" {
            let (kind, reason, data) = answer(&out);
            assert_eq!((kind, reason), ("auth", Reason::SUCCESS));
            assert!(data.starts_with(b"v="));
        } else {
            assert_eq!(answer(&out), ("disconnect", Reason::NOT_AUTHORIZED, Vec::new()));
            assert!(matches!(client.closed, Some(Close::Refused(_))));
        }
    }
}

#[test]
fn a_connection_stays_with_its_user() {
    let on = broker();
    let mut client = proved(&on);
    let bare = "n=bob,r=abcdef";
    let out = client.send(&on, &auth(Reason::RE_AUTHENTICATE, MECHANISM, &format!("n,,{bare}")));
    let last = proof("n,,", bare, &answer(&out).2, "chisel");
    let out = client.send(&on, &auth(Reason::CONTINUE_AUTHENTICATION, MECHANISM, &last));
    assert_eq!(answer(&out), ("disconnect", Reason::NOT_AUTHORIZED, Vec::new()));
    assert_eq!(client.port.principal().unwrap().name, "ada");
}

#[test]
fn auth_out_of_turn_in_a_connection() {
    let on = broker();
    for wrong in [
        auth(Reason::CONTINUE_AUTHENTICATION, MECHANISM, "x"),
        auth(Reason::RE_AUTHENTICATE, "SCRAM-SHA-512", FIRST),
        [
            &auth(Reason::RE_AUTHENTICATE, MECHANISM, FIRST)[..],
            &auth(Reason::RE_AUTHENTICATE, MECHANISM, FIRST),
        ]
        .concat(),
    ] {
        let mut client = proved(&on);
        let mut out = &client.send(&on, &wrong)[..];
        while let Some(first) = decode(out, Version::V5, Limits::from_server(u32::MAX)).unwrap()
            && matches!(first.packet, Packet::Auth(_))
        {
            out = &out[first.len..];
        }
        assert_eq!(goodbye(out), Reason::PROTOCOL_ERROR);
        assert!(matches!(client.closed, Some(Close::Violation(_))));
    }
    let (mut plain, _) = Client::connect_as(&on, Version::V5, "plain", true);
    let out = plain.inner.send(&on, &auth(Reason::RE_AUTHENTICATE, MECHANISM, FIRST));
    assert_eq!(goodbye(&out), Reason::PROTOCOL_ERROR);
}

#[test]
fn new_users_count_for_new_logins() {
    let on = broker();
    let mut old = proved(&on);
    on.broker.set_users(users(&[("ada", "eraser")])).unwrap();
    assert_eq!(login(&on, Version::V5, Some("ada"), Some("pencil")).0, 0x86);
    assert_eq!(login(&on, Version::V5, Some("ada"), Some("eraser")).0, 0);
    assert_eq!(old.send(&on, &[0xC0, 0]), [0xD0, 0], "who is in stays in");
}
