//! Heads as [`crate::write_head`] wrote them, read in place: nothing is allocated, and nothing is decoded that
//! is not asked for. For who asks one thing of many messages, as selectors do.

use bytes::Bytes;

use crate::primitive::{Map, RawText};
use crate::{DestinationKind, Malformed, MessageKind, read_head};

/// What a head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadView<'a> {
    /// Its message's type.
    pub kind: MessageKind,
    /// The identity of the message.
    pub message_id: Option<IdView<'a>>,
    /// The group of messages that it belongs to.
    pub group_id: Option<RawText<'a>>,
    /// Its number in the group.
    pub group_sequence: i32,
    /// What it answers.
    pub correlation_id: Option<RawText<'a>>,
    /// When its sender sent it.
    pub timestamp: i64,
    /// Where answers are expected.
    pub reply_to: Option<(DestinationKind, RawText<'a>)>,
    /// The application's name for what it is.
    pub jms_type: Option<RawText<'a>>,
    /// Whether it has contents, which are elsewhere; they may be empty.
    pub has_content: bool,
    /// The application's properties, as they came.
    pub properties: Option<&'a [u8]>,
    head: &'a [u8],
    /// The fields behind those.
    tail: Scan<'a>,
}

/// The identity of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdView<'a> {
    /// What stands for it, where it came from a client of another protocol.
    pub text: Option<RawText<'a>>,
    /// The connection of its producer, as its client named it.
    pub connection: Option<RawText<'a>>,
    /// The session of its producer.
    pub session: i64,
    /// The producer's number.
    pub producer: i64,
    /// The producer's number for the message.
    pub sequence: i64,
}

/// What stands behind the properties of a head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadTail {
    /// Whether the contents are compressed.
    pub compressed: bool,
    /// Who sent it, where a broker has said so.
    pub user_id: Option<crate::Text>,
    /// Where the contents of a Blob message are.
    pub blob_url: Option<crate::Text>,
    /// What is there.
    pub blob_type: Option<crate::Text>,
}

impl<'a> HeadView<'a> {
    /// Reads a head up to its properties.
    pub fn read(head: &'a [u8]) -> Result<Self, Malformed> {
        let mut scan = Scan(head);
        let [code] = scan.array()?;
        let kind = MessageKind::of(code).ok_or(Malformed::Type(code))?;
        // The command's id, and whether it wants an answer.
        scan.array::<5>()?;
        scan.optional(Scan::producer)?;
        scan.optional(Scan::destination)?;
        scan.optional(Scan::transaction)?;
        scan.optional(Scan::destination)?;
        let message_id = scan.optional(Scan::message_id)?;
        scan.optional(Scan::transaction)?;
        let group_id = scan.text()?;
        let group_sequence = i32::from_be_bytes(scan.array()?);
        let correlation_id = scan.text()?;
        // Whether it is persistent, when it expires, its priority.
        scan.array::<10>()?;
        let reply_to = scan.optional(Scan::destination)?;
        let timestamp = scan.long()?;
        let jms_type = scan.text()?;
        let has_content = scan.bytes()?.is_some();
        let properties = scan.bytes()?;
        Ok(Self {
            kind,
            message_id,
            group_id,
            group_sequence,
            correlation_id,
            timestamp,
            reply_to: reply_to.and_then(|(kind, name)| Some((kind, name?))),
            jms_type,
            has_content,
            properties,
            head,
            tail: scan,
        })
    }

    /// The application's properties; `None` where there are none.
    pub fn properties(&self) -> Result<Option<Map<'a>>, Malformed> {
        self.properties.map_or(Ok(None), Map::read)
    }

    /// Reads the rest of the head.
    pub fn tail(&self) -> Result<HeadTail, Malformed> {
        let mut scan = self.tail;
        if scan.array::<1>()? != [0] {
            // A structure of any type, as advisories carry one.
            let message = read_head(&Bytes::copy_from_slice(self.head)).map_err(|_| Malformed::Truncated)?;
            let blob = message.blob.unwrap_or_default();
            return Ok(HeadTail {
                compressed: message.compressed,
                user_id: message.user_id,
                blob_url: blob.remote_blob_url,
                blob_type: blob.mime_type,
            });
        }
        scan.optional(Scan::consumer)?;
        let compressed = scan.array::<1>()? != [0];
        // Redeliveries.
        scan.array::<4>()?;
        scan.brokers()?;
        // When it arrived.
        scan.array::<8>()?;
        let mut tail = HeadTail { compressed, user_id: owned(scan.text()?), ..HeadTail::default() };
        if self.kind == MessageKind::Blob {
            scan.array::<2>()?;
            scan.brokers()?;
            // Times of brokers, and whether it is the first of its group.
            scan.array::<17>()?;
            tail.blob_url = owned(scan.text()?);
            tail.blob_type = owned(scan.text()?);
        }
        Ok(tail)
    }
}

fn owned(text: Option<RawText<'_>>) -> Option<crate::Text> {
    text.map(|text| crate::Text::from_wire(Bytes::copy_from_slice(text.0)))
}

/// The fields of the loose encoding, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scan<'a>(&'a [u8]);

impl<'a> Scan<'a> {
    /// A structure that may be missing, read with its type byte.
    fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self, u8) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        if self.array::<1>()? == [0] {
            return Ok(None);
        }
        let [code] = self.array()?;
        read(self, code).map(Some)
    }

    fn producer(&mut self, _: u8) -> Result<(Option<RawText<'a>>, i64, i64), Malformed> {
        Ok((self.text()?, self.long()?, self.long()?))
    }

    fn consumer(&mut self, code: u8) -> Result<(), Malformed> {
        self.producer(code).map(drop)
    }

    fn destination(&mut self, code: u8) -> Result<(DestinationKind, Option<RawText<'a>>), Malformed> {
        let kind = match code {
            100 => DestinationKind::Queue,
            101 => DestinationKind::Topic,
            102 => DestinationKind::TempQueue,
            103 => DestinationKind::TempTopic,
            code => return Err(Malformed::Type(code)),
        };
        Ok((kind, self.text()?))
    }

    fn transaction(&mut self, code: u8) -> Result<(), Malformed> {
        match code {
            111 => {
                self.long()?;
                self.optional(|scan, _| scan.text())?;
            }
            112 => {
                self.array::<4>()?;
                self.bytes()?;
                self.bytes()?;
            }
            code => return Err(Malformed::Type(code)),
        }
        Ok(())
    }

    fn message_id(&mut self, _: u8) -> Result<IdView<'a>, Malformed> {
        let text = self.text()?;
        let (connection, producer, session) = self.optional(Self::producer)?.unwrap_or((None, 0, 0));
        let sequence = self.long()?;
        // The broker's number.
        self.long()?;
        Ok(IdView { text, connection, session, producer, sequence })
    }

    fn brokers(&mut self) -> Result<(), Malformed> {
        if self.array::<1>()? == [0] {
            return Ok(());
        }
        for _ in 0..u16::from_be_bytes(self.array()?) {
            self.optional(|scan, _| scan.text())?;
        }
        Ok(())
    }

    fn long(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_be_bytes)
    }

    fn text(&mut self) -> Result<Option<RawText<'a>>, Malformed> {
        if self.array::<1>()? == [0] {
            return Ok(None);
        }
        let len = u16::from_be_bytes(self.array()?);
        self.take(len.into()).map(|text| Some(RawText(text)))
    }

    fn bytes(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        if self.array::<1>()? == [0] {
            return Ok(None);
        }
        let len = i32::from_be_bytes(self.array()?);
        self.take(usize::try_from(len).map_err(|_| Malformed::Negative)?).map(Some)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(*bytes)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
