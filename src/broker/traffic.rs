//! What connections move, counted without a shared line of the cache per message.
//!
//! A connection counts in plain integers and adds them up once a round, to one of a few shards.

use std::sync::atomic::{AtomicU64, Ordering};

use wharfmq_core::ConnId;

use super::Port;

/// Shards of the totals.
const SHARDS: usize = 16;

/// What one connection has moved since it was last added up. A round moves far less than these can say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes read from the socket.
    pub bytes_in: u32,
    /// Bytes written to the socket.
    pub bytes_out: u32,
    /// Packets or frames of any kind that came.
    pub packets_in: u32,
    /// Packets or frames of any kind that went out.
    pub packets_out: u32,
    /// Messages published by the client.
    pub messages_in: u32,
    /// Messages sent to the client.
    pub messages_out: u32,
    /// Bytes of the bodies of what was published.
    pub bodies_in: u32,
    /// Bytes of the bodies of what was sent.
    pub bodies_out: u32,
}

impl Traffic {
    /// Messages were written for the client, with bodies of `bytes` in all.
    pub const fn sent(&mut self, messages: usize, bytes: usize) {
        self.packets_out = self.packets_out.wrapping_add(messages as u32);
        self.messages_out = self.messages_out.wrapping_add(messages as u32);
        self.bodies_out = self.bodies_out.wrapping_add(bytes as u32);
    }

    /// A message with a body of `bytes` was published.
    pub(super) const fn published(&mut self, bytes: u32) {
        self.messages_in = self.messages_in.wrapping_add(1);
        self.bodies_in = self.bodies_in.wrapping_add(bytes);
    }

    /// A packet has come.
    pub const fn heard(&mut self) {
        self.packets_in = self.packets_in.wrapping_add(1);
    }

    /// A packet that is no message goes out.
    pub const fn answered(&mut self) {
        self.packets_out = self.packets_out.wrapping_add(1);
    }
}

/// What all connections have moved since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// See [`Traffic::bytes_in`].
    pub bytes_in: u64,
    /// See [`Traffic::bytes_out`].
    pub bytes_out: u64,
    /// See [`Traffic::packets_in`].
    pub packets_in: u64,
    /// See [`Traffic::packets_out`].
    pub packets_out: u64,
    /// See [`Traffic::messages_in`].
    pub messages_in: u64,
    /// See [`Traffic::messages_out`].
    pub messages_out: u64,
    /// See [`Traffic::bodies_in`].
    pub bodies_in: u64,
    /// See [`Traffic::bodies_out`].
    pub bodies_out: u64,
}

/// One shard: a line of the cache of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard([AtomicU64; 8]);

/// The totals of all connections.
#[derive(Debug, Default)]
pub(super) struct Totals {
    shards: [Shard; SHARDS],
}

impl Totals {
    fn add(&self, conn: ConnId, traffic: &Traffic) {
        let values = [
            traffic.bytes_in,
            traffic.bytes_out,
            traffic.packets_in,
            traffic.packets_out,
            traffic.messages_in,
            traffic.messages_out,
            traffic.bodies_in,
            traffic.bodies_out,
        ];
        let Some(shard) = self.shards.get(conn.0 as usize % SHARDS) else { return };
        for (total, value) in shard.0.iter().zip(values).filter(|(_, value)| *value > 0) {
            total.fetch_add(u64::from(value), Ordering::Relaxed);
        }
    }

    /// The totals now.
    pub(super) fn moved(&self) -> Moved {
        let mut sums = [0_u64; 8];
        for shard in &self.shards {
            for (sum, value) in sums.iter_mut().zip(&shard.0) {
                *sum = sum.wrapping_add(value.load(Ordering::Relaxed));
            }
        }
        let [bytes_in, bytes_out, packets_in, packets_out, messages_in, messages_out, bodies_in, bodies_out] =
            sums;
        Moved {
            bytes_in,
            bytes_out,
            packets_in,
            packets_out,
            messages_in,
            messages_out,
            bodies_in,
            bodies_out,
        }
    }
}

impl Port {
    /// Adds what the connection has moved in this round to the broker's totals.
    pub fn add_up(&mut self) {
        if self.traffic != Traffic::default() {
            let traffic = std::mem::take(&mut self.traffic);
            self.broker.traffic.add(self.outbox.conn, &traffic);
        }
    }
}
