//! Logins: who a client is, checked off the data path.
//!
//! A password costs thousands of rounds of hashing. Threads of their own do that, a bounded number of
//! logins wait for them, and what was right once is remembered until the users are read anew.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{Builder, available_parallelism};

use arc_swap::ArcSwapOption;
use parking_lot::{Condvar, Mutex};
use wharfmq_base::LogLimit;
use wharfmq_core::{CoreEvent, Outbox};

use super::{Broker, Port};
use crate::security::{Credentials, Denied, Principal, Users};

/// Logins that wait for a thread; further ones are told that the broker is busy.
const WAITING_MAX: usize = 4_096;
/// Threads at most: half of the processors stay free of this work in any case.
const THREADS_MAX: usize = 8;
/// Lines a second about logins that were refused.
const LINES: u64 = 100;

/// The answer to a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// The client may stay; [`Port::principal`] says who it is, if it said so.
    Granted,
    /// It is being checked; [`CoreEvent::Authenticated`] follows.
    Wait,
    /// The client has to go.
    Denied(Denied),
}

/// Checks logins.
#[derive(Debug, Default)]
pub(super) struct Logins {
    /// `None` where no users file is configured.
    users: ArcSwapOption<Users>,
    desk: Arc<Desk>,
    refused: AtomicU64,
    lines: LogLimit<LINES>,
}

#[derive(Debug, Default)]
struct Desk {
    queue: Mutex<Queue>,
    came: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Job>,
    threads: usize,
    stopping: bool,
}

/// A login to be checked. Who is gone by then does not have to be.
#[derive(Debug)]
struct Job {
    credentials: Credentials,
    users: Arc<Users>,
    outbox: Weak<Outbox>,
}

impl Logins {
    fn start(&self) -> io::Result<()> {
        let mut queue = self.desk.queue.lock();
        let processors = available_parallelism().map_or(1, usize::from);
        while queue.threads < (processors / 2).clamp(1, THREADS_MAX) {
            let desk = Arc::clone(&self.desk);
            Builder::new().name("login".into()).spawn(move || desk.work())?;
            queue.threads += 1;
        }
        Ok(())
    }

    /// False where too many wait.
    fn check(&self, job: Job) -> bool {
        let mut queue = self.desk.queue.lock();
        if queue.waiting.len() >= WAITING_MAX {
            return false;
        }
        queue.waiting.push_back(job);
        drop(queue);
        self.desk.came.notify_one();
        true
    }
}

impl Drop for Logins {
    fn drop(&mut self) {
        let mut queue = self.desk.queue.lock();
        queue.stopping = true;
        queue.waiting.clear();
        drop(queue);
        self.desk.came.notify_all();
    }
}

impl Desk {
    fn work(&self) {
        let mut queue = self.queue.lock();
        while !queue.stopping {
            let Some(job) = queue.waiting.pop_front() else {
                self.came.wait(&mut queue);
                continue;
            };
            drop(queue);
            job.done();
            queue = self.queue.lock();
        }
    }
}

impl Job {
    fn done(self) {
        if self.outbox.strong_count() == 0 {
            return;
        }
        let verdict = self.users.check(&self.credentials);
        if let Some(outbox) = self.outbox.upgrade() {
            let verdict = verdict.map(|principal| principal.name.into()).map_err(Denied::text);
            outbox.push(CoreEvent::Authenticated(verdict));
        }
    }
}

impl Broker {
    /// Takes these users from now on; logins that are being checked are judged by the earlier ones.
    ///
    /// # Errors
    /// Where the threads that check logins cannot be started.
    pub fn set_users(&self, users: Users) -> io::Result<()> {
        self.logins.start()?;
        self.logins.users.store(Some(Arc::new(users)));
        Ok(())
    }

    /// Logins refused since the start.
    pub fn refused_logins(&self) -> u64 {
        self.logins.refused.load(Ordering::Relaxed)
    }
}

impl Port {
    /// Asks whether the client may come in with what it has given, if anything: by its name and password
    /// where there are users, else by its certificate, else without a name where the listener allows it.
    pub fn login(&mut self, given: Option<Credentials>) -> Login {
        let users = self.users();
        match (given, users) {
            (Some(credentials), Some(users)) => self.authenticate(credentials, users),
            _ if let Some(name) = &self.peer.certificate => {
                self.principal = Some(Box::new(Principal { name: name.clone() }));
                Login::Granted
            }
            _ if self.peer.anonymous => Login::Granted,
            (Some(_), None) => Login::Denied(Denied::NoUsers),
            (None, _) => Login::Denied(Denied::Anonymous),
        }
    }

    fn authenticate(&mut self, credentials: Credentials, users: Arc<Users>) -> Login {
        if let Some(principal) = users.recall(&credentials) {
            self.is_now(principal);
            return Login::Granted;
        }
        let outbox = Arc::downgrade(&self.outbox);
        match self.broker.logins.check(Job { credentials, users, outbox }) {
            true => Login::Wait,
            false => Login::Denied(Denied::Busy),
        }
    }

    /// The users of the broker, where there is a users file.
    pub fn users(&self) -> Option<Arc<Users>> {
        self.broker.logins.users.load_full()
    }

    /// Who the client is, once it has proved it.
    pub fn principal(&self) -> Option<&Principal> {
        self.principal.as_deref()
    }

    /// The client has proved that it is this one.
    pub fn is_now(&mut self, principal: Principal) {
        self.principal = Some(Box::new(principal));
    }

    /// Counts a login that was refused, and has the log say who it was, from where, and why.
    pub fn report_refused(&self, user: Option<&str>, why: &str) {
        let logins = &self.broker.logins;
        logins.refused.fetch_add(1, Ordering::Relaxed);
        let Some(suppressed) = logins.lines.pass(self.now.mono) else { return };
        let (addr, listener) = (self.peer.addr, self.peer.listener);
        // As debugging output: a name is a stranger's text, and must not make lines of its own.
        let user = user.map(|name| name.chars().take(NAME_SHOWN_MAX).collect::<String>());
        let user = user.map(tracing::field::debug);
        tracing::warn!(target: "audit", user, %addr, listener, suppressed, "login refused: {why}");
    }
}

/// Characters of a name in the log.
const NAME_SHOWN_MAX: usize = 100;
