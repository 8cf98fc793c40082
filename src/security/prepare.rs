//! Names and passwords in the one spelling in which they are compared (SASLprep, RFC 4013).

use std::borrow::Cow;
use std::fmt;

/// Bytes of a user's name.
pub const NAME_BYTES_MAX: usize = 255;
/// Bytes of a password.
pub const PASSWORD_BYTES_MAX: usize = 1_024;

/// Why something is no name or password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrepareError {
    /// Nothing is left of it.
    Empty,
    /// More bytes than allowed.
    TooLong,
    /// Not UTF-8, or with characters that are not allowed.
    Characters,
}

impl fmt::Display for PrepareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::TooLong => "it is too long",
            Self::Characters => {
                "it has characters that RFC 4013 does not allow, such as control characters or emoji"
            }
        })
    }
}

/// A user's name as it is compared.
pub fn prepare_name(name: &str) -> Result<Cow<'_, str>, PrepareError> {
    prepare(name, NAME_BYTES_MAX)
}

/// A password as it is hashed.
pub fn prepare_password(password: &[u8]) -> Result<Cow<'_, str>, PrepareError> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(PrepareError::TooLong);
    }
    let text = std::str::from_utf8(password).map_err(|_| PrepareError::Characters)?;
    prepare(text, PASSWORD_BYTES_MAX)
}

fn prepare(text: &str, most: usize) -> Result<Cow<'_, str>, PrepareError> {
    // Before the work, not after it: what strangers send is prepared too.
    if text.len() > most {
        return Err(PrepareError::TooLong);
    }
    let prepared = stringprep::saslprep(text).map_err(|_| PrepareError::Characters)?;
    match prepared.len() {
        0 => Err(PrepareError::Empty),
        // A character may become several.
        len if len > most => Err(PrepareError::TooLong),
        _ => Ok(prepared),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_rfc_4013() {
        for (given, prepared) in
            [("I\u{AD}X", "IX"), ("user", "user"), ("USER", "USER"), ("\u{AA}", "a"), ("\u{2168}", "IX")]
        {
            assert_eq!(prepare_name(given).unwrap(), prepared);
        }
        assert_eq!(prepare_name("\u{7}"), Err(PrepareError::Characters));
        assert_eq!(prepare_name("\u{627}1"), Err(PrepareError::Characters));
    }

    #[test]
    fn bounds() {
        assert_eq!(prepare_name(""), Err(PrepareError::Empty));
        assert_eq!(prepare_name("\u{AD}"), Err(PrepareError::Empty));
        assert_eq!(prepare_name(&"x".repeat(256)), Err(PrepareError::TooLong));
        // One character of three bytes becomes eighteen.
        assert_eq!(prepare_name(&"\u{FDFA}".repeat(80)), Err(PrepareError::TooLong));
        assert!(prepare_password(&[b'x'; 1_024]).is_ok());
        assert_eq!(prepare_password(&[b'x'; 1_025]), Err(PrepareError::TooLong));
        assert_eq!(prepare_password(&[0xff]), Err(PrepareError::Characters));
    }

    proptest! {
        #[test]
        fn what_is_prepared_stays_as_it_is(text in "\\PC{1,40}") {
            if let Ok(once) = prepare_name(&text) {
                // Where the first step makes room for a combination, the second must not find another.
                if let Ok(twice) = prepare_name(&once) {
                    prop_assert_eq!(&twice, &once);
                }
            }
        }
    }
}
