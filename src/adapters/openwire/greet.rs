//! WireFormatInfo: both sides agree on the format of frames, and on how long silence may last.

use std::sync::Arc;

use bytes::BytesMut;
use wharfmq_base::Millis;
use wharfmq_openwire::{
    BrokerId, BrokerInfo, CACHE_SIZE_MIN, Decoder, Encoder, Format, KeepAliveInfo, Proposal, Structure,
    VERSION_MAX, frame_len, negotiate,
};

use super::message::Known;
use super::producers::Producers;
use super::{OUT_HIGH, Open, OpenWireOptions, OpenWireSession, Phase, violation};
use crate::adapters::{Close, Progress};
use crate::broker::Port;

/// Entries of the object cache of each direction.
const CACHE_SIZE: i32 = 1_024;
/// Milliseconds before silence is looked at.
const INACTIVITY_DELAY: i64 = 10_000;
/// Parts of the time of silence after which something is said.
const WRITES_A_READ: u64 = 3;

/// What is heard and said on a connection, and when the next sign of life is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeepAlive {
    /// Silence for so long means that the client is lost; [`Millis::NEVER`] for never.
    span: Millis,
    /// Nothing is looked at before this time.
    begins: Millis,
    /// When something was last heard and last said, on the monotonic clock.
    pub(super) heard: Millis,
    pub(super) sent: Millis,
}

impl OpenWireSession {
    pub(super) fn on_greeting(&mut self, input: &mut BytesMut, port: &mut Port) -> Result<Progress, Close> {
        let len = frame_len(input, self.options.max_frame_before_login).map_err(violation)?;
        let Some(len) = len.filter(|len| *len <= input.len()) else { return Ok(Progress::NeedInput) };
        let body = input.split_to(len).freeze().slice(4..);
        if body.first() != Some(&1) {
            return Err(violation(wharfmq_openwire::Error::Magic));
        }
        let read = Decoder::new(Format::default()).decode(&body).map_err(violation)?;
        let Structure::WireFormatInfo(info) = read else {
            return Err(violation(wharfmq_openwire::Error::Magic));
        };
        let theirs = Proposal::read(&info).map_err(violation)?;
        let mut ours = proposal(&self.options);
        // A cache that is too small would hang a writer of ActiveMQ's for good.
        ours.cache &= !(1..i32::from(CACHE_SIZE_MIN)).contains(&theirs.cache_size);
        port.out.with(|out| Encoder::new(Format::default()).encode(&ours.write(), out));
        if theirs.size_prefix_disabled {
            tracing::debug!(addr = %port.peer().addr, "frames keep their size before them");
        }
        let format = negotiate(&ours, &theirs);
        let mut open =
            Box::new(Open::new(Arc::clone(&self.options), format, keep_alive(&ours, &theirs, port)));
        open.say_broker(port);
        self.open = Some(open);
        Ok(if input.is_empty() { Progress::NeedInput } else { Progress::More })
    }
}

impl Open {
    fn new(options: Arc<OpenWireOptions>, format: Format, keep_alive: KeepAlive) -> Self {
        Self {
            options,
            decoder: Decoder::new(format),
            encoder: Encoder::new(format),
            keep_alive,
            client: None,
            proving: None,
            phase: Phase::Open,
            producers: Producers::new(format.cache > 0),
            consumers: Default::default(),
            transactions: Default::default(),
            replies: Default::default(),
            acks: Default::default(),
            effort: 0,
            early: 0,
            held: None,
            raw: BytesMut::new(),
            cursor: 0,
            known: Known::default(),
        }
    }

    /// Clients may wait for it before they send anything.
    fn say_broker(&mut self, port: &mut Port) {
        let info = BrokerInfo {
            broker_id: Some(Arc::new(BrokerId { value: Some((&*self.options.broker_id).into()) })),
            broker_name: Some((&*self.options.broker_name).into()),
            broker_url: Some("".into()),
            ..Default::default()
        };
        self.send(&info, port);
    }

    pub(super) fn deadline(&self) -> Option<Millis> {
        let deadline = self.keep_alive.deadline().min(self.next_pull_end()).min(self.patience());
        (deadline != Millis::NEVER).then_some(deadline)
    }

    pub(super) fn on_deadline(&mut self, port: &mut Port) -> Result<(), Close> {
        let now = port.now.mono;
        if self.patience() <= now {
            self.oust(port);
        }
        self.end_pulls(port);
        if self.keep_alive.read_by() <= now {
            if port.may_read() && port.out.len() < OUT_HIGH {
                return Err(Close::TimedOut("inactivity: nothing was heard for MaxInactivityDuration"));
            }
            // It is the broker that does not listen just now, or the client that is still reading.
            self.keep_alive.heard = now;
        }
        if self.keep_alive.write_by() <= now {
            if port.out.is_empty() {
                self.send(&KeepAliveInfo::default(), port);
            }
            self.keep_alive.sent = now;
        }
        Ok(())
    }
}

impl KeepAlive {
    fn read_by(&self) -> Millis {
        if self.span == Millis::NEVER { Millis::NEVER } else { self.heard.max(self.begins).plus(self.span) }
    }

    fn write_by(&self) -> Millis {
        if self.span == Millis::NEVER {
            return Millis::NEVER;
        }
        self.sent.plus(Millis((self.span.0 / WRITES_A_READ).max(1)))
    }

    fn deadline(&self) -> Millis {
        self.read_by().min(self.write_by())
    }
}

fn proposal(options: &OpenWireOptions) -> Proposal {
    Proposal {
        version: VERSION_MAX.into(),
        stack_traces: true,
        cache: true,
        cache_size: CACHE_SIZE,
        tight: true,
        size_prefix_disabled: false,
        tcp_no_delay: true,
        inactivity: options.max_inactivity,
        inactivity_delay: INACTIVITY_DELAY,
        max_frame: options.max_frame as i64,
        host: None,
        provider: [Some("WharfMQ".into()), Some(env!("CARGO_PKG_VERSION").into()), Some("Rust".into())],
    }
}

fn keep_alive(ours: &Proposal, theirs: &Proposal, port: &Port) -> KeepAlive {
    let least = |ours: i64, theirs: i64| ours.min(theirs).max(0) as u64;
    let now = port.now.mono;
    let span = match least(ours.inactivity, theirs.inactivity) {
        0 => Millis::NEVER,
        span => Millis(span),
    };
    let delay = Millis(least(ours.inactivity_delay, theirs.inactivity_delay));
    KeepAlive { span, begins: now.plus(delay), heard: now, sent: now }
}
