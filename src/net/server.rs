//! All listeners together, from their opening to the end of the last connection.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Hub;
use super::listener::{Listener, ListenerSpec, OpenError};
use super::tls::Tls;
use crate::runtime::Phase;

/// How often the files of certificates are looked at.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(30);
/// Beyond the time for the drain and the last bytes, before connections are dropped.
const GRACE: Duration = Duration::from_secs(1);

/// Every listener of a server, open.
pub struct Server {
    hub: Arc<Hub>,
    listeners: Vec<Listener>,
    tls: Vec<Arc<Tls>>,
}

impl Server {
    /// Opens all listeners, or none. Within a tokio runtime; may resolve names.
    ///
    /// # Errors
    /// Names the listener that cannot be opened.
    pub fn open(specs: Vec<ListenerSpec>, hub: Arc<Hub>) -> Result<Self, OpenError> {
        let mut tls: Vec<Arc<Tls>> = Vec::new();
        for spec in &specs {
            if let Some(used) = &spec.tls
                && !tls.iter().any(|known| Arc::ptr_eq(known, used))
            {
                tls.push(Arc::clone(used));
            }
        }
        // An IPv6 socket takes the IPv4 addresses too, unless a listener of the same port wants them.
        let has_v4 = |port| {
            let is_v4 = |spec: &ListenerSpec| spec.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4());
            port != 0 && specs.iter().any(|spec| spec.port == port && is_v4(spec))
        };
        let v6_only: Vec<_> = specs.iter().map(|spec| has_v4(spec.port)).collect();
        let listeners: Result<_, _> =
            specs.into_iter().zip(v6_only).map(|(spec, v6_only)| Listener::open(spec, v6_only)).collect();
        Ok(Self { hub, listeners: listeners?, tls })
    }

    /// The listeners, in the order in which they were given.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// The TLS profiles in use.
    pub fn tls(&self) -> &[Arc<Tls>] {
        &self.tls
    }

    /// Serves until the hub's [`Stop`](crate::runtime::Stop) says otherwise. A drain closes the
    /// listeners, then each connection ends once it is settled, at the latest when its time is over.
    pub async fn run(self) {
        let Self { hub, listeners, tls } = self;
        let accepting: Vec<_> =
            listeners.into_iter().map(|listener| tokio::spawn(listener.accept(Arc::clone(&hub)))).collect();
        let watching = tokio::spawn(watch_certificates(tls, Arc::clone(&hub)));
        hub.stop.reached(Phase::Draining).await;
        for task in accepting.into_iter().chain([watching]) {
            if let Err(error) = task.await {
                tracing::error!("a listener had failed: {error}");
            }
        }
        tracing::info!(connections = hub.open(), "listeners closed");
        hub.tasks.close();
        let limit = Duration::from_millis(hub.limits.drain.plus(hub.limits.linger).0) + GRACE;
        let drained = tokio::select! {
            () = hub.tasks.wait() => true,
            () = hub.stop.reached(Phase::Stopped) => false,
            () = tokio::time::sleep(limit) => false,
        };
        if !drained {
            tracing::warn!(connections = hub.open(), "connections are dropped");
            hub.stop.stop();
            // Each hears of it and returns what it holds; none of that waits for a client.
            let _ = tokio::time::timeout(GRACE, hub.tasks.wait()).await;
        }
    }
}

impl fmt::Display for Server {
    /// The URLs, with the ports that the listeners really have.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, listener) in self.listeners.iter().enumerate() {
            write!(f, "{}{listener}", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Reads all profiles again, as far as their files have changed; or all of them, for SIGHUP. Blocks.
pub fn reload_certificates(profiles: &[Arc<Tls>], all: bool) {
    for tls in profiles {
        match if all { tls.reload().map(|()| true) } else { tls.reload_if_changed() } {
            Ok(true) => tracing::info!("tls.{}: certificate and key replaced", tls.name()),
            Ok(false) => {}
            Err(error) => tracing::error!("{error}; the one in use stays"),
        }
    }
}

/// Polls, as links that are swapped (the way of Kubernetes) escape inotify.
async fn watch_certificates(profiles: Vec<Arc<Tls>>, hub: Arc<Hub>) {
    let profiles = Arc::new(profiles);
    loop {
        tokio::select! {
            () = hub.stop.reached(Phase::Draining) => return,
            () = tokio::time::sleep(CERTIFICATES_EVERY) => {}
        }
        let profiles = Arc::clone(&profiles);
        if let Err(error) = tokio::task::spawn_blocking(move || reload_certificates(&profiles, false)).await {
            tracing::error!("certificates could not be looked at: {error}");
        }
    }
}
