//! The byte stream under a connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::ending::Ending;
use super::websocket::WebSocket;

/// What the driver needs beyond reading and writing.
pub(super) trait Link: AsyncRead + AsyncWrite + Unpin + Send {
    /// Ready once a read has something to say, so that no buffer is held while there is nothing.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether written bytes may stay behind until a flush.
    fn is_buffered(&self) -> bool;

    /// Hears why the connection ends, before its last bytes.
    fn say_why(&mut self, _ending: &Ending) {}
}

/// A plain or an encrypted connection, or WebSocket over one of these.
pub(super) enum Transport {
    Tcp(TcpStream),
    /// Boxed: its state is many times that of a plain one.
    Tls(Box<TlsStream<TcpStream>>),
    /// Boxed, for the same reason.
    WebSocket(Box<WebSocket<Self>>),
}

macro_rules! each {
    ($self:expr, $stream:ident => $do:expr) => {
        match $self.get_mut() {
            Transport::Tcp($stream) => {
                let $stream = Pin::new($stream);
                $do
            }
            Transport::Tls($stream) => {
                let $stream = Pin::new(&mut **$stream);
                $do
            }
            Transport::WebSocket($stream) => {
                let $stream = Pin::new(&mut **$stream);
                $do
            }
        }
    };
}

impl Link for Transport {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Tls(stream) => {
                ready!(Pin::new(&mut **stream).poll_fill_buf(cx))?;
                Poll::Ready(Ok(()))
            }
            Self::WebSocket(stream) => stream.poll_readable(cx),
        }
    }

    fn is_buffered(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Tls(_) => true,
            Self::WebSocket(stream) => stream.is_buffered(),
        }
    }

    fn say_why(&mut self, ending: &Ending) {
        if let Self::WebSocket(stream) = self {
            stream.say_why(ending);
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => stream.poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_connections_pay_for_no_other() {
        assert!(size_of::<Transport>() <= size_of::<TcpStream>() + size_of::<usize>());
    }
}
