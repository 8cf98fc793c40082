//! SCRAM-SHA-256 over AUTH, by a client written from the standards.

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::Users;
use crate::support::mqtt::{V5, packet, string};
use crate::support::{Broker, Mqtt};

const METHOD: &str = "SCRAM-SHA-256";

/// One side of an exchange.
struct Scram {
    bare: String,
    password: String,
    /// What the server has to answer last.
    expected: String,
}

impl Scram {
    fn new(user: &str, password: &str) -> Self {
        let bare = format!("n={user},r=fyko+d2lbbFgONRv9qkxdawL");
        Self { bare, password: password.to_owned(), expected: String::new() }
    }

    fn first(&self) -> String {
        format!("n,,{}", self.bare)
    }

    fn last(&mut self, challenge: &str) -> String {
        let parts: Vec<&str> = challenge.split(',').map(|part| &part[2..]).collect();
        let [nonce, salt, rounds] = parts[..] else { panic!("{challenge}") };
        let mut salted = [0; 32];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            rounds.parse().unwrap(),
            &BASE64.decode(salt).unwrap(),
            self.password.as_bytes(),
            &mut salted,
        );
        let client_key = sign(&salted, "Client Key");
        let stored = digest::digest(&digest::SHA256, &client_key);
        let without = format!("c=biws,r={nonce}");
        let said = format!("{},{challenge},{without}", self.bare);
        let proof: Vec<u8> =
            client_key.iter().zip(sign(stored.as_ref(), &said)).map(|(key, byte)| key ^ byte).collect();
        self.expected = format!("v={}", BASE64.encode(sign(&sign(&salted, "Server Key"), &said)));
        format!("{without},p={}", BASE64.encode(proof))
    }
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// Authentication method and data.
fn properties(data: &str) -> Vec<u8> {
    let mut properties = vec![0x15];
    properties.extend(string(METHOD));
    properties.push(0x16);
    properties.extend(string(data));
    properties.insert(0, u8::try_from(properties.len()).unwrap());
    properties
}

fn connect(id: &str, data: &str) -> Vec<u8> {
    let mut body = string("MQTT");
    body.extend([5, 2, 0, 60]);
    body.extend(properties(data));
    body.extend(string(id));
    packet(0x10, &body)
}

fn auth(reason: u8, data: &str) -> Vec<u8> {
    packet(0xF0, &[&[reason][..], &properties(data)].concat())
}

/// The data of an AUTH of the server; its reason must be this one.
fn data(body: &[u8], reason: u8) -> String {
    assert_eq!(body[0], reason, "{body:02x?}");
    let rest = &body[1 + 1 + 3 + METHOD.len()..];
    assert_eq!(rest[0], 0x16);
    String::from_utf8(rest[3..].to_vec()).unwrap()
}

/// Comes in; or the code of a refusal.
fn login(broker: &Broker, id: &str, user: &str, password: &str) -> Result<Mqtt, u8> {
    let mut client = Mqtt::open(broker.mqtt(), V5);
    let mut scram = Scram::new(user, password);
    client.write(&connect(id, &scram.first()));
    let challenge = data(&client.expect(15).body, 0x18);
    client.write(&auth(0x18, &scram.last(&challenge)));
    let answer = client.expect(2);
    if answer.body[1] != 0 {
        return Err(answer.body[1]);
    }
    let text = String::from_utf8_lossy(&answer.body);
    assert!(
        text.contains(METHOD) && text.contains(&scram.expected),
        "the server has not proved itself: {text}"
    );
    Ok(client)
}

#[test]
fn in_and_not_in() {
    let users = Users::new(&[("ada", "pencil")]);
    let broker = users.broker();
    let mut client = login(&broker, "a", "ada", "pencil").ok().unwrap();
    client.subscribe("t", 1);
    client.publish("t", "hello", 1);
    assert_eq!(client.take().text(), "hello");
    assert_eq!(login(&broker, "b", "ada", "eraser").err(), Some(0x87));
    assert_eq!(login(&broker, "c", "eve", "pencil").err(), Some(0x87));
    broker.wait_log(&["login refused: wrong password", "\"ada\""]);
    broker.wait_log(&["login refused: there is no such user", "\"eve\""]);
}

#[test]
fn a_wrong_proof_does_not_push_anybody_out() {
    let users = Users::new(&[("ada", "pencil")]);
    let broker = users.broker();
    let mut client = login(&broker, "same", "ada", "pencil").ok().unwrap();
    assert_eq!(login(&broker, "same", "ada", "eraser").err(), Some(0x87));
    client.ping();
    let mut heir = login(&broker, "same", "ada", "pencil").ok().unwrap();
    assert_eq!(client.expect(14).body[0], 0x8E);
    heir.ping();
}

#[test]
fn proved_anew_while_messages_go_on() {
    let users = Users::new(&[("ada", "pencil")]);
    let broker = users.broker();
    let mut client = login(&broker, "a", "ada", "pencil").ok().unwrap();
    let mut other = login(&broker, "b", "ada", "pencil").ok().unwrap();
    client.subscribe("t", 1);
    users.change(&["passwd", "ada"], "eraser");
    users.change(&["add", "bob"], "chisel");
    broker.hang_up();
    broker.wait_log(&["users read from", "users=2"]);
    for (password, good) in [("eraser", true), ("pencil", false)] {
        let mut scram = Scram::new("ada", password);
        client.write(&auth(0x19, &scram.first()));
        let challenge = data(&client.expect(15).body, 0x18);
        other.publish("t", "meanwhile", 1);
        assert_eq!(client.take().text(), "meanwhile");
        client.write(&auth(0x18, &scram.last(&challenge)));
        if good {
            assert_eq!(data(&client.expect(15).body, 0x00), scram.expected);
        } else {
            assert_eq!(client.expect(14).body[0], 0x87);
        }
    }
}

#[test]
fn another_method_or_another_turn_is_a_protocol_error() {
    let users = Users::new(&[("ada", "pencil")]);
    let broker = users.broker();
    let first = Scram::new("ada", "pencil").first();
    let mut other = auth(0x19, &first);
    let at = other.windows(METHOD.len()).position(|part| part == METHOD.as_bytes()).unwrap();
    other[at..at + METHOD.len()].copy_from_slice(b"SCRAM-SHA-512");
    for (n, wrong) in [other, auth(0x18, &first), auth(0x00, &first)].iter().enumerate() {
        let mut client = login(&broker, &format!("c{n}"), "ada", "pencil").ok().unwrap();
        client.write(wrong);
        let last = client.closed();
        assert_eq!((last.len(), last[0].kind, last[0].body[0]), (1, 14, 0x82), "{last:02x?}");
    }
}
