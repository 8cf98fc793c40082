//! Listeners on the loopback address, with the session of the tests.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wharfmq_base::Millis;

use super::testing::*;
use super::{Limits, ListenerSpec, Proto, Server, Spoken};

/// How long a test waits for what another task does.
const PATIENCE: Duration = Duration::from_secs(20);

fn spec(proto: Option<Proto>) -> ListenerSpec {
    ListenerSpec::new("stomp", proto.map_or(Spoken::Any, Spoken::Only), "127.0.0.1", 0)
}

async fn until(mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.listeners()[0].bound()).await.unwrap()
}

async fn echoes(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) {
    send(stream, ECHO, b"hello").await;
    assert_eq!(receive(stream).await, Some((ECHO, b"hello".to_vec())));
}

#[tokio::test]
async fn a_server_from_start_to_stop() {
    let (hub, _seen) = hub(Limits::default());
    let server = Server::open(vec![spec(Some(Proto::Stomp))], Arc::clone(&hub)).unwrap();
    let bound = server.listeners()[0].bound();
    assert_eq!(server.to_string(), format!("stomp://127.0.0.1:{}", bound.port()));
    let mut client = connect(&server).await;
    let running = tokio::spawn(server.run());
    echoes(&mut client).await;
    hub.stop.stop();
    running.await.unwrap();
    assert_eq!(hub.open(), 0);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let (hub, _seen) = hub(Limits::default());
    let server = Server::open(vec![spec(None)], Arc::clone(&hub)).unwrap();
    let port = server.listeners()[0].bound().port();
    let error = Server::open(vec![ListenerSpec { port, ..spec(None) }], hub).map(drop).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&format!("stomp://127.0.0.1:{port}")) && text.contains("another program"),
        "{text}"
    );
}

#[tokio::test]
async fn names_and_ipv6() {
    let (hub, _seen) = hub(Limits::default());
    let spec = |host: &str, port| ListenerSpec { host: host.to_owned(), port, ..spec(Some(Proto::Stomp)) };
    let server = Server::open(vec![spec("localhost", 0), spec("::1", 0)], Arc::clone(&hub)).unwrap();
    let [named, six] = server.listeners() else { panic!("two listeners") };
    assert!(named.to_string().starts_with("stomp://localhost:"), "{named}");
    assert!(named.to_string().ends_with(&format!("({})", named.bound())), "{named}");
    assert_eq!(six.to_string(), format!("stomp://[::1]:{}", six.bound().port()));
    // The same port on both families, side by side.
    let port = six.bound().port();
    drop(server);
    let both = vec![spec("0.0.0.0", port), spec("::", port)];
    let server = Server::open(both, hub).unwrap();
    assert_eq!(server.listeners()[0].bound().port(), server.listeners()[1].bound().port());
}

#[tokio::test]
async fn one_connection_too_many() {
    let (hub, _seen) = hub(Limits { connections: 2, ..Limits::default() });
    let server = Server::open(vec![spec(Some(Proto::Stomp))], Arc::clone(&hub)).unwrap();
    let (mut one, mut two) = (connect(&server).await, connect(&server).await);
    let mut three = connect(&server).await;
    let bound = server.listeners()[0].bound();
    tokio::spawn(server.run());
    echoes(&mut one).await;
    echoes(&mut two).await;
    assert!(matches!(three.read(&mut [0]).await, Ok(0) | Err(_)));
    assert_eq!((hub.accepted(), hub.refused(), hub.open()), (2, 1, 2));
    drop(one);
    until(|| hub.open() == 1).await;
    let mut four = TcpStream::connect(bound).await.unwrap();
    echoes(&mut four).await;
}

#[tokio::test]
async fn the_last_bytes_arrive_though_input_is_left_unread() {
    let (hub, _seen) = hub(Limits::default());
    let server = Server::open(vec![spec(Some(Proto::Stomp))], hub).unwrap();
    let mut client = connect(&server).await;
    tokio::spawn(server.run());
    // What stands behind the goodbye is never handled; a plain close would answer it with a reset.
    let mut bytes = [frame(ECHO, &[5; 200_000]), frame(QUIT, b"")].concat();
    bytes.resize(bytes.len() + 100_000, 0);
    let (mut reader, mut writer) = client.split();
    let write = async {
        let _ = writer.write_all(&bytes).await;
    };
    let read = async {
        assert_eq!(receive(&mut reader).await, Some((ECHO, vec![5; 200_000])));
        assert_eq!(receive(&mut reader).await, Some((QUIT, Vec::new())));
        assert_eq!(reader.read(&mut [0]).await.unwrap(), 0);
    };
    tokio::join!(write, read);
}

#[tokio::test]
async fn a_drain_closes_the_listeners_then_the_connections() {
    let (hub, _seen) = hub(Limits { drain_quiet: Millis(50), ..Limits::default() });
    let server = Server::open(vec![spec(Some(Proto::Stomp))], Arc::clone(&hub)).unwrap();
    let bound = server.listeners()[0].bound();
    let mut client = connect(&server).await;
    let running = tokio::spawn(server.run());
    send(&mut client, LOGIN, b"").await;
    echoes(&mut client).await;
    hub.stop.drain();
    assert_eq!(receive(&mut client).await, Some((BYE, Vec::new())));
    assert_eq!(receive(&mut client).await, None);
    drop(client);
    running.await.unwrap();
    assert!(TcpStream::connect(bound).await.is_err());
    assert_eq!(hub.open(), 0);
}

#[tokio::test]
async fn many_idle_connections_cost_little() {
    const CLIENTS: usize = 400;
    let (hub, _seen) = hub(Limits::default());
    let server = Server::open(vec![spec(None)], Arc::clone(&hub)).unwrap();
    let bound = server.listeners()[0].bound();
    tokio::spawn(server.run());
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = TcpStream::connect(bound).await.unwrap();
        client.write_all(b"\x10").await.unwrap();
        clients.push(client);
    }
    for client in &mut clients {
        echoes(client).await;
    }
    assert_eq!(hub.open(), CLIENTS);
    clients.clear();
    until(|| hub.open() == 0).await;
}

#[tokio::test]
async fn a_client_that_resets_is_forgotten() {
    let (hub, seen) = hub(Limits::default());
    let server = Server::open(vec![spec(Some(Proto::Stomp))], Arc::clone(&hub)).unwrap();
    let mut client = connect(&server).await;
    tokio::spawn(server.run());
    echoes(&mut client).await;
    client.set_zero_linger().unwrap();
    drop(client);
    until(|| hub.open() == 0).await;
    assert_eq!(*seen.closed.lock(), [crate::adapters::Closed::Lost]);
}
