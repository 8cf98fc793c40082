//! Orders of one queue: what was settled, what was delivered in vain, what is live.

use super::wire::{Reader, checked, put_signed, put_varint, unzigzag, zigzag};
use super::{ORDERS, RecordError, VERSION};
use crate::{Order, QueueId};

/// Messages that left a queue for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settle<'a> {
    /// The queue.
    pub queue: QueueId,
    runs: &'a [u8],
}

impl<'a> Settle<'a> {
    /// Appends the payload of a [`super::kind::SETTLE`]. The orders may come in any sequence; ascending
    /// ones without gaps take least.
    pub fn encode(queue: QueueId, orders: impl IntoIterator<Item = Order>, out: &mut Vec<u8>) {
        begin(queue, out);
        let mut writer = RunWriter::default();
        for order in orders {
            writer.push(order, out);
        }
        writer.finish(out);
    }

    pub(super) fn decode(payload: &'a [u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(payload)?;
        let queue = reader.queue()?;
        let mut runs = Runs::new(reader.rest);
        while runs.read()?.is_some() {}
        Ok(Self { queue, runs: reader.rest })
    }

    /// The orders, as runs without gaps. A damaged record may claim runs of any length: compare with
    /// what the queue holds instead of counting through one.
    pub const fn runs(&self) -> Runs<'a> {
        Runs::new(self.runs)
    }
}

/// Iterates over runs of orders, each as its first and last.
#[derive(Clone, Copy, Debug)]
pub struct Runs<'a> {
    reader: Reader<'a>,
    end: u64,
}

impl<'a> Runs<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { reader: Reader { rest: bytes }, end: 0 }
    }

    fn read(&mut self) -> Result<Option<(Order, Order)>, RecordError> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let code = self.reader.varint()?;
        let more = if code & 1 == 1 { self.reader.varint()?.saturating_add(1) } else { 0 };
        let first =
            self.end.checked_add_signed(unzigzag(code >> 1)).ok_or(RecordError("order out of range"))?;
        let last = checked(first.saturating_add(more))?;
        self.end = last.0 + 1;
        Ok(Some((Order(first), last)))
    }
}

impl Iterator for Runs<'_> {
    type Item = (Order, Order);

    fn next(&mut self) -> Option<(Order, Order)> {
        self.read().ok().flatten()
    }
}

/// Writes orders as runs, keeping one run back while it may still grow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RunWriter {
    /// The open run, its end exclusive.
    run: Option<(u64, u64)>,
    /// End of the last run that was written.
    end: u64,
}

impl RunWriter {
    pub(super) fn push(&mut self, order: Order, out: &mut Vec<u8>) {
        debug_assert!(order.0 < ORDERS, "orders are below 2^62");
        match &mut self.run {
            Some((_, end)) if *end == order.0 => *end += 1,
            _ => {
                self.finish(out);
                self.run = Some((order.0, order.0 + 1));
            }
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        let Some((first, end)) = self.run.take() else { return };
        let gap = zigzag(first as i64 - self.end as i64) << 1;
        match end - first {
            1 => put_varint(gap, out),
            len => {
                put_varint(gap | 1, out);
                put_varint(len - 2, out);
            }
        }
        self.end = end;
    }
}

/// How often messages of a queue were delivered in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted<'a> {
    /// The queue.
    pub queue: QueueId,
    counts: &'a [u8],
}

impl<'a> Counted<'a> {
    /// Appends the payload of a [`super::kind::COUNTED`].
    pub fn encode(queue: QueueId, counts: impl IntoIterator<Item = (Order, u8)>, out: &mut Vec<u8>) {
        begin(queue, out);
        let mut last = 0;
        for (order, count) in counts {
            put_signed(order.0 as i64 - last, out);
            out.push(count);
            last = order.0 as i64;
        }
    }

    pub(super) fn decode(payload: &'a [u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(payload)?;
        let queue = reader.queue()?;
        let mut counts = CountedIter::new(reader.rest);
        while counts.read()?.is_some() {}
        Ok(Self { queue, counts: reader.rest })
    }

    /// The messages and their counts.
    pub const fn iter(&self) -> CountedIter<'a> {
        CountedIter::new(self.counts)
    }
}

impl<'a> IntoIterator for &Counted<'a> {
    type Item = (Order, u8);
    type IntoIter = CountedIter<'a>;

    fn into_iter(self) -> CountedIter<'a> {
        self.iter()
    }
}

/// Iterates over orders and counts.
#[derive(Clone, Copy, Debug)]
pub struct CountedIter<'a> {
    reader: Reader<'a>,
    last: u64,
}

impl<'a> CountedIter<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { reader: Reader { rest: bytes }, last: 0 }
    }

    fn read(&mut self) -> Result<Option<(Order, u8)>, RecordError> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let order =
            self.last.checked_add_signed(self.reader.signed()?).ok_or(RecordError("order out of range"))?;
        self.last = checked(order)?.0;
        Ok(Some((Order(order), self.reader.u8()?)))
    }
}

impl Iterator for CountedIter<'_> {
    type Item = (Order, u8);

    fn next(&mut self) -> Option<(Order, u8)> {
        self.read().ok().flatten()
    }
}

pub(super) fn begin(queue: QueueId, out: &mut Vec<u8>) {
    out.push(VERSION);
    put_varint(u64::from(queue.0), out);
}
