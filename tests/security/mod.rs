//! Who is let in, and who is not.

mod jms;
mod logins;
mod scram;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::{Broker, Setup};

/// A users file in a folder of its own.
struct Users(TempDir);

impl Users {
    /// With these users, added by the program itself.
    fn new(users: &[(&str, &str)]) -> Self {
        let users_file = Self(tempfile::tempdir().unwrap());
        users.iter().for_each(|(name, password)| users_file.change(&["add", name], password));
        users_file
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("users.toml")
    }

    /// Runs `wharfmq user`, which must succeed.
    #[track_caller]
    fn change(&self, arguments: &[&str], password: &str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharfmq"));
        command.arg("user").args(arguments).arg("--users-file").arg(self.path()).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
        assert!(child.wait().unwrap().success(), "{arguments:?}");
    }

    fn setup(&self) -> Setup {
        Setup::new().memory().set(&format!("security.users_file={}", shown(&self.path())))
    }

    /// A broker that lets only these users in.
    fn broker(&self) -> Broker {
        self.setup().set("security.allow_anonymous=false").start()
    }
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}
