//! Readiness of sockets, and a tick for open loops.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};

use crate::fault::Result;
use crate::flow::TICK;

/// The token of the tick.
const TICKER: u64 = u64::MAX;

/// Level-triggered epoll over links that are known by a number.
pub(crate) struct Poll {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    ticker: Option<OwnedFd>,
}

/// What a socket is ready for. A closed or failed one counts as readable: the read tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) token: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

impl Poll {
    pub(crate) fn new() -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, events: Vec::with_capacity(1024), ticker: None })
    }

    pub(crate) fn add(&self, socket: impl AsFd, token: usize) -> Result<()> {
        Ok(epoll::add(&self.epoll, socket, epoll::EventData::new_u64(token as u64), epoll::EventFlags::IN)?)
    }

    /// Asks for reading, for writing, or both.
    pub(crate) fn want(&self, socket: impl AsFd, token: usize, read: bool, write: bool) -> Result<()> {
        let mut flags = epoll::EventFlags::empty();
        flags.set(epoll::EventFlags::IN, read);
        flags.set(epoll::EventFlags::OUT, write);
        Ok(epoll::modify(&self.epoll, socket, epoll::EventData::new_u64(token as u64), flags)?)
    }

    /// Makes `wait` return at every tick, which messages fall due at; `now` is on the clock that counts them.
    pub(crate) fn tick(&mut self, now: u64) -> Result<()> {
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
        let every = Timespec { tv_sec: 0, tv_nsec: TICK as _ };
        let first = Timespec { tv_sec: 0, tv_nsec: (TICK - now % TICK) as _ };
        let every = Itimerspec { it_interval: every, it_value: first };
        rustix::time::timerfd_settime(&timer, TimerfdTimerFlags::empty(), &every)?;
        epoll::add(&self.epoll, &timer, epoll::EventData::new_u64(TICKER), epoll::EventFlags::IN)?;
        self.ticker = Some(timer);
        Ok(())
    }

    /// Waits at most `timeout` (whole milliseconds) and fills `ready`.
    pub(crate) fn wait(&mut self, timeout: Duration, ready: &mut Vec<Ready>) -> Result<()> {
        ready.clear();
        self.events.clear();
        let timeout = Timespec { tv_sec: timeout.as_secs() as _, tv_nsec: timeout.subsec_nanos() as _ };
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &self.events {
            let (token, flags) = (event.data.u64(), event.flags);
            if token == TICKER {
                self.swallow_tick();
                continue;
            }
            let broken = flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR);
            ready.push(Ready {
                token: token as usize,
                readable: broken || flags.contains(epoll::EventFlags::IN),
                writable: broken || flags.contains(epoll::EventFlags::OUT),
            });
        }
        Ok(())
    }

    fn swallow_tick(&self) {
        if let Some(ticker) = &self.ticker {
            // How many ticks have passed is read from the clock, not from here.
            let _ = rustix::io::read(ticker, &mut [0_u8; 8]);
        }
    }
}
