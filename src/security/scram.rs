//! The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677): messages in, messages out.
//!
//! ```text
//! client  n,,n=user,r=CLIENT
//! server  r=CLIENT+SERVER,s=SALT,i=ITERATIONS
//! client  c=biws,r=CLIENT+SERVER,p=PROOF
//! server  v=SIGNATURE
//! ```
//!
//! Neither side learns the password. Channel binding is not offered: a client may say that it has none
//! (`n`) or that it believes the server has none (`y`).

use std::fmt;

use aws_lc_rs::constant_time;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::verifier::{HASH_BYTES, Hash, hmac, sha256};
use super::{Denied, Principal, Users, Verifier, prepare_name};

/// The method's name.
pub const MECHANISM: &str = "SCRAM-SHA-256";
/// Bytes of a message.
pub const MESSAGE_BYTES_MAX: usize = 4_096;
/// Random bytes that the server adds to the nonce.
pub const NONCE_BYTES: usize = 18;

/// An exchange in which the client's first message was answered.
pub struct Exchange {
    user: String,
    known: bool,
    verifier: Verifier,
    /// What the client said of channel binding, to be repeated.
    header: String,
    /// Both first messages, as they are signed.
    said: String,
    nonce: String,
}

/// An exchange that did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Who was named, if that could be read.
    pub user: Option<String>,
    /// What was wrong.
    pub why: Denied,
}

impl Failure {
    fn of(how: &'static str) -> Self {
        Self { user: None, why: Denied::Exchange(how) }
    }

    fn by(user: &str, why: Denied) -> Self {
        Self { user: Some(user.to_owned()), why }
    }
}

impl Exchange {
    /// Takes the client's first message; answers the server's first. `nonce` is random.
    ///
    /// # Errors
    /// A message that is none. Names that are not known are no error yet, so that nobody can ask for them.
    pub fn begin(
        message: &[u8],
        nonce: &[u8; NONCE_BYTES],
        users: &Users,
    ) -> Result<(Self, Vec<u8>), Failure> {
        let first = First::read(text(message)?)?;
        let (verifier, known) = users.verifier(&first.user);
        let nonce = format!("{}{}", first.nonce, BASE64.encode(nonce));
        let (salt, iterations) = (BASE64.encode(&verifier.salt), verifier.iterations);
        let answer = format!("r={nonce},s={salt},i={iterations}");
        let said = format!("{},{answer}", first.bare);
        let header = first.header.to_owned();
        let exchange = Self { user: first.user, known, verifier, header, said, nonce };
        Ok((exchange, answer.into_bytes()))
    }

    /// Takes the client's last message; answers who it is, and the server's last.
    ///
    /// # Errors
    /// A message that is none, and a proof that is wrong.
    pub fn finish(self, message: &[u8]) -> Result<(Principal, Vec<u8>), Failure> {
        let proof =
            self.proof(message).map_err(|failure| Failure { user: Some(self.user.clone()), ..failure })?;
        let (proof, signed) = proof;
        let signature = hmac(&self.verifier.stored_key, signed.as_bytes());
        let mut client_key = signature;
        client_key.iter_mut().zip(proof).for_each(|(byte, of_proof)| *byte ^= of_proof);
        let fits =
            constant_time::verify_slices_are_equal(&sha256(&client_key), &self.verifier.stored_key).is_ok();
        match (fits, self.known) {
            (_, false) => Err(Failure::by(&self.user, Denied::UnknownUser)),
            (false, true) => Err(Failure::by(&self.user, Denied::WrongPassword)),
            (true, true) => {
                let signature = hmac(&self.verifier.server_key, signed.as_bytes());
                let answer = format!("v={}", BASE64.encode(signature));
                Ok((Principal { name: self.user }, answer.into_bytes()))
            }
        }
    }

    /// The proof, and all that it was to be made over.
    fn proof(&self, message: &[u8]) -> Result<(Hash, String), Failure> {
        let message = text(message)?;
        let (without, proof) = message.rsplit_once(",p=").ok_or_else(|| Failure::of("no proof"))?;
        let proof: Hash = BASE64
            .decode(proof)
            .ok()
            .and_then(|bytes| <[u8; HASH_BYTES]>::try_from(bytes).ok())
            .ok_or_else(|| Failure::of("a proof of a wrong form"))?;
        let mut attributes = without.split(',');
        let binding = attributes.next().and_then(|attribute| attribute.strip_prefix("c="));
        if binding.and_then(|text| BASE64.decode(text).ok()).as_deref() != Some(self.header.as_bytes()) {
            return Err(Failure::of("the channel binding is not as it was"));
        }
        let nonce = attributes.next().and_then(|attribute| attribute.strip_prefix("r="));
        if nonce != Some(&self.nonce) {
            return Err(Failure::of("the nonce is another"));
        }
        attributes.try_for_each(extension)?;
        Ok((proof, format!("{},{without}", self.said)))
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The client's first message.
struct First<'a> {
    /// `n,,` and the like.
    header: &'a str,
    /// What follows it.
    bare: &'a str,
    user: String,
    nonce: &'a str,
}

impl<'a> First<'a> {
    fn read(message: &'a str) -> Result<Self, Failure> {
        let malformed = || Failure::of("the first message has a wrong form");
        let (binding, rest) = message.split_once(',').ok_or_else(malformed)?;
        match binding {
            "n" | "y" => {}
            _ if binding.starts_with("p=") => return Err(Failure::of("channel binding is not offered")),
            _ => return Err(malformed()),
        }
        let (identity, bare) = rest.split_once(',').ok_or_else(malformed)?;
        let header = message.get(..message.len() - bare.len()).unwrap_or_default();
        if bare.starts_with("m=") {
            return Err(Failure::of("a mandatory extension that is not known"));
        }
        let mut attributes = bare.split(',');
        let name = attributes.next().and_then(|attribute| attribute.strip_prefix("n="));
        let user = user_name(name.ok_or_else(malformed)?)?;
        let nonce = attributes.next().and_then(|attribute| attribute.strip_prefix("r="));
        let nonce = nonce.filter(|nonce| is_nonce(nonce)).ok_or_else(malformed)?;
        attributes.try_for_each(extension)?;
        match identity.strip_prefix("a=") {
            None if identity.is_empty() => {}
            Some(other) if user_name(other)? == user => {}
            Some(_) => return Err(Failure::by(&user, Denied::Exchange("acting for others is not offered"))),
            None => return Err(malformed()),
        }
        Ok(Self { header, bare, user, nonce })
    }
}

fn text(message: &[u8]) -> Result<&str, Failure> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(Failure::of("a message that is too long"));
    }
    std::str::from_utf8(message).map_err(|_| Failure::of("a message that is not UTF-8"))
}

/// A saslname (RFC 5802, 5.1), prepared.
fn user_name(written: &str) -> Result<String, Failure> {
    let mut parts = written.split('=');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (character, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return Err(Failure::of("a user name with a wrong escape")),
        };
        name.push(character);
        name.push_str(rest);
    }
    match prepare_name(&name) {
        Ok(prepared) => Ok(prepared.into_owned()),
        Err(_) => Err(Failure { user: None, why: Denied::Unreadable }),
    }
}

/// Printable ASCII without commas, and some of it.
fn is_nonce(nonce: &str) -> bool {
    !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// Extensions that nobody has to understand are passed over.
fn extension(attribute: &str) -> Result<(), Failure> {
    match attribute.as_bytes() {
        [b'm', b'=', ..] => Err(Failure::of("a mandatory extension that is not known")),
        [letter, b'=', _, ..] if letter.is_ascii_alphabetic() => Ok(()),
        _ => Err(Failure::of("an extension of a wrong form")),
    }
}

#[cfg(test)]
impl Exchange {
    /// After the first messages of the example in RFC 7677, 3.
    pub(super) fn of_rfc_7677(users: &Users) -> Self {
        let (verifier, known) = users.verifier("user");
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let said = format!("n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        Self { user: "user".into(), known, verifier, header: "n,,".into(), said, nonce: nonce.into() }
    }
}
