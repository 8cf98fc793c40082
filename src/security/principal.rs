//! Who is at the other end of a connection, once that is known.

use std::fmt;

/// Somebody who has proved who they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    /// The user's name, prepared; or what the certificate says.
    pub name: String,
}

/// What came of a login.
pub type Verdict = Result<Principal, Denied>;

/// A user's name and password as a client gave them.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name.
    pub user: String,
    /// The password; not every protocol has text there.
    pub password: Vec<u8>,
}

impl Credentials {
    /// What a client has given, if it has given anything: neither a name nor a password, or both empty, is
    /// nothing.
    pub fn given(user: Option<&str>, password: Option<&[u8]>) -> Option<Self> {
        let (user, password) = (user.unwrap_or_default(), password.unwrap_or_default());
        let nothing = user.is_empty() && password.is_empty();
        (!nothing).then(|| Self { user: user.to_owned(), password: password.to_vec() })
    }
}

impl fmt::Debug for Credentials {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why somebody was not let in. For the log: clients are told less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The users file has no such name.
    UnknownUser,
    /// The password is another.
    WrongPassword,
    /// Too long, or made of what names and passwords are not made of (RFC 4013).
    Unreadable,
    /// Nothing was given that would say who it is, and the listener wants to know.
    Anonymous,
    /// Somebody must say who they are, and there is no users file to look it up in.
    NoUsers,
    /// Too many logins wait to be checked.
    Busy,
    /// The method is not offered.
    Method,
    /// The messages of the method are not as they should be; how.
    Exchange(&'static str),
    /// A connection stays with the user that opened it.
    OtherUser,
}

impl Denied {
    /// In words for the log.
    pub const fn text(self) -> &'static str {
        match self {
            Self::UnknownUser => "there is no such user",
            Self::WrongPassword => "wrong password",
            Self::Unreadable => "a name or password that cannot be one",
            Self::Anonymous => "neither a user name nor a certificate that names somebody",
            Self::NoUsers => "a user name, and security.users_file is not set",
            Self::Busy => "too many logins at a time",
            Self::Method => "the authentication method is not offered",
            Self::Exchange(how) => how,
            Self::OtherUser => "another user than the one who opened the connection",
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
