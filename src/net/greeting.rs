//! What comes before a connection's own protocol: a proxy's word, TLS, WebSocket.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::{InvalidMessage, ServerConnection};
use tokio::io::AsyncBufReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::connection::Connection;
use super::hub::Permit;
use super::link::Transport;
use super::listener::{ListenerSpec, Spoken};
use super::sniff::{is_http, is_tls};
use super::tls::Tls;
use super::websocket::{Sites, WebSocket, accept};
use super::{Proto, proxy};
use crate::broker::{Now, Peer};
use crate::runtime::Phase;

/// Goes through all of it; then the connection has a task without its remains.
pub(super) async fn greet(
    stream: TcpStream,
    peer: Peer,
    spec: Arc<ListenerSpec>,
    permit: Permit,
    since: Now,
) {
    let hub = Arc::clone(&permit);
    let (addr, listener) = (peer.addr, peer.listener);
    let limit = Duration::from_millis(hub.limits.login_timeout.0);
    let greeted = tokio::select! {
        biased;
        () = hub.stop.reached(Phase::Draining) => return,
        greeted = tokio::time::timeout(limit, meet(stream, peer, &spec)) => greeted,
    };
    match greeted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok((transport, peer, proto)) => {
            drop(hub.tasks.spawn(Connection::new(transport, peer, proto, permit, since)));
        }
        Err(error) => log(&error, addr, listener, &permit),
    }
}

fn log(error: &io::Error, addr: SocketAddr, listener: &'static str, permit: &Permit) {
    // Whoever looks whether the port is open says nothing.
    if error.kind() == io::ErrorKind::UnexpectedEof {
        tracing::debug!(%addr, listener, "no connection: {error}");
    } else if let Some(suppressed) = permit.lines.pass(permit.clock.now().mono) {
        tracing::info!(%addr, listener, suppressed, "no connection: {error}");
    }
}

/// The protocol is `None` where the bytes that follow are to tell.
async fn meet(
    mut stream: TcpStream,
    mut peer: Peer,
    spec: &ListenerSpec,
) -> io::Result<(Transport, Peer, Option<Proto>)> {
    if spec.is_proxy(peer.addr)
        && let Some(client) = proxy::read_header(&mut stream).await?
    {
        peer.addr = client;
    }
    let is_any = spec.spoken == Spoken::Any;
    let mut transport = match &spec.tls {
        Some(tls) if !is_any || is_tls(peek(&stream).await?) => {
            let (transport, certificate) = encrypt(stream, tls).await?;
            peer.certificate = certificate;
            transport
        }
        _ => Transport::Tcp(stream),
    };
    let is_websocket = match spec.spoken {
        Spoken::Only(_) => false,
        Spoken::WebSocket => true,
        Spoken::Any => is_http(first(&mut transport).await?),
    };
    if !is_websocket {
        return Ok((transport, peer, spec.spoken.proto()));
    }
    let accepted = accept(&mut transport, Sites::new(&spec.origins, peer.addr)).await?;
    let proto = accepted.proto;
    Ok((Transport::WebSocket(Box::new(WebSocket::new(transport, accepted))), peer, Some(proto)))
}

async fn encrypt(stream: TcpStream, tls: &Tls) -> io::Result<(Transport, Option<String>)> {
    let stream = Box::new(TlsAcceptor::from(tls.config()).accept(stream).await.map_err(said_plainly)?);
    let connection: &ServerConnection = stream.get_ref().1;
    let certificate = connection.peer_certificates().and_then(|chain| tls.identity(chain.first()?));
    Ok((Transport::Tls(stream), certificate))
}

/// The usual mistake in words of its own: TLS would have it a corrupt message.
fn said_plainly(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => io::Error::new(
            error.kind(),
            "the client does not speak TLS, and this listener speaks nothing else",
        ),
        _ => error,
    }
}

/// The first byte, which stays to be read. One is enough: what it tells begins nothing else that is
/// spoken here.
async fn first(transport: &mut Transport) -> io::Result<u8> {
    match transport {
        Transport::Tcp(stream) => peek(stream).await,
        Transport::Tls(stream) => {
            stream.fill_buf().await?.first().copied().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
        }
        Transport::WebSocket(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

async fn peek(stream: &TcpStream) -> io::Result<u8> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(first[0]),
    }
}
