//! The body of a checkpoint: everything that the records before it add up to, but for the messages.
//!
//! Layout: the eight bytes `WHARFCP` and a version; then sections: kind u8, length u32 little-endian,
//! payload. The payloads of definitions, bindings, states and counts are those of the records of the
//! same kind; LIVE (32) is laid out like a SETTLE and names the orders that a queue still holds; NEXT
//! (33) is the version byte and the next message id, order and queue number as varints. The last
//! section is END (34): the version byte and the number of sections before it. A reader skips no
//! section that it does not know: a checkpoint stands for records that may be gone.

use super::orders::{Counted, RunWriter, Settle, begin};
use super::wire::{Reader, put_varint};
use super::{Bind, Define, Record, RecordError, State, VERSION, kind};
use crate::{MessageId, Order, QueueId};

const MAGIC: &[u8; 8] = b"WHARFCP\x01";
const LIVE: u8 = 32;
const NEXT: u8 = 33;
const END: u8 = 34;

/// Bytes of a section of live orders at which another is begun.
const SECTION_BYTES: usize = 1 << 20;

/// The numbers that may be given out next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NextIds {
    /// No message has this id or a higher one.
    pub message: MessageId,
    /// No message stands at this order or a higher one.
    pub order: Order,
    /// No queue has this number or a higher one.
    pub queue: QueueId,
}

/// Writes the body of a checkpoint, piece by piece, so that each piece may be gathered under a lock of
/// its own.
#[derive(Debug)]
pub struct CheckpointWriter {
    out: Vec<u8>,
    sections: u64,
    live: Option<Live>,
}

/// The queue whose content is being written.
#[derive(Debug)]
struct Live {
    queue: QueueId,
    /// Where its section begins.
    start: usize,
    runs: RunWriter,
    counts: Vec<(Order, u8)>,
}

impl CheckpointWriter {
    /// Begins a checkpoint in `out`, which is emptied and gives its buffer.
    pub fn new(mut out: Vec<u8>, next: NextIds) -> Self {
        out.clear();
        out.extend_from_slice(MAGIC);
        let mut writer = Self { out, sections: 0, live: None };
        writer.section(NEXT, |out| {
            out.push(VERSION);
            put_varint(next.message.0, out);
            put_varint(next.order.0, out);
            put_varint(u64::from(next.queue.0), out);
        });
        writer
    }

    /// Adds a queue.
    pub fn define(&mut self, define: &Define<'_>) {
        self.section(kind::DEFINE, |out| define.encode(out));
    }

    /// Adds a binding.
    pub fn bind(&mut self, bind: &Bind<'_>) {
        self.section(kind::BIND, |out| bind.encode(out));
    }

    /// Adds a remembered value.
    pub fn state(&mut self, state: &State<'_>) {
        self.section(kind::STATE, |out| state.encode(out));
    }

    /// Adds a message that `queue` holds. All of a queue come one after another, best by ascending
    /// order; they may be added in several turns.
    pub fn live(&mut self, queue: QueueId, order: Order, deliveries: u8) {
        let full = self.out.len();
        let fits = |live: &Live| live.queue == queue && full - live.start < SECTION_BYTES;
        if !self.live.as_ref().is_some_and(fits) {
            self.end_live();
            let start = self.begin(LIVE);
            begin(queue, &mut self.out);
            self.live = Some(Live { queue, start, runs: RunWriter::default(), counts: Vec::new() });
        }
        if let Some(live) = &mut self.live {
            live.runs.push(order, &mut self.out);
            if deliveries > 0 {
                live.counts.push((order, deliveries));
            }
        }
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether there is nothing in it; there always is.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// The whole body.
    pub fn finish(mut self) -> Vec<u8> {
        self.end_live();
        let sections = self.sections;
        self.section(END, |out| {
            out.push(VERSION);
            put_varint(sections, out);
        });
        self.out
    }

    fn end_live(&mut self) {
        let Some(mut live) = self.live.take() else { return };
        live.runs.finish(&mut self.out);
        self.end(live.start);
        if !live.counts.is_empty() {
            self.section(kind::COUNTED, |out| Counted::encode(live.queue, live.counts, out));
        }
    }

    fn section(&mut self, kind: u8, payload: impl FnOnce(&mut Vec<u8>)) {
        self.end_live();
        let start = self.begin(kind);
        payload(&mut self.out);
        self.end(start);
    }

    fn begin(&mut self, kind: u8) -> usize {
        self.out.push(kind);
        self.out.extend_from_slice(&[0; 4]);
        self.sections += 1;
        self.out.len()
    }

    fn end(&mut self, start: usize) {
        let len = (self.out.len() - start) as u32;
        self.out[start - 4..start].copy_from_slice(&len.to_le_bytes());
    }
}

/// One section of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section<'a> {
    /// What may be given out next. Comes first.
    Next(NextIds),
    /// A queue.
    Define(Define<'a>),
    /// A binding.
    Bind(Bind<'a>),
    /// A remembered value.
    State(State<'a>),
    /// Orders that a queue holds; there may be several sections of one queue.
    Live(Settle<'a>),
    /// Delivery counts of some of them.
    Counted(Counted<'a>),
}

/// Reads the body of a checkpoint: an iterator that ends after the last section, or after an error.
#[derive(Clone, Debug)]
pub struct CheckpointReader<'a> {
    rest: &'a [u8],
    sections: u64,
}

impl<'a> CheckpointReader<'a> {
    /// Begins to read.
    pub fn new(body: &'a [u8]) -> Result<Self, RecordError> {
        let rest = body.strip_prefix(MAGIC).ok_or(RecordError("not a checkpoint of this version"))?;
        Ok(Self { rest, sections: 0 })
    }

    fn read(&mut self) -> Result<Option<Section<'a>>, RecordError> {
        let short = RecordError("checkpoint is cut short");
        let (head, rest) = self.rest.split_first_chunk::<5>().ok_or(short)?;
        let [kind, len @ ..] = *head;
        let (payload, rest) = rest.split_at_checked(u32::from_le_bytes(len) as usize).ok_or(short)?;
        self.rest = rest;
        let section = match kind {
            NEXT => Section::Next(decode_next(payload)?),
            LIVE => Section::Live(Settle::decode(payload)?),
            END => {
                let mut reader = Reader::new(payload)?;
                let same = reader.varint()? == self.sections;
                reader.end()?;
                return if same && rest.is_empty() {
                    Ok(None)
                } else {
                    Err(RecordError("end of a checkpoint"))
                };
            }
            other => match Record::decode(other, payload)? {
                Record::Define(define) => Section::Define(define),
                Record::Bind(bind) => Section::Bind(bind),
                Record::State(state) => Section::State(state),
                Record::Counted(counted) => Section::Counted(counted),
                _ => return Err(RecordError("section of a checkpoint")),
            },
        };
        self.sections += 1;
        Ok(Some(section))
    }
}

impl<'a> Iterator for CheckpointReader<'a> {
    type Item = Result<Section<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.sections == u64::MAX {
            return None;
        }
        let section = self.read();
        if !matches!(section, Ok(Some(_))) {
            self.sections = u64::MAX;
        }
        section.transpose()
    }
}

fn decode_next(payload: &[u8]) -> Result<NextIds, RecordError> {
    let mut reader = Reader::new(payload)?;
    let message = MessageId(reader.varint()?);
    let next = NextIds { message, order: reader.order()?, queue: reader.queue()? };
    reader.end()?;
    Ok(next)
}
