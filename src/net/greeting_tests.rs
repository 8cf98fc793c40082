//! What comes before the protocol, over the loopback address: proxies, WebSocket, and ports for everything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wharfmq_base::Millis;

use super::testing::*;
use super::websocket::testing::{binary, read_frame, request};
use super::{Hub, Limits, ListenerSpec, Proto, Server, Spoken};

/// How long a test waits for what another task does.
const PATIENCE: Duration = Duration::from_secs(20);

fn open(hub: &Arc<Hub>, spec: ListenerSpec) -> SocketAddr {
    let server = Server::open(vec![spec], Arc::clone(hub)).unwrap();
    let bound = server.listeners()[0].bound();
    tokio::spawn(server.run());
    bound
}

fn spec(spoken: Spoken) -> ListenerSpec {
    ListenerSpec::new("ws", spoken, "127.0.0.1", 0)
}

fn behind_proxy(spoken: Spoken, proxy: &str) -> ListenerSpec {
    ListenerSpec { proxies: vec![proxy.parse().unwrap()], ..spec(spoken) }
}

/// Everything that is said until the end.
async fn said(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads the head of the answer, byte by byte.
async fn answer(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn a_request_in_pieces_then_frames() {
    let (hub, seen) = hub(Limits::default());
    let bound = open(&hub, spec(Spoken::WebSocket));
    for step in [1, 7, 10_000] {
        let mut client = TcpStream::connect(bound).await.unwrap();
        client.set_nodelay(true).unwrap();
        // The first frame comes with the request: a client need not wait.
        let bytes = [request("x, mqtt").into_bytes(), binary(&frame(ECHO, b"hello"))].concat();
        for piece in bytes.chunks(step) {
            client.write_all(piece).await.unwrap();
        }
        let head = answer(&mut client).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(read_frame(&mut client).await.unwrap().1, frame(ECHO, b"hello"));
    }
    assert!(seen.peers.lock().iter().all(|peer| peer.listener == "ws"));
    assert_eq!(seen.protos.lock()[0], Proto::Mqtt);
}

#[tokio::test]
async fn clients_that_are_turned_away_are_told_why() {
    let (hub, _seen) = hub(Limits::default());
    let bound =
        open(&hub, ListenerSpec { origins: vec!["https://a.example".into()], ..spec(Spoken::WebSocket) });
    let good = request("mqtt");
    let large = good.replace("\r\n\r\n", &format!("\r\nCookie: {}\r\n\r\n", "c".repeat(1 << 20)));
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), "426"),
        (request("amqp"), "400"),
        (good.replace("Version: 13", "Version: 12"), "426"),
        (good.replace("Sec-WebSocket-Key", "X"), "400"),
        (good.replace("\r\n\r\n", "\r\nOrigin: https://b.example\r\n\r\n"), "403"),
        (large, "431"),
        ("\x10\x0c\x00\x04MQTT".to_owned(), "400"),
    ] {
        let mut client = TcpStream::connect(bound).await.unwrap();
        let (mut reader, mut writer) = client.split();
        let write = async {
            let _ = writer.write_all(request.as_bytes()).await;
            let _ = writer.shutdown().await;
        };
        let read = async {
            let mut bytes = Vec::new();
            let _ = reader.read_to_end(&mut bytes).await;
            String::from_utf8(bytes).unwrap()
        };
        let ((), response) =
            tokio::time::timeout(PATIENCE, async { tokio::join!(write, read) }).await.unwrap();
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {response}");
    }
}

#[tokio::test]
async fn a_request_has_the_time_of_the_login() {
    let (hub, _seen) = hub(Limits { login_timeout: Millis(100), ..Limits::default() });
    for spoken in [Spoken::WebSocket, Spoken::Any] {
        let bound = open(&hub, spec(spoken));
        let mut client = TcpStream::connect(bound).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
        assert_eq!(said(&mut client).await, "");
    }
}

#[tokio::test]
async fn everything_on_one_port() {
    let (hub, seen) = hub(Limits::default());
    let bound = open(&hub, spec(Spoken::Any));
    let mut client = TcpStream::connect(bound).await.unwrap();
    client.write_all(request("v12.stomp").as_bytes()).await.unwrap();
    assert!(answer(&mut client).await.contains("v12.stomp"));
    client.write_all(&binary(&frame(ECHO, b"hello"))).await.unwrap();
    assert_eq!(read_frame(&mut client).await.unwrap().1, frame(ECHO, b"hello"));
    for greeting in [&b"\x10"[..], b"\r\nCONNECT\n"] {
        let mut client = TcpStream::connect(bound).await.unwrap();
        client.write_all(greeting.trim_ascii_start()).await.unwrap();
        send(&mut client, ECHO, b"plain").await;
        assert_eq!(receive(&mut client).await, Some((ECHO, b"plain".to_vec())));
    }
    assert_eq!(*seen.protos.lock(), [Proto::Stomp, Proto::Mqtt, Proto::Stomp]);
}

fn v2(client: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend(client);
    header.extend([10, 0, 0, 1, 0xC3, 0x50, 7, 0x5B]);
    header
}

#[tokio::test]
async fn proxies_name_the_client() {
    let (hub, seen) = hub(Limits::default());
    let v1 = b"PROXY TCP4 192.0.2.7 10.0.0.1 50000 1883\r\n".to_vec();
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec();
    for (header, addr) in [
        (v1, Some("192.0.2.7:50000")),
        (v2([192, 0, 2, 8]), Some("192.0.2.8:50000")),
        (local, None),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
    ] {
        for step in [1, 10_000] {
            let bound = open(&hub, behind_proxy(Spoken::Only(Proto::Stomp), "127.0.0.0/8"));
            let mut client = TcpStream::connect(bound).await.unwrap();
            client.set_nodelay(true).unwrap();
            for piece in [&header[..], &frame(ECHO, b"x")].concat().chunks(step) {
                client.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            assert_eq!(receive(&mut client).await, Some((ECHO, b"x".to_vec())));
            let peer = seen.peers.lock().pop().unwrap();
            let own = client.local_addr().unwrap();
            assert_eq!(peer.addr, addr.map_or(own, |addr| addr.parse().unwrap()));
        }
    }
}

#[tokio::test]
async fn a_proxy_before_websocket_on_a_port_for_everything() {
    let (hub, seen) = hub(Limits::default());
    for spoken in [Spoken::Any, Spoken::WebSocket] {
        let bound = open(&hub, behind_proxy(spoken, "127.0.0.1"));
        let mut client = TcpStream::connect(bound).await.unwrap();
        let bytes = [v2([192, 0, 2, 9]), request("mqtt").into_bytes()].concat();
        client.write_all(&bytes).await.unwrap();
        assert!(answer(&mut client).await.starts_with("HTTP/1.1 101 "));
        client.write_all(&binary(&frame(ECHO, b"x"))).await.unwrap();
        assert_eq!(read_frame(&mut client).await.unwrap().1, frame(ECHO, b"x"));
        assert_eq!(seen.peers.lock().pop().unwrap().addr.to_string(), "192.0.2.9:50000");
    }
}

#[tokio::test]
async fn a_proxy_that_does_not_say_who_it_stands_for_is_let_go() {
    let (hub, seen) = hub(Limits::default());
    let bound = open(&hub, behind_proxy(Spoken::Only(Proto::Stomp), "127.0.0.1"));
    let mut client = TcpStream::connect(bound).await.unwrap();
    send(&mut client, ECHO, b"x").await;
    assert_eq!(said(&mut client).await, "");
    assert!(seen.peers.lock().is_empty());
}

#[tokio::test]
async fn from_elsewhere_the_header_is_no_header() {
    let (hub, seen) = hub(Limits::default());
    let bound = open(&hub, behind_proxy(Spoken::Any, "10.0.0.0/8"));
    let mut client = TcpStream::connect(bound).await.unwrap();
    client.write_all(b"PROXY TCP4 192.0.2.7 10.0.0.1 50000 1883\r\n\x10").await.unwrap();
    assert_eq!(said(&mut client).await, "");
    assert!(seen.peers.lock().is_empty());
    // Nor is it asked for.
    let mut client = TcpStream::connect(bound).await.unwrap();
    client.write_all(b"\x10").await.unwrap();
    send(&mut client, ECHO, b"x").await;
    assert_eq!(receive(&mut client).await, Some((ECHO, b"x".to_vec())));
}
