//! A connection from its first byte to its last, as one future.

use std::io::IoSlice;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::time::Sleep;

use super::Proto;
use super::drive::Drive;
use super::ending::Ending;
use super::hub::Permit;
use super::link::Link;
use crate::broker::{Now, Peer, WriteBuf};
use crate::runtime::{Phase, StopWatch};

/// Slices handed to one `writev`.
const SLICES_MAX: usize = 64;
/// Bytes a client may still send while its connection is being closed.
const LINGER_BYTES_MAX: usize = 16 << 20;

/// Drives one client until it is gone. To be spawned.
pub(super) struct Connection<L> {
    link: L,
    permit: Permit,
    watch: StopWatch,
    stage: Stage,
}

#[allow(
    clippy::large_enum_variant,
    reason = "the large one is the usual one, and boxing it is an allocation more"
)]
enum Stage {
    Open(Drive),
    Closing(Closing),
    Gone,
}

impl<L: Link> Connection<L> {
    /// `proto` is `None` where the first bytes are to tell. The login must be complete within the
    /// timeout from `since`.
    pub(super) fn new(link: L, peer: Peer, proto: Option<Proto>, permit: Permit, since: Now) -> Self {
        let watch = StopWatch::new(Arc::clone(&permit.stop));
        let drive = Drive::new(&permit, Arc::new(peer), proto, since);
        Self { link, permit, watch, stage: Stage::Open(drive) }
    }

    /// The session's last call, the broker's last call, and then only bytes are left.
    fn close(&mut self, ending: &Ending, phase: Phase) {
        let Stage::Open(mut drive) = std::mem::replace(&mut self.stage, Stage::Gone) else { return };
        ending.log(drive.peer(), drive.proto(), &self.permit);
        self.link.say_why(ending);
        let out = drive.take_output();
        let closed = ending.closed();
        // Each call on its own: the second is owed to the broker whatever the first does.
        let panics = [
            catch_unwind(AssertUnwindSafe(|| drive.session_closed(closed))),
            catch_unwind(AssertUnwindSafe(|| drive.port_closed())),
            catch_unwind(AssertUnwindSafe(|| drop(drive))),
        ];
        for panic in panics.into_iter().filter_map(Result::err) {
            tracing::error!("panic while a connection was closed: {:?}", Ending::of_panic(&*panic));
        }
        if !matches!(ending, Ending::Broken(_)) && phase < Phase::Stopped {
            let linger = Duration::from_millis(self.permit.limits.linger.0);
            self.stage = Stage::Closing(Closing {
                out,
                shut: false,
                drained: 0,
                until: Box::pin(tokio::time::sleep(linger)),
            });
        }
    }
}

impl<L: Link> Future for Connection<L> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let phase = this.watch.poll(cx);
        if let Stage::Open(drive) = &mut this.stage {
            let (link, hub) = (&mut this.link, &**this.permit);
            let step = catch_unwind(AssertUnwindSafe(|| drive.poll(link, hub, phase, cx)));
            let ending = match step {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(ending)) => ending,
                Err(panic) => Ending::of_panic(&*panic),
            };
            this.close(&ending, phase);
        }
        match &mut this.stage {
            Stage::Closing(closing) if phase < Phase::Stopped => {
                ready!(closing.poll(&mut this.link, cx));
            }
            _ => {}
        }
        this.stage = Stage::Gone;
        Poll::Ready(())
    }
}

/// Sends what is left, then waits for the client to end its side: closing a socket with unread input
/// resets it, and a reset takes back bytes the client has not read yet.
struct Closing {
    out: WriteBuf,
    shut: bool,
    drained: usize,
    until: Pin<Box<Sleep>>,
}

impl Closing {
    fn poll<L: Link>(&mut self, link: &mut L, cx: &mut Context<'_>) -> Poll<()> {
        if self.until.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if !self.shut {
            match ready!(self.poll_shut(link, cx)) {
                Ok(()) => self.shut = true,
                Err(_) => return Poll::Ready(()),
            }
        }
        let mut scrap = [0; 4_096];
        while self.drained < LINGER_BYTES_MAX {
            let mut buf = ReadBuf::new(&mut scrap);
            match ready!(Pin::new(&mut *link).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => self.drained += buf.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(())
    }

    fn poll_shut<L: Link>(&mut self, link: &mut L, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        while !self.out.is_empty() {
            ready!(poll_write_out(link, &mut self.out, cx))?;
        }
        ready!(Pin::new(&mut *link).poll_flush(cx))?;
        Pin::new(link).poll_shutdown(cx)
    }
}

/// One write of what `out` holds; it is not empty.
pub(super) fn poll_write_out<L: Link>(
    link: &mut L,
    out: &mut WriteBuf,
    cx: &mut Context<'_>,
) -> Poll<std::io::Result<()>> {
    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
    let count = out.slices(&mut slices);
    let slices = slices.get(..count).unwrap_or_default();
    let written = ready!(Pin::new(link).poll_write_vectored(cx, slices))?;
    if written == 0 {
        return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
    }
    out.advance(written);
    Poll::Ready(Ok(()))
}
