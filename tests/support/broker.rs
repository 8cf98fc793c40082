//! The real program as a child process, on free ports and a data directory of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::wait::{PATIENCE, until};

/// How a broker is to be started; kept over a restart, so that the same data are found again.
#[derive(Clone)]
pub(crate) struct Setup {
    home: Arc<TempDir>,
    arguments: Vec<String>,
    memory: bool,
}

impl Setup {
    /// Both protocols on free ports, an empty data directory on the disk that also holds the build.
    pub(crate) fn new() -> Self {
        let home =
            tempfile::Builder::new().prefix("broker-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self { home: Arc::new(home), arguments: Vec::new(), memory: false }.set("limits.disk_free_min=16MiB")
    }

    /// Keeps nothing on disk.
    pub(crate) fn memory(mut self) -> Self {
        self.memory = true;
        self
    }

    /// Listens at this URL too.
    pub(crate) fn listen(mut self, url: &str) -> Self {
        self.arguments.extend(["--listen".to_owned(), url.to_owned()]);
        self
    }

    /// Makes certificates for localhost.
    pub(crate) fn dev_tls(mut self) -> Self {
        self.arguments.push("--dev-tls".to_owned());
        self
    }

    /// Sets a configuration key: `section.key=value`.
    pub(crate) fn set(mut self, key: &str) -> Self {
        self.arguments.extend(["--set".to_owned(), key.to_owned()]);
        self
    }

    /// Reads these lines of TOML as the configuration file.
    pub(crate) fn config(mut self, toml: &str) -> Self {
        let file = self.home.path().join("wharfmq.toml");
        fs::write(&file, toml).unwrap();
        self.arguments.extend(["--config".to_owned(), file.to_str().unwrap().to_owned()]);
        self
    }

    /// Where the broker keeps its data.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Starts the broker and waits until it accepts.
    #[track_caller]
    pub(crate) fn start(self) -> Broker {
        let mut broker = self.spawn();
        broker.wait_ready();
        broker
    }

    /// Starts the broker, which must give up by itself; gives its exit code and all it said.
    #[track_caller]
    pub(crate) fn refuses_to_start(&self) -> (Option<i32>, String) {
        let mut broker = self.clone().spawn();
        let ready = broker.log.wait(|line| line.contains("ready in "));
        assert_eq!(ready, None, "it started");
        let status = broker.wait_exit();
        (status.code(), broker.log.finished())
    }

    fn spawn(self) -> Broker {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharfmq"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WHARFMQ__") {
                command.env_remove(name);
            }
        }
        command.args(["--listen", "mqtt://127.0.0.1:0", "--listen", "stomp://127.0.0.1:0"]);
        if self.memory {
            command.arg("--memory");
        } else {
            command.arg("--data-dir").arg(self.data_dir());
        }
        command.args(&self.arguments).current_dir(self.home.path());
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Lines::read(child.stderr.take().unwrap());
        Broker { child, setup: self, log, bound: Vec::new() }
    }
}

/// A running broker. Dropped, also by a panic, it is killed.
pub(crate) struct Broker {
    child: Child,
    setup: Setup,
    log: Lines,
    bound: Vec<(String, SocketAddr)>,
}

impl Broker {
    pub(crate) fn start() -> Self {
        Setup::new().start()
    }

    /// How it was started: to start it again on the same data.
    pub(crate) fn setup(&self) -> Setup {
        self.setup.clone()
    }

    pub(crate) fn mqtt(&self) -> SocketAddr {
        self.address("mqtt")
    }

    pub(crate) fn stomp(&self) -> SocketAddr {
        self.address("stomp")
    }

    /// Where the listener of that scheme is bound.
    #[track_caller]
    pub(crate) fn address(&self, scheme: &str) -> SocketAddr {
        let found = self.bound.iter().find(|(name, _)| name == scheme);
        found.unwrap_or_else(|| panic!("no {scheme} listener in: {}", self.log.text())).1
    }

    /// Ends the process at once, as a crash does, and waits until it is gone.
    pub(crate) fn kill(mut self) -> Setup {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.setup.clone()
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
    }

    /// Asks it to read again what it can.
    pub(crate) fn hang_up(&self) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
    }

    /// Asks it to stop and waits until it has, which must be a clean stop.
    #[track_caller]
    pub(crate) fn stop(mut self) -> Setup {
        self.terminate();
        let status = self.wait_exit();
        assert_eq!(status.code(), Some(0), "{}", self.log.finished());
        self.setup.clone()
    }

    /// Waits until the process has ended by itself.
    #[track_caller]
    pub(crate) fn wait_exit(&mut self) -> ExitStatus {
        let mut status = None;
        until("the broker ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Whether the process still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The memory that the process occupies now, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Sockets that the process holds open, listeners included.
    pub(crate) fn sockets(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let links = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    /// Waits until a line of the log holds all the parts.
    #[track_caller]
    pub(crate) fn wait_log(&self, parts: &[&str]) -> String {
        let found = self.log.wait(|line| parts.iter().all(|part| line.contains(part)));
        found.unwrap_or_else(|| panic!("no line with {parts:?} in the log:\n{}", self.log.text()))
    }

    #[track_caller]
    fn wait_ready(&mut self) {
        let ready = self.log.wait(|line| line.contains("ready in "));
        assert!(ready.is_some(), "the broker did not become ready:\n{}", self.log.text());
        self.bound = bound(&self.log.text());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Both fail only where the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- log of the broker ---\n{}", self.log.finished());
        }
    }
}

/// The listeners and their bound addresses: every URL that the log names, with the address said for it.
fn bound(log: &str) -> Vec<(String, SocketAddr)> {
    let mut found: Vec<(String, SocketAddr)> = Vec::new();
    let mut scheme = None;
    let words = log.split(|c: char| c.is_whitespace() || ",;()[]=\"'".contains(c));
    for word in words {
        let address = match word.split_once("://") {
            Some((name, rest)) => {
                scheme = Some(name.to_owned());
                rest.split(['/', '?']).next().unwrap()
            }
            None => word,
        };
        if let (Some(scheme), Ok(address)) = (&scheme, address.parse::<SocketAddr>())
            && address.port() != 0
        {
            found.push((scheme.clone(), address));
        }
    }
    found
}

/// The lines of a stream, read by a thread so that the writer never waits.
struct Lines {
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    fn read(from: impl std::io::Read + Send + 'static) -> Self {
        let shared = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let writer = Arc::clone(&shared);
        thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                writer.0.lock().unwrap().lines.push(line);
                writer.1.notify_all();
            }
            writer.0.lock().unwrap().ended = true;
            writer.1.notify_all();
        });
        Self { shared }
    }

    fn text(&self) -> String {
        self.shared.0.lock().unwrap().lines.join("\n")
    }

    /// All of it, once the writer is gone.
    fn finished(&self) -> String {
        self.wait(|_| false);
        self.text()
    }

    /// The first line that `wanted` picks; `None` where the writer ended or the time ran out without it.
    fn wait(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shared.0.lock().unwrap();
        loop {
            if let Some(line) = state.lines.iter().find(|line| wanted(line)) {
                return Some(line.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.ended || left == Duration::ZERO {
                return None;
            }
            state = self.shared.1.wait_timeout(state, left).unwrap().0;
        }
    }
}

/// The files below `dir` whose name ends in `suffix`, by name.
pub(crate) fn files(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(suffix) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
