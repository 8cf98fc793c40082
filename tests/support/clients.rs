//! The real clients that users have: mosquitto_pub and mosquitto_sub, and scripts over other clients.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::broker::Broker;
use super::wait::PATIENCE;

const INSTALL: &str = "install the clients with tests/support/install-clients";

/// How a client ended and what it printed.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A client that runs. Dropped, also by a panic, it is killed.
pub(crate) struct Client {
    child: Child,
    lines: Receiver<String>,
    err: Option<JoinHandle<String>>,
    said: String,
    name: String,
}

impl Client {
    fn spawn(command: &mut Command) -> Self {
        let name = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}; {INSTALL}"));
        let out = child.stdout.take().unwrap();
        let mut errors = child.stderr.take().unwrap();
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let err = thread::spawn(move || {
            let mut text = String::new();
            let _ = errors.read_to_string(&mut text);
            text
        });
        Self { child, lines, err: Some(err), said: String::new(), name }
    }

    /// The next line it prints.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.said.push_str(&line);
                self.said.push('\n');
                line
            }
            Err(why) => {
                let _ = self.child.kill();
                let err = self.err.take().unwrap().join().unwrap();
                panic!("{} printed no further line ({why}); before: {}{err}", self.name, self.said)
            }
        }
    }

    /// Reads lines until one holds `part`.
    #[track_caller]
    pub(crate) fn wait_line(&mut self, part: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub(crate) fn ended(mut self, patience: Duration) -> Ended {
        let deadline = Instant::now() + patience;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said.push_str(&line);
                    self.said.push('\n');
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    let err = self.err.take().unwrap().join().unwrap();
                    panic!("{} did not end within {patience:?}; it said: {}{err}", self.name, self.said);
                }
            }
        }
        let code = self.child.wait().unwrap().code();
        let err = self.err.take().unwrap().join().unwrap();
        Ended { code, out: std::mem::take(&mut self.said), err }
    }

    /// Waits until it ends by itself, which must be with success; gives what it printed.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        let name = self.name.clone();
        let ended = self.ended(PATIENCE);
        assert_eq!(ended.code, Some(0), "{name}: {}{}", ended.out, ended.err);
        ended.out
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Both fail only where the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `mosquitto_pub` or `mosquitto_sub` against that listener; arguments are split at blanks, `_` in them is one.
pub(crate) fn mosquitto(program: &str, address: SocketAddr, arguments: &str) -> Client {
    let mut command = Command::new(program);
    command.args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()]);
    command.args(arguments.split_whitespace().map(|argument| argument.replace('_', " ")));
    Client::spawn(&mut command)
}

/// Any other program.
pub(crate) fn run(command: &mut Command) -> Client {
    Client::spawn(command)
}

/// Publishes with `mosquitto_pub`, which must succeed.
#[track_caller]
pub(crate) fn publish(address: SocketAddr, arguments: &str) {
    mosquitto("mosquitto_pub", address, arguments).done();
}

/// A `mosquitto_sub` whose subscription the broker has granted; what it prints is what it receives.
#[track_caller]
pub(crate) fn subscribe(address: SocketAddr, arguments: &str) -> Client {
    let mut command = Command::new("stdbuf");
    command.args(["-oL", "mosquitto_sub", "-d"]);
    command.args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()]);
    command.args(arguments.split_whitespace().map(|argument| argument.replace('_', " ")));
    let mut client = Client::spawn(&mut command);
    client.wait_line("Subscribed");
    client
}

impl Client {
    /// The next line that is no report of the client about itself.
    #[track_caller]
    pub(crate) fn message(&mut self) -> String {
        loop {
            let line = self.line();
            if !line.starts_with("Client ") && !line.starts_with("Subscribed") {
                return line;
            }
        }
    }
}

/// Runs a script of `tests/interop` with the addresses of the broker and further arguments.
pub(crate) fn script(name: &str, broker: &Broker, arguments: &[&str]) -> Client {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/test-venv/bin/python");
    assert!(python.exists(), "{} is missing; {INSTALL}", python.display());
    let mut command = Command::new(python);
    command.arg("-u").arg(root.join("tests/interop").join(name));
    command.args([broker.mqtt().port().to_string(), broker.stomp().port().to_string()]).args(arguments);
    Client::spawn(&mut command)
}

/// Runs a whole script, which must succeed.
#[track_caller]
pub(crate) fn run_script(name: &str, broker: &Broker, arguments: &[&str]) {
    let said = script(name, broker, arguments).ended(Duration::from_secs(60));
    assert_eq!(said.code, Some(0), "{name} {arguments:?}:\n{}{}", said.out, said.err);
}
