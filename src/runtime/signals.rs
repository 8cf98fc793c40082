//! Signals: SIGTERM and SIGINT drain, a second one stops at once, SIGHUP reloads.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::{Notice, Phase, Stop, notify};

/// Takes over the signals for as long as the runtime lives. `reload` runs on a blocking thread, one at a
/// time.
///
/// # Errors
/// Where a handler cannot be installed.
pub fn handle_signals(stop: Arc<Stop>, reload: impl Fn() + Send + Sync + 'static) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let reload = Arc::new(reload);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => end(&stop, "SIGTERM"),
                _ = interrupt.recv() => end(&stop, "SIGINT"),
                _ = hang_up.recv() => {
                    tracing::info!("SIGHUP: reloading");
                    let reload = Arc::clone(&reload);
                    if let Err(error) = tokio::task::spawn_blocking(move || reload()).await {
                        tracing::error!(%error, "the reload failed");
                    }
                }
            }
        }
    });
    Ok(())
}

fn end(stop: &Stop, signal: &str) {
    if stop.phase() == Phase::Running {
        tracing::info!("{signal}: draining; a second signal stops at once");
        notify(Notice::Stopping);
        stop.drain();
    } else {
        tracing::warn!("{signal} again: stopping at once");
        stop.stop();
    }
}
