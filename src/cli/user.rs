//! `wharfmq user`: the users file.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::Failure;
use super::args::{UserCommand, UserOptions};
use crate::config;
use crate::security::{
    EditError, PASSWORD_BYTES_MAX, SALT_BYTES, UsersFile, Verifier, prepare_password, random,
};

/// Does what is asked about users.
pub(super) fn run(command: UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Add { name, iterations, options } => {
            let mut users = Editing::open(options)?;
            if users.file.has(&name).map_err(|why| users.failure(&why))? {
                return Err(users.failure(&EditError::Exists(name)));
            }
            let verifier = ask(&name, iterations)?;
            users.change(|file| file.add(&name, &verifier))
        }
        UserCommand::Passwd { name, iterations, options } => {
            let mut users = Editing::open(options)?;
            if !users.file.has(&name).map_err(|why| users.failure(&why))? {
                return Err(users.failure(&EditError::Missing(name)));
            }
            let verifier = ask(&name, iterations)?;
            users.change(|file| file.set(&name, &verifier))
        }
        UserCommand::Remove { name, options } => Editing::open(options)?.change(|file| file.remove(&name)),
        UserCommand::List { options } => list(&Editing::open(options)?),
    }
}

struct Editing {
    path: PathBuf,
    file: UsersFile,
}

impl Editing {
    /// The file that is named, or that of the configuration.
    fn open(options: UserOptions) -> Result<Self, Failure> {
        let path = match options.users_file {
            Some(path) => path,
            None => of_configuration(options)?,
        };
        match UsersFile::open(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(EditError::File(error)) => Err(Failure::Usage(error.to_string())),
            Err(why) => Err(Failure::Run(format!("{}: {why}", path.display()))),
        }
    }

    fn change(&mut self, how: impl FnOnce(&mut UsersFile) -> Result<(), EditError>) -> Result<(), Failure> {
        let done = how(&mut self.file).and_then(|()| self.file.save());
        done.map_err(|why| self.failure(&why))
    }

    fn failure(&self, why: &EditError) -> Failure {
        let what = format!("{}: {why}", self.path.display());
        match why {
            EditError::Name(_) | EditError::Exists(_) | EditError::Missing(_) => Failure::Usage(what),
            _ => Failure::Run(what),
        }
    }
}

/// What `security.users_file` names. The rest of the configuration may be as it is: the file may be
/// what it still lacks.
fn of_configuration(options: UserOptions) -> Result<PathBuf, Failure> {
    let file = config::users_file(&options.sources(std::env::vars_os()))?;
    file.ok_or_else(|| {
        Failure::Usage(
            "no users file: write --users-file FILE, or --config FILE of a configuration that sets \
             security.users_file"
                .into(),
        )
    })
}

fn list(users: &Editing) -> Result<(), Failure> {
    if !users.file.is_there() {
        return Err(Failure::Run(format!("{}: there is no such file", users.path.display())));
    }
    let mut out = io::stdout().lock();
    for (name, iterations) in users.file.list() {
        match writeln!(out, "{name}\tSCRAM-SHA-256, {iterations} iterations") {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            done => done.map_err(|error| Failure::Run(error.to_string()))?,
        }
    }
    Ok(())
}

/// Asks for a password and hashes it.
fn ask(name: &str, iterations: u32) -> Result<Verifier, Failure> {
    let password = if io::stdin().is_terminal() {
        let password = hidden(&format!("Password for {}: ", name.escape_debug()))?;
        if hidden("Once more: ")? != password {
            return Err(Failure::Usage("the two passwords differ; nothing was changed".into()));
        }
        password
    } else {
        line()?
    };
    let prepared = prepare_password(&password)
        .map_err(|why| Failure::Usage(format!("this password cannot be used: {why}")))?;
    let salt = random::<SALT_BYTES>().map_err(|why| Failure::Run(why.into()))?;
    Ok(Verifier::derive(&prepared, &salt, iterations))
}

/// A line from the terminal that is not shown.
fn hidden(prompt: &str) -> Result<Vec<u8>, Failure> {
    let failed = |error: io::Error| Failure::Run(format!("the terminal: {error}"));
    let _silence = Silence::begin().map_err(failed)?;
    eprint!("{prompt}");
    let line = line();
    eprintln!();
    line
}

/// A line of standard input without its end.
fn line() -> Result<Vec<u8>, Failure> {
    let mut line = Vec::new();
    let most = PASSWORD_BYTES_MAX as u64 + 2;
    io::Read::take(io::stdin().lock(), most)
        .read_until(b'\n', &mut line)
        .map_err(|error| Failure::Run(format!("standard input: {error}")))?;
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    Ok(line)
}

/// While this is there the terminal does not show what is typed.
struct Silence(Termios);

impl Silence {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing any more.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
