//! One connection of a load: non-blocking, with whole blocks written and large reads scanned in place.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use crate::fault::{Doing, Fault, Result};
use crate::flow::Flow;
use crate::poll::Poll;
use crate::stream::Stream;
use crate::wire::{Seen, Wire};

/// No more is read while this much of our own answers waits to be written.
const REPLY_LIMIT: usize = 1 << 20;

/// Blocks written in one turn, so that acknowledgements are read in between.
const BLOCKS_PER_TURN: usize = 4;

/// How long a broker may be silent before a connection is closed on it.
const FAREWELL: Duration = Duration::from_secs(2);

/// A connection and both its directions.
pub(crate) struct Link {
    stream: Stream,
    wire: Wire,
    input: Vec<u8>,
    filled: usize,
    reply: Vec<u8>,
    replied: usize,
    interest: (bool, bool),
    /// Set for a producer.
    pub(crate) flow: Option<Flow>,
    /// Set for a consumer: the ledger it shares or has for itself.
    pub(crate) ledger: Option<usize>,
    /// The last number seen here of every producer.
    pub(crate) order: Vec<u64>,
}

impl Link {
    /// `first` is written before anything else. `buffer` bytes must hold the largest frame.
    pub(crate) fn new(stream: Stream, wire: Wire, first: Vec<u8>, buffer: usize) -> Result<Self> {
        stream.socket().set_nonblocking(true).doing(|| "set non-blocking".to_owned())?;
        Ok(Self {
            stream,
            wire,
            input: vec![0; buffer],
            filled: 0,
            reply: first,
            replied: 0,
            interest: (true, false),
            flow: None,
            ledger: None,
            order: Vec::new(),
        })
    }

    pub(crate) fn register(&self, poll: &Poll, token: usize) -> Result<()> {
        poll.add(&self.stream, token)
    }

    /// One read; the caller then scans. Answers whether to read again before the next poll.
    pub(crate) fn read(&mut self) -> Result<bool> {
        if self.filled == self.input.len() {
            return Fault::broken("a frame is larger than the read buffer");
        }
        match self.stream.read(&mut self.input[self.filled..]) {
            Ok(0) => Fault::broken("the broker closed a connection"),
            Ok(bytes) => {
                self.filled += bytes;
                Ok(self.stream.keeps_input())
            }
            Err(error) if is_transient(&error) => Ok(false),
            Err(error) => Err(error).doing(|| "read".to_owned()),
        }
    }

    /// Hands all whole frames that were read to what `seen` makes of the link's own state.
    pub(crate) fn scan<'a, S: Seen>(
        &'a mut self,
        seen: impl FnOnce(Option<&'a mut Flow>, &'a mut Vec<u64>, Option<usize>) -> S,
    ) -> Result<S> {
        let mut seen = seen(self.flow.as_mut(), &mut self.order, self.ledger);
        let taken = self.wire.scan(&self.input[..self.filled], &mut self.reply, &mut seen)?;
        self.input.copy_within(taken..self.filled, 0);
        self.filled -= taken;
        Ok(seen)
    }

    /// Writes what waits and stages more as far as `allowed` messages go; `true` if even more could follow.
    pub(crate) fn pump(&mut self, mut allowed: u64, now: u64) -> Result<bool> {
        for _ in 0..BLOCKS_PER_TURN {
            if !self.flush()? {
                return Ok(false);
            }
            let staged = self.flow.as_mut().map_or(0, |flow| flow.stage(allowed, now));
            if staged == 0 {
                return Ok(false);
            }
            allowed -= staged as u64;
        }
        self.flush()
    }

    /// Ends the connection so that the broker has taken all that was acknowledged on it: what is closed with
    /// acknowledgements unread is delivered again. Gives up when the broker is silent for long.
    pub(crate) fn farewell(mut self) -> std::io::Result<()> {
        if self.flow.as_ref().is_some_and(|flow| flow.block.inside_frame()) {
            return Ok(());
        }
        let (last, answer) = self.wire.farewell();
        let socket = self.stream.socket();
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(FAREWELL))?;
        socket.set_write_timeout(Some(FAREWELL))?;
        self.stream.write_all(&self.reply[self.replied..])?;
        self.stream.write_all(last)?;
        let mut tail = Vec::new();
        while memchr::memmem::find(&tail, answer).is_none() {
            let bytes = self.stream.read(&mut self.input)?;
            if bytes == 0 {
                break;
            }
            tail.drain(..tail.len().saturating_sub(answer.len()));
            tail.extend_from_slice(&self.input[..bytes]);
        }
        Ok(())
    }

    /// Writes what waits; `false` if the socket takes no more. Answers go out between two frames of a block.
    fn flush(&mut self) -> Result<bool> {
        if let Some(flow) = &mut self.flow
            && flow.block.inside_frame()
            && !write_block(&mut self.stream, flow)?
        {
            return Ok(false);
        }
        while self.replied < self.reply.len() {
            match write(&mut self.stream, &self.reply[self.replied..])? {
                0 => return Ok(false),
                bytes => self.replied += bytes,
            }
        }
        self.reply.clear();
        self.replied = 0;
        let written = self.flow.as_mut().map_or(Ok(true), |flow| write_block(&mut self.stream, flow))?;
        if written && self.stream.holds_output() {
            // What it can't write now it says by `holds_output`.
            let _ = self.stream.flush();
        }
        Ok(written)
    }

    /// Tells the poll what this link waits for, if that has changed.
    pub(crate) fn settle_interest(&mut self, poll: &Poll, token: usize) -> Result<()> {
        let waiting = self.reply.len() - self.replied;
        let blocked = waiting > 0
            || self.stream.holds_output()
            || self.flow.as_ref().is_some_and(|flow| !flow.block.unsent().is_empty());
        let interest = (waiting < REPLY_LIMIT, blocked);
        if interest != self.interest {
            poll.want(&self.stream, token, interest.0, interest.1)?;
            self.interest = interest;
        }
        Ok(())
    }
}

/// `false` if the socket takes no more.
fn write_block(stream: &mut Stream, flow: &mut Flow) -> Result<bool> {
    while !flow.block.unsent().is_empty() {
        match write(stream, flow.block.unsent())? {
            0 => return Ok(false),
            bytes => flow.block.sent(bytes),
        }
    }
    Ok(true)
}

/// Bytes written, 0 if the socket takes none now.
fn write(stream: &mut Stream, bytes: &[u8]) -> Result<usize> {
    match stream.write(bytes) {
        Ok(written) => Ok(written),
        Err(error) if is_transient(&error) => Ok(0),
        Err(error) => Err(error).doing(|| "write".to_owned()),
    }
}

fn is_transient(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
