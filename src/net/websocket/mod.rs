//! WebSocket as a byte stream (RFC 6455): messages in, whatever their frames, and one message out for
//! each write.

mod frames;
mod handshake;
#[cfg(test)]
mod hostile_tests;
mod origin;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
mod utf8;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

pub(super) use self::frames::Fault;
use self::frames::{BINARY, CLOSE, Decoder, PONG, Short, Step, TEXT, clip, code, put_head};
pub(super) use self::handshake::{Accepted, accept};
pub(super) use self::origin::Sites;
use self::utf8::text_len;
use super::ending::Ending;
use super::link::Link;
use crate::adapters::Close;
use crate::broker::SLICES_MAX;

/// One read of what may hold several frames.
const RAW_BYTES: usize = 16 * 1024;
/// Payload from which a read goes straight to where it is wanted.
const DIRECT_MIN: u64 = 4 * 1024;
/// Reads in a row that bring no payload.
const READS_MAX: usize = 16;

/// A connection within WebSocket frames.
pub(super) struct WebSocket<L> {
    link: L,
    /// Read and not yet taken apart; holds no memory while there is nothing.
    raw: BytesMut,
    decoder: Decoder,
    reading: Reading,
    /// What goes out before the next payload: a control frame, the head of a frame.
    head: Short,
    head_sent: usize,
    /// Payload that the frame in progress still has to have.
    owed: usize,
    /// The answer to the last ping, as a frame; it waits for the end of the frame in progress.
    pong: Short,
    /// A control frame may be left in the link.
    unflushed: bool,
    /// Whether text is sent, where it is text.
    texts: bool,
    /// Of the close frame.
    code: Option<u16>,
    is_closed: bool,
}

enum Reading {
    Frames,
    /// To be said once what came before it was given away.
    Fault(Fault),
    /// The client has closed.
    Ended,
    /// After a fault nothing is understood any more.
    Scrap,
}

impl<L: Link> WebSocket<L> {
    pub(super) fn new(link: L, accepted: Accepted) -> Self {
        Self {
            link,
            raw: accepted.rest,
            decoder: Decoder::new(accepted.texts),
            reading: Reading::Frames,
            head: Short::new(),
            head_sent: 0,
            owed: 0,
            pong: Short::new(),
            unflushed: false,
            texts: accepted.texts,
            code: Some(code::NORMAL),
            is_closed: false,
        }
    }

    /// Takes apart what was read.
    fn decode(&mut self, buf: &mut ReadBuf<'_>) {
        while matches!(self.reading, Reading::Frames) {
            match self.decoder.step(&mut self.raw, buf) {
                Ok(Step::More) => {}
                Ok(Step::NeedInput | Step::Full) => return,
                Ok(Step::Ping(payload)) if !self.is_closed => {
                    self.pong.clear();
                    put_head(&mut self.pong, PONG, payload.len());
                    self.pong.extend_from_slice(&payload);
                }
                Ok(Step::Ping(_)) => {}
                Ok(Step::Close(code)) => {
                    self.code = code;
                    self.reading = Reading::Ended;
                }
                Err(fault) => self.reading = Reading::Fault(fault),
            }
        }
        self.raw = BytesMut::new();
    }

    /// One read: of a long payload straight into `buf`, else of whatever frames there are.
    fn poll_more(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = if self.raw.is_empty() && self.decoder.left() >= DIRECT_MIN {
            ready!(self.poll_payload(cx, buf))?
        } else {
            self.raw.reserve(RAW_BYTES);
            match poll_read_buf(Pin::new(&mut self.link), cx, &mut (&mut self.raw).limit(RAW_BYTES)) {
                Poll::Ready(read) => read?,
                Poll::Pending => {
                    if self.raw.is_empty() {
                        self.raw = BytesMut::new();
                    }
                    return Poll::Pending;
                }
            }
        };
        if read == 0 {
            self.reading = Reading::Ended;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_payload(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let most = clip(self.decoder.left(), buf.remaining());
        let space = buf.initialize_unfilled_to(most);
        let mut part = ReadBuf::new(space);
        ready!(Pin::new(&mut self.link).poll_read(cx, &mut part))?;
        let bytes = part.filled_mut();
        let read = bytes.len();
        match self.decoder.payload(bytes) {
            Ok(()) => buf.advance(read),
            Err(fault) => self.reading = Reading::Fault(fault),
        }
        Poll::Ready(Ok(read))
    }

    /// Sends the control frames that wait, unless a frame is in progress: then they follow it.
    fn poll_control(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.owed > 0 {
            return Poll::Ready(Ok(()));
        }
        while !self.head.is_empty() || !self.pong.is_empty() {
            if self.head.is_empty() {
                std::mem::swap(&mut self.head, &mut self.pong);
            }
            let bytes = self.head.get(self.head_sent..).unwrap_or_default();
            let written = ready!(Pin::new(&mut self.link).poll_write(cx, bytes))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent(written);
            self.unflushed = self.link.is_buffered();
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.link).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// [`Self::poll_control`], where it need not be waited for.
    fn push_control(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.pong.is_empty() && self.head.is_empty() && !self.unflushed {
            return Ok(());
        }
        match self.poll_control(cx) {
            Poll::Ready(sent) => sent,
            Poll::Pending => Ok(()),
        }
    }

    /// Takes `written` bytes off the head; answers how many were of the payload.
    fn sent(&mut self, written: usize) -> usize {
        let of_head = written.min(self.head.len() - self.head_sent);
        self.head_sent += of_head;
        if self.head_sent == self.head.len() {
            self.head.clear();
            self.head_sent = 0;
        }
        written - of_head
    }

    /// Opens a frame for what `bufs` hold.
    fn begin_frame(&mut self, bufs: &[IoSlice<'_>]) {
        let all = bufs.iter().map(|buf| buf.len()).sum();
        let (opcode, len) = match self.texts.then(|| text_len(bufs)).flatten() {
            Some(len) if len > 0 => (TEXT, len),
            _ => (BINARY, all),
        };
        if self.head.is_empty() {
            std::mem::swap(&mut self.head, &mut self.pong);
        }
        if len > 0 {
            put_head(&mut self.head, opcode, len);
        }
        self.owed = len;
    }

    /// One write of the head and the payload behind it; answers how much payload went.
    fn poll_frame(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX + 1];
        let head = self.head.get(self.head_sent..).unwrap_or_default();
        let mut left = self.owed;
        let mut count = 0;
        let payload = bufs.iter().map(|buf| {
            let part = buf.get(..left.min(buf.len())).unwrap_or_default();
            left -= part.len();
            part
        });
        let pieces = std::iter::once(head).chain(payload).filter(|piece| !piece.is_empty());
        for (slot, piece) in slices.iter_mut().zip(pieces) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        let slices = slices.get(..count).unwrap_or_default();
        let written = ready!(Pin::new(&mut self.link).poll_write_vectored(cx, slices))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        let of_payload = self.sent(written);
        self.owed -= of_payload;
        Poll::Ready(Ok(of_payload))
    }
}

impl<L: Link> Link for WebSocket<L> {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.push_control(cx)?;
        match self.reading {
            Reading::Frames if self.raw.is_empty() => {
                let readable = self.link.poll_readable(cx);
                if readable.is_pending() {
                    self.raw = BytesMut::new();
                }
                readable
            }
            _ => Poll::Ready(Ok(())),
        }
    }

    fn is_buffered(&self) -> bool {
        self.link.is_buffered()
    }

    fn say_why(&mut self, ending: &Ending) {
        if !matches!(self.reading, Reading::Frames) {
            return;
        }
        self.code = Some(match ending {
            Ending::Shutdown => code::GOING_AWAY,
            Ending::Panic(_) => code::INTERNAL,
            Ending::Close(Close::Clean) | Ending::EndOfStream | Ending::Broken(_) => code::NORMAL,
            Ending::Close(_) => code::POLICY,
        });
    }
}

impl<L: Link> AsyncRead for WebSocket<L> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        for _ in 0..READS_MAX {
            this.decode(buf);
            if buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            match this.reading {
                Reading::Frames => {}
                Reading::Fault(fault) => {
                    this.code = Some(fault.code);
                    this.reading = Reading::Scrap;
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)));
                }
                Reading::Ended => return Poll::Ready(Ok(())),
                Reading::Scrap => return Pin::new(&mut this.link).poll_read(cx, buf),
            }
            this.push_control(cx)?;
            ready!(this.poll_more(cx, buf))?;
        }
        // Frames without payload, one behind the other: others have their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A write that is not taken at once must be followed by one that begins with the same bytes, as the
/// frame they belong to may have begun.
impl<L: Link> AsyncWrite for WebSocket<L> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let bufs = bufs.get(..SLICES_MAX).unwrap_or(bufs);
        if this.owed == 0 {
            this.begin_frame(bufs);
        }
        while this.owed > 0 {
            let written = ready!(this.poll_frame(cx, bufs))?;
            if written > 0 {
                this.push_control(cx)?;
                return Poll::Ready(Ok(written));
            }
        }
        Poll::Ready(Ok(0))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().link).poll_flush(cx)
    }

    /// The close frame, then the end of the stream below.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.is_closed {
            this.is_closed = true;
            this.pong.clear();
            let code = this.code.map(u16::to_be_bytes);
            let payload = code.as_ref().map(|code| &code[..]).unwrap_or_default();
            put_head(&mut this.head, CLOSE, payload.len());
            this.head.extend_from_slice(payload);
        }
        ready!(this.poll_control(cx))?;
        Pin::new(&mut this.link).poll_shutdown(cx)
    }
}
