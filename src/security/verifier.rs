//! What is kept of a password: enough to check it, too little to know it (RFC 5802, 5.1 and 9).

use std::fmt;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::str::FromStr;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::scram::MECHANISM;

/// Rounds of PBKDF2 that a verifier may have: fewer protect too little, more cost too much at each login.
pub const ITERATIONS: RangeInclusive<u32> = 4_096..=1_000_000;
/// Rounds of a new verifier.
pub const ITERATIONS_DEFAULT: u32 = 16_384;
/// Bytes of the salt of a new verifier, the number that PostgreSQL takes.
pub const SALT_BYTES: usize = 16;
/// Bytes that a salt may have.
const SALT_BYTES_OK: RangeInclusive<usize> = 8..=64;
/// Bytes of a hash.
pub(super) const HASH_BYTES: usize = digest::SHA256_OUTPUT_LEN;

/// A hash.
pub(super) type Hash = [u8; HASH_BYTES];

/// What is kept of a password. Written as PostgreSQL writes it:
/// `SCRAM-SHA-256$4096:SALT$STORED-KEY:SERVER-KEY`, the three in Base64.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    pub(super) iterations: u32,
    pub(super) salt: Vec<u8>,
    pub(super) stored_key: Hash,
    pub(super) server_key: Hash,
}

impl Verifier {
    /// Of a prepared password. Takes its time: `iterations` rounds.
    pub fn derive(prepared: &str, salt: &[u8], iterations: u32) -> Self {
        let salted = salted_password(prepared, salt, iterations);
        Self {
            iterations,
            salt: salt.to_vec(),
            stored_key: sha256(&hmac(&salted, b"Client Key")),
            server_key: hmac(&salted, b"Server Key"),
        }
    }

    /// Whether the prepared password is the one. Takes as long as [`Verifier::derive`].
    pub fn is_of(&self, prepared: &str) -> bool {
        let made = Self::derive(prepared, &self.salt, self.iterations);
        constant_time::verify_slices_are_equal(&made.stored_key, &self.stored_key).is_ok()
    }

    /// Rounds of PBKDF2.
    pub const fn iterations(&self) -> u32 {
        self.iterations
    }
}

/// Why a text is no verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifierError {
    /// It does not begin with the name of a method that is known.
    Method,
    /// Parts are missing, or not Base64, or of a wrong length.
    Form,
    /// Too few or too many rounds.
    Iterations,
    /// The salt is too short or too long.
    Salt,
}

impl fmt::Display for VerifierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (ITERATIONS.start(), ITERATIONS.end());
        match self {
            Self::Method => write!(f, "not a {MECHANISM} verifier; make one with: wharfmq user passwd NAME"),
            Self::Form => write!(f, "not of the form {MECHANISM}$ITERATIONS:SALT$STORED:SERVER in Base64"),
            Self::Iterations => write!(f, "the iterations are outside {least} to {most}"),
            Self::Salt => {
                write!(f, "the salt is outside {} to {} bytes", SALT_BYTES_OK.start(), SALT_BYTES_OK.end())
            }
        }
    }
}

impl FromStr for Verifier {
    type Err = VerifierError;

    fn from_str(text: &str) -> Result<Self, VerifierError> {
        let rest = text.strip_prefix(MECHANISM).and_then(|rest| rest.strip_prefix('$'));
        let (costs, keys) = rest.ok_or(VerifierError::Method)?.split_once('$').ok_or(VerifierError::Form)?;
        let (iterations, salt) = costs.split_once(':').ok_or(VerifierError::Form)?;
        let (stored, server) = keys.split_once(':').ok_or(VerifierError::Form)?;
        let plain = iterations.bytes().all(|b| b.is_ascii_digit());
        let iterations = iterations.parse().ok().filter(|_| plain).ok_or(VerifierError::Form)?;
        if !ITERATIONS.contains(&iterations) {
            return Err(VerifierError::Iterations);
        }
        let salt = BASE64.decode(salt).map_err(|_| VerifierError::Form)?;
        if !SALT_BYTES_OK.contains(&salt.len()) {
            return Err(VerifierError::Salt);
        }
        Ok(Self { iterations, salt, stored_key: hash(stored)?, server_key: hash(server)? })
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] =
            [&self.salt[..], &self.stored_key, &self.server_key].map(|bytes| BASE64.encode(bytes));
        write!(f, "{MECHANISM}${}:{salt}${stored}:{server}", self.iterations)
    }
}

impl fmt::Debug for Verifier {
    /// Without what a password could be guessed by.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

fn hash(text: &str) -> Result<Hash, VerifierError> {
    BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(VerifierError::Form)
}

/// Hi() of RFC 5802, 2.2.
pub(super) fn salted_password(prepared: &str, salt: &[u8], iterations: u32) -> Hash {
    let mut out = [0; HASH_BYTES];
    let rounds = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, prepared.as_bytes(), &mut out);
    out
}

pub(super) fn hmac(key: &[u8], text: &[u8]) -> Hash {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
    filled(tag.as_ref())
}

pub(super) fn sha256(bytes: &[u8]) -> Hash {
    filled(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// SHA-256 gives as many bytes as a hash has.
fn filled(bytes: &[u8]) -> Hash {
    let mut out = [0; HASH_BYTES];
    out.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The password `pencil` with the salt of the example in RFC 7677.
    const PENCIL: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
        WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    #[test]
    fn written_and_read() {
        let made = Verifier::derive("foo", &[7; 16], 4_096);
        let text = made.to_string();
        assert!(text.starts_with("SCRAM-SHA-256$4096:BwcHBwcHBwcHBwcHBwcHBw==$"), "{text}");
        let read: Verifier = text.parse().unwrap();
        assert_eq!(read, made);
        assert!(read.is_of("foo") && !read.is_of("Foo"));
        let pencil: Verifier = PENCIL.parse().unwrap();
        assert_eq!(pencil.to_string(), PENCIL);
        assert_eq!(pencil, Verifier::derive("pencil", &pencil.salt, 4_096));
        assert!(!format!("{made:?}").contains("salt"));
    }

    #[test]
    fn what_is_none() {
        let good = Verifier::derive("foo", &[7; 16], 4_096).to_string();
        let of = |text: &str| text.parse::<Verifier>().unwrap_err();
        assert_eq!(of("secret"), VerifierError::Method);
        assert_eq!(of(&good.replace("256$", "512$")), VerifierError::Method);
        assert_eq!(of(&good.replace("4096", "4095")), VerifierError::Iterations);
        assert_eq!(of(&good.replace("4096", "1000001")), VerifierError::Iterations);
        assert_eq!(of(&good.replace("4096", "+4096")), VerifierError::Form);
        assert_eq!(of(&good.replace("BwcHBwcHBwcHBwcHBwcHBw==", "Bwc=")), VerifierError::Salt);
        assert_eq!(of(&good[..good.len() - 4]), VerifierError::Form);
        assert_eq!(of("SCRAM-SHA-256$4096:AAAA"), VerifierError::Form);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(SCRAM-SHA-256\\$)?[0-9]{0,6}:?[A-Za-z0-9+/=]{0,50}\\$?.{0,60}") {
            if let Ok(verifier) = text.parse::<Verifier>() {
                prop_assert_eq!(verifier.to_string().parse::<Verifier>().unwrap(), verifier);
            }
        }
    }
}
