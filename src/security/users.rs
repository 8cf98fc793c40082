//! The users file: who may log in, and how each is known.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use foldhash::fast::RandomState;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::checked::Checked;
use super::verifier::{HASH_BYTES, Hash, ITERATIONS_DEFAULT, SALT_BYTES, hmac, sha256};
use super::{Credentials, Denied, Principal, Verdict, Verifier, prepare_name, prepare_password};

/// How large a users file may be: some 400,000 users.
const FILE_MAX: u64 = 64 << 20;
/// How the keys of a user are shown where one is wrong.
const FORM: &str = "a user is written as [user.NAME] with password = \"SCRAM-SHA-256$…\" below";

/// Everyone who may log in. Made anew when the file is read again.
pub struct Users {
    known: HashMap<String, Verifier, RandomState>,
    /// What the salts of names that are not known are made from.
    secret: Hash,
    /// The rounds that such names pretend to have.
    iterations: u32,
    checked: Checked,
}

/// Users as they were found in a file.
#[derive(Debug)]
pub struct Loaded {
    /// The users.
    pub users: Users,
    /// What the operator is to know although it does not keep the users from being used.
    pub warnings: Vec<String>,
}

/// What is wrong with a users file: the file, and each fault with line and column where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsersError {
    pub(super) file: PathBuf,
    pub(super) faults: Vec<Fault>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Line and column, both from 1.
    pub(super) at: Option<(usize, usize)>,
    pub(super) what: String,
}

/// What stands in a users file.
#[derive(Default)]
pub(super) struct Written {
    /// By prepared name.
    pub(super) users: HashMap<String, Entry, RandomState>,
    pub(super) secret: Option<Hash>,
}

/// A user as written.
pub(super) struct Entry {
    pub(super) verifier: Verifier,
    /// Where the verifier stands, with its quotes.
    pub(super) span: std::ops::Range<usize>,
}

/// Bytes that nobody can guess.
///
/// # Errors
/// Where the system has no randomness, in words.
pub fn random<const N: usize>() -> Result<[u8; N], &'static str> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| "the system gives no random numbers")?;
    Ok(bytes)
}

impl Users {
    /// Reads a users file. `seed` is random, and kept from one reading to the next by those who read it
    /// again; it stands in where the file has no secret.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(file: &Path, seed: &[u8; 32]) -> Result<Loaded, UsersError> {
        let failed =
            |what: String| UsersError { file: file.to_owned(), faults: vec![Fault { at: None, what }] };
        let (text, mode) = read(file).map_err(failed)?;
        let written = parse(&text).map_err(|faults| UsersError { file: file.to_owned(), faults })?;
        let mut warnings = Vec::new();
        if mode & 0o077 != 0 {
            let others = mode & 0o777;
            warnings.push(format!(
                "{}: others than its owner have access to it (mode {others:03o}); \
                 passwords can be guessed from it: chmod 600",
                file.display()
            ));
        }
        Ok(Loaded { users: Self::of(written, seed), warnings })
    }

    /// From the content of a file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, seed: &[u8; 32]) -> Result<Self, UsersError> {
        let written = parse(text).map_err(|faults| UsersError { file: PathBuf::new(), faults })?;
        Ok(Self::of(written, seed))
    }

    fn of(written: Written, seed: &[u8; 32]) -> Self {
        let known: HashMap<_, _, _> =
            written.users.into_iter().map(|(name, entry)| (name, entry.verifier)).collect();
        let mut counts: HashMap<u32, usize> = HashMap::new();
        known.values().for_each(|verifier: &Verifier| *counts.entry(verifier.iterations).or_default() += 1);
        let usual = counts.into_iter().max_by_key(|(iterations, count)| (*count, *iterations));
        Self {
            known,
            secret: written.secret.unwrap_or_else(|| hmac(seed, b"salts")),
            iterations: usual.map_or(ITERATIONS_DEFAULT, |(iterations, _)| iterations),
            checked: Checked::new(&hmac(seed, b"checked")),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The answer where it costs nothing: these very credentials were right a while ago.
    pub fn recall(&self, credentials: &Credentials) -> Option<Principal> {
        let name = prepare_name(&credentials.user).ok()?;
        let fits = credentials.password.len() <= super::PASSWORD_BYTES_MAX;
        (fits && self.checked.has(credentials)).then(|| Principal { name: name.into_owned() })
    }

    /// Whether the password is the user's. Takes its time, for names that are not known as well, so that
    /// the time does not tell them apart.
    pub fn check(&self, credentials: &Credentials) -> Verdict {
        let name = prepare_name(&credentials.user).map_err(|_| Denied::Unreadable)?;
        let password = prepare_password(&credentials.password).map_err(|_| Denied::Unreadable)?;
        let (verifier, known) = self.verifier(&name);
        match (verifier.is_of(&password), known) {
            (_, false) => Err(Denied::UnknownUser),
            (false, true) => Err(Denied::WrongPassword),
            (true, true) => {
                self.checked.add(credentials);
                Ok(Principal { name: name.into_owned() })
            }
        }
    }

    /// The verifier of a prepared name, and whether there is such a user. For others one is made up that
    /// looks the same each time and fits no password.
    pub(super) fn verifier(&self, name: &str) -> (Verifier, bool) {
        match self.known.get(name) {
            Some(verifier) => (verifier.clone(), true),
            None => (self.made_up(name), false),
        }
    }

    fn made_up(&self, name: &str) -> Verifier {
        let salt = hmac(&self.secret, name.as_bytes());
        let keys = hmac(&self.secret, &salt);
        Verifier {
            iterations: self.iterations,
            salt: salt.iter().copied().take(SALT_BYTES).collect(),
            stored_key: sha256(&keys),
            server_key: hmac(&keys, &salt),
        }
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

impl fmt::Display for UsersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.faults.iter().enumerate() {
            write!(f, "{}{}", if n == 0 { "" } else { "\n" }, self.file.display())?;
            if let Some((line, column)) = fault.at {
                write!(f, ":{line}:{column}")?;
            }
            write!(f, ": {}", fault.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for UsersError {}

/// The content of a users file, and its mode.
pub(super) fn read(file: &Path) -> Result<(String, u32), String> {
    let opened = fs::File::open(file).map_err(|error| error.to_string())?;
    let about = opened.metadata().map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is not a file".into());
    }
    let mut text = String::new();
    opened.take(FILE_MAX + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > FILE_MAX {
        return Err(format!("more than the {FILE_MAX} bytes that a users file may have"));
    }
    Ok((text, about.permissions().mode()))
}

/// Reads the content of a users file.
pub(super) fn parse(text: &str) -> Result<Written, Vec<Fault>> {
    let mut parser = Parser { text, faults: Vec::new(), written: Written::default() };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let start = error.span().map_or(0, |span| span.start);
        parser.fault(start, error.message().trim().to_owned());
    }
    if errors.is_empty() {
        parser.root(table.get_ref());
    }
    if parser.faults.is_empty() { Ok(parser.written) } else { Err(parser.faults) }
}

struct Parser<'a> {
    text: &'a str,
    faults: Vec<Fault>,
    written: Written,
}

impl Parser<'_> {
    fn fault(&mut self, at: usize, what: String) {
        self.faults.push(Fault { at: Some(place(self.text, at)), what });
    }

    fn root(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            let at = name.span().start;
            match (&**name.get_ref(), value.get_ref()) {
                ("secret", DeValue::String(text)) => match secret(text) {
                    Some(secret) => self.written.secret = Some(secret),
                    None => self.fault(value.span().start, "`secret` is 32 bytes in Base64".into()),
                },
                ("secret", _) => self.fault(value.span().start, "`secret` is a text".into()),
                ("user", DeValue::Table(users)) => self.users(users),
                ("user", DeValue::Array(users)) => self.list(users),
                ("user", _) => self.fault(at, FORM.into()),
                (other, _) => self.fault(at, format!("unknown key `{other}`: {FORM}")),
            }
        }
    }

    fn users(&mut self, users: &DeTable<'_>) {
        for (name, value) in users {
            let at = name.span().start;
            match value.get_ref() {
                DeValue::Table(keys) => self.user(name.get_ref(), at, keys),
                _ => self.fault(at, FORM.into()),
            }
        }
    }

    /// `[[user]]`, with the name as a key.
    fn list(&mut self, users: &[Spanned<DeValue<'_>>]) {
        for user in users {
            let at = user.span().start;
            let DeValue::Table(keys) = user.get_ref() else {
                self.fault(at, FORM.into());
                continue;
            };
            let name = keys.iter().find(|(key, _)| key.get_ref() == "name");
            match name.map(|(_, value)| (value.get_ref(), value.span().start)) {
                Some((DeValue::String(name), at)) => self.user(name, at, keys),
                Some((_, at)) => self.fault(at, "`name` is a text".into()),
                None => self.fault(at, "a user without `name`".into()),
            }
        }
    }

    fn user(&mut self, name: &str, at: usize, keys: &DeTable<'_>) {
        let mut password = None;
        for (key, value) in keys {
            match (&**key.get_ref(), value.get_ref()) {
                ("password", DeValue::String(text)) => match text.parse::<Verifier>() {
                    Ok(verifier) => password = Some(Entry { verifier, span: value.span() }),
                    Err(why) => return self.fault(value.span().start, format!("`password`: {why}")),
                },
                ("password", _) => return self.fault(value.span().start, "`password` is a text".into()),
                ("name", DeValue::String(same)) if &**same == name => {}
                (other, _) => {
                    let what = format!("unknown key `{other}` of a user: did you mean `password`?");
                    return self.fault(key.span().start, what);
                }
            }
        }
        let prepared = match prepare_name(name) {
            Ok(prepared) => prepared.into_owned(),
            Err(why) => return self.fault(at, format!("`{}` is no user name: {why}", name.escape_debug())),
        };
        let Some(entry) = password else {
            return self.fault(at, format!("user `{prepared}` has no `password`"));
        };
        if self.written.users.insert(prepared, entry).is_some() {
            self.fault(at, format!("user `{name}` is there already"));
        }
    }
}

fn secret(text: &str) -> Option<Hash> {
    let bytes = BASE64.decode(text).ok()?;
    (bytes.len() == HASH_BYTES).then(|| bytes.try_into().ok())?
}

/// Line and column of a byte, both from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}
