//! For tests: users, and the client's side of SCRAM.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::verifier::{hmac, salted_password, sha256};
use super::{Users, Verifier};

/// Users of these names and passwords.
pub(crate) fn users(known: &[(&str, &str)]) -> Users {
    let text: String = known.iter().map(|(name, password)| entry(name, password)).collect();
    Users::parse(&text, &[9; 32]).unwrap()
}

/// A user as written in a users file.
pub(crate) fn entry(name: &str, password: &str) -> String {
    format!("[user.\"{name}\"]\npassword = \"{}\"\n", Verifier::derive(password, &[3; 16], 4_096))
}

/// The client's last message, for what it and the server have said.
pub(crate) fn proof(header: &str, bare: &str, answer: &[u8], password: &str) -> String {
    let answer = std::str::from_utf8(answer).unwrap();
    let parts: Vec<&str> = answer.split(',').map(|part| &part[2..]).collect();
    let salted = salted_password(password, &BASE64.decode(parts[1]).unwrap(), parts[2].parse().unwrap());
    let client_key = hmac(&salted, b"Client Key");
    let without = format!("c={},r={}", BASE64.encode(header), parts[0]);
    let signature = hmac(&sha256(&client_key), format!("{bare},{answer},{without}").as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    format!("{without},p={}", BASE64.encode(proof))
}
