//! Frames and messages, cut in every way, and a session within them.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::frames::{Decoder, Step};
use super::testing::*;
use super::*;
use crate::adapters::Closed;
use crate::net::connection::Connection;
use crate::net::link::Transport;
use crate::net::testing::*;
use crate::net::{Limits, Proto};

/// The payload of all frames of data up to `len` bytes.
async fn read_payload(from: &mut (impl AsyncReadExt + Unpin), len: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < len {
        let (first, payload) = read_frame(from).await.unwrap();
        assert_eq!(first, FIN | BINARY);
        all.extend(payload);
    }
    all
}

/// What a decoder makes of bytes that arrive in pieces of `step`, into buffers of `room`.
fn decoded(bytes: &[u8], step: usize, room: usize) -> Result<(Vec<u8>, Vec<Step>), Fault> {
    let mut decoder = Decoder::new(true);
    let (mut raw, mut payload, mut steps) = (BytesMut::new(), Vec::new(), Vec::new());
    for piece in bytes.chunks(step) {
        raw.extend_from_slice(piece);
        loop {
            let mut space = vec![0; room];
            let mut out = ReadBuf::new(&mut space);
            let found = decoder.step(&mut raw, &mut out)?;
            payload.extend_from_slice(out.filled());
            match found {
                Step::NeedInput => break,
                Step::More | Step::Full => {}
                other => steps.push(other),
            }
        }
    }
    Ok((payload, steps))
}

#[test]
fn frames_cut_at_every_byte() {
    let long = vec![7; 70_000];
    let bytes = [
        masked(BINARY, b"one"),
        masked(FIN | PING, b"?"),
        masked(0, b""),
        masked(0, &long[..300]),
        masked(FIN | PONG, b"unasked"),
        masked(FIN, b"end"),
        binary(b""),
        masked(FIN | TEXT, "é".as_bytes()),
        binary(&long),
        masked(FIN | CLOSE, &[0x03, 0xE8, b'o', b'k']),
    ]
    .concat();
    let payload = [b"one", &long[..300], b"end", "é".as_bytes(), &long].concat();
    let steps = vec![Step::Ping(Short::from_slice(b"?")), Step::Close(Some(1000))];
    for (step, room) in [(1, 1), (1, 100), (2, 3), (3, 100_000), (13, 7), (4_096, 4_096), (bytes.len(), 8)] {
        let found = decoded(&bytes, step, room).unwrap();
        assert!(found == (payload.clone(), steps.clone()), "{step} {room}");
    }
}

proptest! {
    #[test]
    fn any_fragments_in_any_pieces(
        messages in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..5), 0..6),
        step in 1usize..600,
        room in 1usize..600,
    ) {
        let mut bytes = Vec::new();
        for message in &messages {
            for (n, fragment) in message.iter().enumerate() {
                let opcode = if n == 0 { BINARY } else { 0 };
                let last = if n + 1 == message.len() { FIN } else { 0 };
                bytes.extend(masked(opcode | last, fragment));
                bytes.extend(masked(FIN | PONG, b"between"));
            }
        }
        let (payload, steps) = decoded(&bytes, step, room).unwrap();
        prop_assert_eq!(payload, messages.concat().concat());
        prop_assert!(steps.is_empty());
    }

    #[test]
    fn never_panics(bytes: Vec<u8>, step in 1usize..20) {
        let _ = decoded(&bytes, step, 10);
    }
}

#[tokio::test(start_paused = true)]
async fn packets_over_many_frames_and_many_in_one() {
    let (hub, _seen) = hub(Limits::default());
    // A pipe of one byte makes every read and every write a partial one.
    let (client, _task) = served(&hub, 1, Proto::Mqtt);
    let (mut reader, mut writer) = tokio::io::split(client);
    let packets =
        [frame(LOGIN, b""), frame(ECHO, b"one"), frame(ECHO, &[7; 3_000]), frame(ECHO, b"")].concat();
    let answers = [frame(ECHO, b"one"), frame(ECHO, &[7; 3_000]), frame(ECHO, b"")].concat();
    let write = async {
        writer.write_all(&binary(&packets)).await.unwrap();
        for byte in &packets {
            writer.write_all(&binary(&[*byte])).await.unwrap();
        }
        for (n, piece) in packets.chunks(100).enumerate() {
            let opcode = if n == 0 { BINARY } else { 0 };
            writer.write_all(&masked(opcode, piece)).await.unwrap();
        }
        writer.write_all(&masked(FIN, b"")).await.unwrap();
    };
    let read = read_payload(&mut reader, 3 * answers.len());
    let (all, ()) = tokio::join!(read, write);
    assert!(all == [&answers[..]; 3].concat(), "the packets came back changed");
}

#[tokio::test(start_paused = true)]
async fn a_packet_of_sixteen_megabytes() {
    let (hub, _seen) = hub(Limits::default());
    let (client, _task) = served(&hub, 64 * 1024, Proto::Mqtt);
    let (mut reader, mut writer) = tokio::io::split(client);
    let body: Vec<u8> = (0..16u32 << 20).map(|n| (n % 251) as u8).collect();
    let packet = frame(ECHO, &body);
    let write = async {
        writer.write_all(&binary(&[frame(LOGIN, b""), packet.clone()].concat())).await.unwrap();
    };
    let (answer, ()) = tokio::join!(read_payload(&mut reader, packet.len()), write);
    assert!(answer == packet, "the packet came back changed");
}

#[tokio::test(start_paused = true)]
async fn a_write_is_a_message() {
    let (hub, _seen) = hub(Limits::default());
    let (mut client, _task) = served(&hub, 64 * 1024, Proto::Mqtt);
    let packets: Vec<_> = (0..50).flat_map(|n| frame(ECHO, &[n; 10])).collect();
    client.write_all(&binary(&packets)).await.unwrap();
    assert_eq!(read_frame(&mut client).await, Some((FIN | BINARY, packets)));
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered() {
    let (hub, _seen) = hub(Limits::default());
    for bytes in [1, 64 * 1024] {
        let (client, _task) = served(&hub, bytes, Proto::Mqtt);
        let (mut reader, mut writer) = tokio::io::split(client);
        writer.write_all(&binary(&frame(LOGIN, b""))).await.unwrap();
        for payload in [&b""[..], b"x", &[9; 125]] {
            let write = async { writer.write_all(&masked(FIN | PING, payload)).await.unwrap() };
            let (answer, ()) = tokio::join!(read_frame(&mut reader), write);
            assert_eq!(answer, Some((FIN | PONG, payload.to_vec())));
        }
        // Within a message, and with an answer in progress.
        let packet = frame(ECHO, &[5; 100_000]);
        let write = async {
            writer.write_all(&masked(BINARY, &packet[..1_000])).await.unwrap();
            writer.write_all(&masked(FIN | PING, b"within")).await.unwrap();
            writer.write_all(&masked(FIN, &packet[1_000..])).await.unwrap();
            writer.write_all(&masked(FIN | PING, b"behind")).await.unwrap();
        };
        let read = async {
            let (mut payload, mut pongs) = (Vec::new(), Vec::new());
            while payload.len() < packet.len() || pongs.len() < 2 {
                match read_frame(&mut reader).await.unwrap() {
                    (first, pong) if first == FIN | PONG => pongs.push(pong),
                    (_, part) => payload.extend(part),
                }
            }
            assert!(payload == packet && pongs == [&b"within"[..], b"behind"]);
        };
        tokio::join!(write, read);
    }
}

#[tokio::test(start_paused = true)]
async fn many_pings_take_no_memory() {
    let (hub, _seen) = hub(Limits::default());
    let (client, _task) = served(&hub, 1_000, Proto::Mqtt);
    let (mut reader, mut writer) = tokio::io::split(client);
    let write = async {
        for n in 0..10_000u32 {
            writer.write_all(&masked(FIN | PING, &n.to_be_bytes())).await.unwrap();
        }
    };
    // The last one is answered; those before only where there was time.
    let read = async {
        while read_frame(&mut reader).await.unwrap() != (FIN | PONG, 9_999u32.to_be_bytes().to_vec()) {}
    };
    tokio::join!(write, read);
}

#[tokio::test(start_paused = true)]
async fn the_client_closes() {
    for (payload, answer) in [(&b""[..], &b""[..]), (b"\x03\xe9bye", b"\x03\xe9"), (b"\x0b\xb8", b"\x0b\xb8")]
    {
        let (hub, seen) = hub(Limits::default());
        let (mut client, task) = served(&hub, 1_000, Proto::Mqtt);
        client.write_all(&[binary(&frame(ECHO, b"x")), masked(FIN | CLOSE, payload)].concat()).await.unwrap();
        assert_eq!(read_frame(&mut client).await, Some((FIN | BINARY, frame(ECHO, b"x"))));
        assert_eq!(read_frame(&mut client).await, Some((FIN | CLOSE, answer.to_vec())));
        assert_eq!(read_frame(&mut client).await, None);
        task.await.unwrap();
        assert_eq!(*seen.closed.lock(), [Closed::Lost]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_session_closes() {
    for (command, code) in [(QUIT, code::NORMAL), (VIOLATE, code::POLICY), (PANIC, code::INTERNAL)] {
        let (hub, _seen) = hub(Limits::default());
        let (mut client, task) = served(&hub, 1_000, Proto::Mqtt);
        client.write_all(&binary(&frame(command, b""))).await.unwrap();
        let mut last = read_frame(&mut client).await.unwrap();
        if command == QUIT {
            assert_eq!(last, (FIN | BINARY, frame(QUIT, b"")));
            last = read_frame(&mut client).await.unwrap();
        }
        assert_eq!(last, (FIN | CLOSE, code.to_be_bytes().to_vec()), "{command}");
        assert_eq!(read_frame(&mut client).await, None);
        client.write_all(&masked(FIN | CLOSE, &code.to_be_bytes())).await.unwrap();
        task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_server_goes_away() {
    let (hub, _seen) = hub(Limits::default());
    let (mut client, _task) = served(&hub, 1_000, Proto::Mqtt);
    client.write_all(&binary(&frame(LOGIN, b""))).await.unwrap();
    tokio::task::yield_now().await;
    hub.stop.drain();
    assert_eq!(read_frame(&mut client).await, Some((FIN | BINARY, frame(BYE, b""))));
    assert_eq!(read_frame(&mut client).await, Some((FIN | CLOSE, code::GOING_AWAY.to_be_bytes().to_vec())));
}

#[tokio::test(start_paused = true)]
async fn text_for_stomp() {
    let (hub, _seen) = hub(Limits::default());
    let (mut client, _task) = served(&hub, 4_096, Proto::Stomp);
    let text = frame(ECHO, "Größe €".as_bytes());
    let (one, two) = text.split_at(8);
    // The cut goes through a character; in one message that is good.
    client.write_all(&[masked(TEXT, one), masked(FIN, two)].concat()).await.unwrap();
    assert_eq!(read_frame(&mut client).await, Some((FIN | TEXT, text)));
    let bytes = frame(ECHO, &[0xFF, 0xFE]);
    client.write_all(&binary(&bytes)).await.unwrap();
    assert_eq!(read_frame(&mut client).await, Some((FIN | BINARY, bytes)));
}

#[tokio::test(start_paused = true)]
async fn what_came_with_the_request_is_read() {
    let (hub, _seen) = hub(Limits::default());
    let (mut client, server) = tokio::io::duplex(1_000);
    let rest = BytesMut::from(&binary(&frame(ECHO, b"early"))[..]);
    let link = WebSocket::new(server, Accepted { proto: Proto::Mqtt, texts: false, rest });
    let permit = hub.admit().unwrap();
    let now = hub.clock.now();
    let _task = tokio::spawn(Connection::new(link, peer(), Some(Proto::Mqtt), permit, now));
    assert_eq!(read_frame(&mut client).await, Some((FIN | BINARY, frame(ECHO, b"early"))));
}

#[tokio::test]
async fn an_idle_connection_holds_no_buffer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (accepted, client) = tokio::join!(listener.accept(), client);
    let accepted_with = Accepted { proto: Proto::Mqtt, texts: false, rest: BytesMut::new() };
    let mut link = WebSocket::new(Transport::Tcp(accepted.unwrap().0), accepted_with);
    let mut client = client.unwrap();
    client.write_all(&binary(b"x")).await.unwrap();
    assert_eq!(link.read_u8().await.unwrap(), b'x');
    std::future::poll_fn(|cx| {
        assert!(link.poll_readable(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    assert_eq!(link.raw.capacity(), 0);
}
