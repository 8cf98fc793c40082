//! A client's side of WebSocket, for tests.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::task::JoinHandle;

use super::frames::BINARY;
use super::{Accepted, WebSocket};
use crate::net::connection::Connection;
use crate::net::testing::peer;
use crate::net::{Hub, Proto};

/// A request that offers those sub-protocols.
pub(in crate::net) fn request(offer: &str) -> String {
    format!(
        "GET /any/path?x HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: {offer}\r\n\r\n"
    )
}

pub(in crate::net) const FIN: u8 = 0x80;
pub(in crate::net) const PING: u8 = 0x9;

/// A client's frame.
pub(in crate::net) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..126 => frame.push(0x80 | len as u8),
        len @ 126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

pub(in crate::net) fn binary(payload: &[u8]) -> Vec<u8> {
    masked(FIN | BINARY, payload)
}

/// A server's frame: first byte and payload.
pub(in crate::net) async fn read_frame(from: &mut (impl AsyncReadExt + Unpin)) -> Option<(u8, Vec<u8>)> {
    let first = from.read_u8().await.ok()?;
    let len = match from.read_u8().await.ok()? {
        126 => u64::from(from.read_u16().await.ok()?),
        127 => from.read_u64().await.ok()?,
        len => u64::from(len),
    };
    let mut payload = vec![0; len as usize];
    from.read_exact(&mut payload).await.ok()?;
    Some((first, payload))
}

/// A session within WebSocket, over a pipe of `bytes` each way.
pub(in crate::net) fn served(hub: &Arc<Hub>, bytes: usize, proto: Proto) -> (DuplexStream, JoinHandle<()>) {
    let (client, server) = tokio::io::duplex(bytes);
    let accepted = Accepted { proto, texts: proto == Proto::Stomp, rest: BytesMut::new() };
    let link = WebSocket::new(server, accepted);
    let permit = hub.admit().unwrap();
    let now = hub.clock.now();
    (client, tokio::spawn(Connection::new(link, peer(), Some(proto), permit, now)))
}
