//! Places to listen, and the loop that accepts.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use wharfmq_base::Network;

use super::connection::Connection;
use super::greeting::greet;
use super::link::Transport;
use super::tls::Tls;
use super::{Hub, Proto};
use crate::broker::Peer;
use crate::runtime::Phase;

const BACKLOG: i32 = 1_024;
/// How long nothing is accepted after the process or the machine has run out of something.
const PAUSE: Duration = Duration::from_millis(100);
const KEEPALIVE_IDLE: Duration = Duration::from_secs(120);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// What is spoken at a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// That protocol.
    Only(Proto),
    /// WebSocket; its sub-protocol tells which protocol is within.
    WebSocket,
    /// Whatever the first bytes are.
    Any,
}

impl Spoken {
    /// The protocol, where nothing has to be read to know it.
    pub(super) const fn proto(self) -> Option<Proto> {
        match self {
            Self::Only(proto) => Some(proto),
            Self::WebSocket | Self::Any => None,
        }
    }
}

/// What to listen for, and where.
#[derive(Clone)]
pub struct ListenerSpec {
    /// The scheme of its URL, for logs and [`Peer::listener`].
    pub scheme: &'static str,
    /// What is spoken.
    pub spoken: Spoken,
    /// TLS is spoken where this is given. Where the first bytes tell the protocol, they tell this too,
    /// and plain connections stay welcome.
    pub tls: Option<Arc<Tls>>,
    /// A name or an address, IPv6 without brackets. Of a name's addresses the first that works.
    pub host: String,
    /// 0: any free one.
    pub port: u16,
    /// Who stands between clients and us: connections from there begin with a header that names the
    /// client. From elsewhere none is understood.
    pub proxies: Vec<Network>,
    /// The sites whose pages may connect over WebSocket, `*` for all. None given: all, but from the own machine
    /// only its own.
    pub origins: Vec<String>,
    /// Whether clients may stay without saying who they are.
    pub allow_anonymous: bool,
}

impl ListenerSpec {
    /// Without proxies, with all origins, and for everybody.
    pub fn new(scheme: &'static str, spoken: Spoken, host: &str, port: u16) -> Self {
        let host = host.to_owned();
        let (proxies, origins) = (Vec::new(), Vec::new());
        Self { scheme, spoken, tls: None, host, port, proxies, origins, allow_anonymous: true }
    }

    /// Whether a connection from there begins with a header of the PROXY protocol.
    pub(super) fn is_proxy(&self, addr: SocketAddr) -> bool {
        self.proxies.iter().any(|proxy| proxy.contains(addr.ip()))
    }
}

impl fmt::Display for ListenerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, .. } = self;
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

/// Why a listener could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {url}: {source}{hint}")]
pub struct OpenError {
    url: String,
    source: io::Error,
    hint: &'static str,
}

impl OpenError {
    fn new(spec: &ListenerSpec, source: io::Error) -> Self {
        let hint = match source.kind() {
            io::ErrorKind::AddrInUse => "; another program listens there: stop it or choose another port",
            io::ErrorKind::PermissionDenied => "; ports below 1024 need CAP_NET_BIND_SERVICE",
            io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
            _ => "",
        };
        Self { url: spec.to_string(), source, hint }
    }
}

/// An open socket that connections queue up at.
pub struct Listener {
    spec: Arc<ListenerSpec>,
    socket: TcpListener,
    bound: SocketAddr,
}

impl Listener {
    /// Binds and listens; clients can connect from here on. `v6_only` keeps an IPv6 socket off the
    /// IPv4 addresses, where another listener has them. Within a tokio runtime.
    ///
    /// # Errors
    /// The name has no address, or the address cannot be had.
    pub fn open(spec: ListenerSpec, v6_only: bool) -> Result<Self, OpenError> {
        let opened = open_socket(&spec, v6_only).and_then(|socket| Ok((socket.local_addr()?, socket)));
        match opened {
            Ok((bound, socket)) => Ok(Self { spec: Arc::new(spec), socket, bound }),
            Err(error) => Err(OpenError::new(&spec, error)),
        }
    }

    /// Where it listens.
    pub const fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Accepts until the server drains; then the socket is closed.
    pub async fn accept(self, hub: Arc<Hub>) {
        let drained = hub.stop.reached(Phase::Draining);
        tokio::pin!(drained);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut drained => return,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, addr)) => self.welcome(stream, addr, &hub),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if let Some(suppressed) = hub.lines.pass(hub.clock.now().mono) {
                        tracing::error!(listener = %self, suppressed, "nothing can be accepted: {error}");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn welcome(&self, stream: TcpStream, addr: SocketAddr, hub: &Arc<Hub>) {
        let now = hub.clock.now();
        let Some(permit) = hub.admit() else {
            if let Some(suppressed) = hub.lines.pass(now.mono) {
                let limit = hub.limits.connections;
                tracing::warn!(%addr, listener = self.spec.scheme, suppressed, "refused: max_connections = {limit}");
            }
            return;
        };
        let anonymous = self.spec.allow_anonymous;
        let peer = Peer { addr, listener: self.spec.scheme, certificate: None, anonymous };
        let spec = &self.spec;
        match (spec.spoken, &spec.tls) {
            (Spoken::Only(proto), None) if !spec.is_proxy(addr) => {
                let link = Transport::Tcp(stream);
                drop(hub.tasks.spawn(Connection::new(link, peer, Some(proto), permit, now)));
            }
            // A task of its own, as the state of a handshake is many times a plain connection's.
            _ => drop(hub.tasks.spawn(greet(stream, peer, Arc::clone(spec), permit, now))),
        }
    }
}

impl fmt::Display for Listener {
    /// The URL, with the port it really has; and the address, where a name stands for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = ListenerSpec { port: self.bound.port(), ..(*self.spec).clone() };
        write!(f, "{url}")?;
        if self.spec.host.parse::<IpAddr>().is_ok() { Ok(()) } else { write!(f, " ({})", self.bound) }
    }
}

fn open_socket(spec: &ListenerSpec, v6_only: bool) -> io::Result<TcpListener> {
    let mut addresses: Vec<_> = (spec.host.as_str(), spec.port).to_socket_addrs()?.collect();
    // `localhost` has both; most clients that are given it try IPv4.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let mut result = Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    for address in addresses {
        result = bind(address, v6_only);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn bind(address: SocketAddr, v6_only: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        let is_any = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        socket.set_only_v6(v6_only || !is_any)?;
    }
    // Accepted sockets inherit these from the listening one: five system calls less for each.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL),
    )?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Errors of `accept` that say nothing about the next one (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;

    use super::*;

    #[tokio::test]
    async fn accepted_sockets_inherit_their_options() {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0)), false).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (accepted, _client) = tokio::join!(listener.accept(), client);
        let (accepted, _) = accepted.unwrap();
        let socket = SockRef::from(&accepted);
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
    }
}
