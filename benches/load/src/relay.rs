//! The least a broker could do: MQTT's greeting, then every byte of a publisher to every subscriber, unread.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::fault::{Doing, Result};
use crate::poll::{Poll, Ready};

const LISTENER: usize = 0;
const BUFFER: usize = 256 << 10;

/// While a subscriber has this much waiting, no publisher is read.
const BACKLOG: usize = 1 << 20;

/// Serves until it is ended from outside.
pub(crate) fn run(listen: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).doing(|| format!("listen on {listen}"))?;
    listener.set_nonblocking(true).doing(|| "set non-blocking".to_owned())?;
    let poll = Poll::new()?;
    poll.add(&listener, LISTENER)?;
    let mut relay = Relay { poll, listener, peers: HashMap::new(), next: 1, buffer: vec![0; BUFFER] };
    let mut ready = Vec::new();
    loop {
        relay.poll.wait(Duration::from_secs(1), &mut ready)?;
        for &Ready { token, readable, writable } in &ready {
            relay.serve(token, readable, writable)?;
        }
    }
}

struct Relay {
    poll: Poll,
    listener: TcpListener,
    peers: HashMap<usize, Peer>,
    next: usize,
    buffer: Vec<u8>,
}

struct Peer {
    stream: TcpStream,
    role: Role,
    waiting: Vec<u8>,
    interest: (bool, bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    New,
    Subscriber,
    Publisher,
}

impl Relay {
    fn serve(&mut self, token: usize, readable: bool, writable: bool) -> Result<()> {
        if token == LISTENER {
            return self.accept();
        }
        if writable && let Some(peer) = self.peers.get_mut(&token) {
            peer.flush();
        }
        if readable {
            self.read(token);
        }
        self.settle_interests()
    }

    fn accept(&mut self) -> Result<()> {
        while let Ok((stream, _)) = self.listener.accept() {
            stream.set_nonblocking(true).doing(|| "set non-blocking".to_owned())?;
            stream.set_nodelay(true).doing(|| "set no-delay".to_owned())?;
            self.poll.add(&stream, self.next)?;
            let peer = Peer { stream, role: Role::New, waiting: Vec::new(), interest: (true, false) };
            self.peers.insert(self.next, peer);
            self.next += 1;
        }
        Ok(())
    }

    fn read(&mut self, token: usize) {
        let Some(peer) = self.peers.get_mut(&token) else { return };
        let bytes = match peer.stream.read(&mut self.buffer) {
            Ok(bytes) if bytes > 0 => &self.buffer[..bytes],
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            _ => {
                self.peers.remove(&token);
                return;
            }
        };
        if peer.role != Role::Publisher {
            peer.greet(bytes);
        }
        if peer.role == Role::Publisher {
            for peer in self.peers.values_mut().filter(|peer| peer.role == Role::Subscriber) {
                peer.send(bytes);
            }
        }
    }

    fn settle_interests(&mut self) -> Result<()> {
        let full = self.peers.values().any(|peer| peer.waiting.len() > BACKLOG);
        for (token, peer) in &mut self.peers {
            let interest = (peer.role != Role::Publisher || !full, !peer.waiting.is_empty());
            if interest != peer.interest {
                self.poll.want(&peer.stream, *token, interest.0, interest.1)?;
                peer.interest = interest;
            }
        }
        Ok(())
    }
}

impl Peer {
    /// The load program sends CONNECT and SUBSCRIBE one at a time and waits for each answer.
    fn greet(&mut self, bytes: &[u8]) {
        match bytes.first().map(|first| first >> 4) {
            Some(1) => self.send(&[0x20, 2, 0, 0]),
            Some(8) => {
                self.role = Role::Subscriber;
                self.send(&[0x90, 3, 0, 1, bytes.last().copied().unwrap_or(0)]);
            }
            Some(3) => self.role = Role::Publisher,
            _ => {}
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        let mut written = 0;
        if self.waiting.is_empty() {
            while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
                let Ok(more) = self.stream.write(rest) else { break };
                written += more;
            }
        }
        self.waiting.extend_from_slice(&bytes[written..]);
    }

    fn flush(&mut self) {
        while let Ok(written) = self.stream.write(&self.waiting) {
            self.waiting.drain(..written);
            if self.waiting.is_empty() {
                break;
            }
        }
    }
}
