//! The loop, over pipes and in virtual time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wharfmq_base::Millis;

use super::connection::Connection;
use super::link::Transport;
use super::testing::*;
use super::{Limits, Proto};
use crate::adapters::{Close, Closed};

const PIPE: usize = 64 * 1024;
const STOMP: Option<Proto> = Some(Proto::Stomp);

fn only(seen: &Seen) -> Closed {
    let closed = seen.closed.lock();
    assert_eq!(closed.len(), 1, "{closed:?}");
    closed[0].clone()
}

#[tokio::test(start_paused = true)]
async fn frames_cut_at_every_byte_come_back_whole() {
    let (hub, seen) = hub(Limits::default());
    // A pipe of one byte makes every read and every write a partial one.
    let (mut client, task) = piped(&hub, 1, STOMP);
    let frames =
        [frame(LOGIN, b""), frame(ECHO, b"one"), frame(ECHO, b""), frame(ECHO, &[7; 3_000])].concat();
    let (mut reader, mut writer) = tokio::io::split(&mut client);
    let write = async {
        writer.write_all(&frames).await.unwrap();
    };
    let read = async {
        assert_eq!(receive(&mut reader).await, Some((ECHO, b"one".to_vec())));
        assert_eq!(receive(&mut reader).await, Some((ECHO, Vec::new())));
        assert_eq!(receive(&mut reader).await, Some((ECHO, vec![7; 3_000])));
    };
    tokio::join!(write, read);
    send(&mut client, QUIT, b"").await;
    assert_eq!(receive(&mut client).await, Some((QUIT, Vec::new())));
    assert_eq!(receive(&mut client).await, None);
    drop(client);
    task.await.unwrap();
    assert_eq!(only(&seen), Closed::Session(Close::Clean));
    assert_eq!(hub.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_frame_of_ten_megabytes() {
    let (hub, _seen) = hub(Limits::default());
    let (client, _task) = piped(&hub, PIPE, STOMP);
    let (mut reader, mut writer) = tokio::io::split(client);
    let body: Vec<u8> = (0..10u32 << 20).map(|n| (n % 251) as u8).collect();
    let write = async {
        send(&mut writer, LOGIN, b"").await;
        send(&mut writer, ECHO, &body).await;
    };
    let (answer, ()) = tokio::join!(receive(&mut reader), write);
    assert!(answer == Some((ECHO, body.clone())), "the frame came back changed");
}

#[tokio::test(start_paused = true)]
async fn a_frame_over_the_limit_ends_it_without_being_held() {
    let (hub, seen) = hub(Limits { frame_bytes: 1 << 20, ..Limits::default() });
    let (mut client, task) = piped(&hub, PIPE, STOMP);
    send(&mut client, LOGIN, b"").await;
    client.write_all(&frame_head(ECHO, 20 << 20)).await.unwrap();
    let zeros = [0; 8 * 1024];
    let mut sent = 0;
    while sent < 20 << 20 && client.write_all(&zeros).await.is_ok() {
        sent += zeros.len();
        if !seen.closed.lock().is_empty() {
            break;
        }
    }
    assert!(sent < 2 << 20, "{sent} bytes were taken");
    assert!(matches!(only(&seen), Closed::Session(Close::Violation(_))));
    drop(client);
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_leaves_its_events_and_gets_them_all() {
    let (hub, seen) = hub(Limits::default());
    let (mut client, _task) = piped(&hub, 1_000, STOMP);
    send(&mut client, LOGIN, b"").await;
    let count = 5_000u32;
    send(&mut client, EVENTS, &count.to_be_bytes()).await;
    // Nobody reads for a while.
    tokio::time::sleep(Duration::from_secs(5)).await;
    for n in 0..count {
        let (command, body) = receive(&mut client).await.unwrap();
        assert_eq!((command, body.len()), (EVENTS, EVENT_BYTES));
        assert_eq!(body[..4], n.to_be_bytes());
    }
    let most = seen.most_out.load(Ordering::Relaxed);
    assert!(most < 256 * 1024, "{most} bytes of output for a client that does not read");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_only_writes_is_not_read_for_ever() {
    let (hub, _seen) = hub(Limits::default());
    let (mut client, _task) = piped(&hub, 4_096, STOMP);
    send(&mut client, LOGIN, b"").await;
    let echo = frame(ECHO, &[1; 1_000]);
    let mut sent = 0;
    // Each frame asks for an answer of its size: once the output is full, nothing more is taken.
    while tokio::time::timeout(Duration::from_secs(5), client.write_all(&echo)).await.is_ok() {
        sent += echo.len();
        assert!(sent < 4 << 20, "{sent} bytes were taken");
    }
    assert!(sent > 200 * 1024, "{sent}");
}

#[tokio::test(start_paused = true)]
async fn what_is_read_late_is_not_early() {
    let (hub, _seen) = hub(Limits::default());
    let (mut client, server) = tokio::io::duplex(PIPE);
    client.write_all(&[frame(LOGIN, b""), frame(TIME, b"")].concat()).await.unwrap();
    let read_at = Arc::default();
    let link = Tardy { link: server, clock: hub.clock, read_at: Arc::clone(&read_at) };
    let permit = hub.admit().unwrap();
    let _task = tokio::spawn(Connection::new(link, peer(), STOMP, permit, hub.clock.now()));
    let (_, time) = receive(&mut client).await.unwrap();
    assert_eq!(time, read_at.lock().0.to_be_bytes());
}

#[tokio::test(start_paused = true)]
async fn the_login_has_its_time() {
    let (hub, seen) = hub(Limits::default());
    let (mut client, task) = piped(&hub, PIPE, STOMP);
    let started = tokio::time::Instant::now();
    client.write_all(&[0, 0]).await.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    let took = started.elapsed().as_millis();
    assert!((10_000..10_050).contains(&took), "{took}");
    assert!(matches!(only(&seen), Closed::Session(Close::TimedOut(_))));
    drop(client);
    task.await.unwrap();
    // Whoever has logged in may be silent.
    let (mut client, task) = piped(&hub, PIPE, STOMP);
    send(&mut client, LOGIN, b"").await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert!(!task.is_finished());
}

#[tokio::test(start_paused = true)]
async fn the_login_has_its_bytes() {
    let (hub, seen) = hub(Limits { login_bytes: 10_000, ..Limits::default() });
    let (mut client, _task) = piped(&hub, PIPE, STOMP);
    client.write_all(&frame(ECHO, &[0; 9_000])).await.unwrap();
    assert!(receive(&mut client).await.is_some());
    client.write_all(&frame(ECHO, &[0; 9_000])[..2_000]).await.unwrap();
    assert_eq!(receive(&mut client).await, None);
    assert!(matches!(only(&seen), Closed::Session(Close::Violation(_))));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_panics_ends_alone() {
    let (hub, seen) = hub(Limits::default());
    let (mut other, _other_task) = piped(&hub, PIPE, STOMP);
    let (mut client, task) = piped(&hub, PIPE, STOMP);
    send(&mut client, ECHO, b"before").await;
    assert!(receive(&mut client).await.is_some());
    send(&mut client, PANIC, b"").await;
    assert_eq!(receive(&mut client).await, None);
    drop(client);
    task.await.unwrap();
    assert_eq!(only(&seen), Closed::Lost);
    send(&mut other, ECHO, b"after").await;
    assert_eq!(receive(&mut other).await, Some((ECHO, b"after".to_vec())));
    assert_eq!(hub.open(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_violation_is_answered_before_the_end() {
    let (hub, seen) = hub(Limits::default());
    let (mut client, _task) = piped(&hub, PIPE, STOMP);
    client.write_all(&[frame(ECHO, b"x"), frame(VIOLATE, b"")].concat()).await.unwrap();
    assert_eq!(receive(&mut client).await, Some((ECHO, b"x".to_vec())));
    assert_eq!(receive(&mut client).await, None);
    assert_eq!(only(&seen), Closed::Session(Close::Violation("as told".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn an_end_of_stream_is_a_loss_and_what_was_asked_is_answered() {
    let (hub, seen) = hub(Limits::default());
    let (mut client, task) = piped(&hub, PIPE, STOMP);
    send(&mut client, LOGIN, b"").await;
    client.write_all(&frame(ECHO, b"x")).await.unwrap();
    client.write_all(&frame(ECHO, b"never whole")[..6]).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(receive(&mut client).await, Some((ECHO, b"x".to_vec())));
    assert_eq!(receive(&mut client).await, None);
    task.await.unwrap();
    assert_eq!(only(&seen), Closed::Lost);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_goes_is_left_after_the_linger() {
    let (hub, _seen) = hub(Limits::default());
    let (mut client, task) = piped(&hub, PIPE, STOMP);
    send(&mut client, QUIT, b"").await;
    let started = tokio::time::Instant::now();
    task.await.unwrap();
    assert_eq!(started.elapsed().as_secs(), 2);
    assert_eq!(hub.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_sessions_deadline_rings_once_each_time() {
    let (hub, _seen) = hub(Limits::default());
    let (mut client, _task) = piped(&hub, PIPE, STOMP);
    send(&mut client, LOGIN, b"").await;
    // Later, then earlier than the timer that is armed.
    for ms in [60_000u32, 500, 30_000, 0] {
        let started = tokio::time::Instant::now();
        send(&mut client, ALARM, &ms.to_be_bytes()).await;
        assert_eq!(receive(&mut client).await, Some((RANG, Vec::new())));
        let took = started.elapsed();
        let due = Duration::from_millis(ms.into());
        assert!(took >= due && took < due + Duration::from_millis(10), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_says_goodbye_once_and_waits_for_silence() {
    let (hub, seen) = hub(Limits::default());
    let (mut client, _task) = piped(&hub, PIPE, STOMP);
    let (mut stranger, _stranger_task) = piped(&hub, PIPE, STOMP);
    send(&mut client, LOGIN, b"").await;
    tokio::task::yield_now().await;
    let started = tokio::time::Instant::now();
    hub.stop.drain();
    assert_eq!(receive(&mut client).await, Some((BYE, Vec::new())));
    assert_eq!(receive(&mut stranger).await, None, "who has not logged in has nothing to settle");
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        send(&mut client, ECHO, b"settle").await;
        assert_eq!(receive(&mut client).await, Some((ECHO, b"settle".to_vec())));
    }
    assert_eq!(receive(&mut client).await, None);
    let took = started.elapsed().as_millis();
    assert!((1_400..1_450).contains(&took), "{took}");
    assert_eq!(*seen.closed.lock(), [Closed::Shutdown, Closed::Shutdown]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_ever() {
    let (hub, _seen) = hub(Limits { drain: Millis(2_000), ..Limits::default() });
    let (mut client, task) = piped(&hub, PIPE, STOMP);
    send(&mut client, LOGIN, b"").await;
    tokio::task::yield_now().await;
    let started = tokio::time::Instant::now();
    hub.stop.drain();
    while tokio::time::timeout(Duration::from_millis(100), client.write_all(&frame(LOGIN, b""))).await.is_ok()
    {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if task.is_finished() {
            break;
        }
    }
    // The drain, then the linger.
    let took = started.elapsed().as_millis();
    assert!((2_000..4_500).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_everything_at_once() {
    let (hub, seen) = hub(Limits::default());
    let (mut client, task) = piped(&hub, PIPE, STOMP);
    send(&mut client, LOGIN, b"").await;
    hub.stop.stop();
    task.await.unwrap();
    assert_eq!(only(&seen), Closed::Shutdown);
}

#[tokio::test(start_paused = true)]
async fn the_first_bytes_choose_the_session() {
    let (hub, seen) = hub(Limits::default());
    for (greeting, proto) in [(&b"\x10"[..], Proto::Mqtt), (b"CONNECT\n", Proto::Stomp)] {
        let (mut client, _task) = piped(&hub, PIPE, None);
        for byte in greeting {
            client.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        send(&mut client, ECHO, b"x").await;
        assert_eq!(receive(&mut client).await, Some((ECHO, b"x".to_vec())));
        assert_eq!(seen.protos.lock().pop(), Some(proto));
    }
    let (mut client, _task) = piped(&hub, PIPE, None);
    client.write_all(b"GET / HTTP/1.1").await.unwrap();
    assert_eq!(receive(&mut client).await, None);
    let (mut silent, _task) = piped(&hub, PIPE, None);
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0, "the time for the login runs from the start");
    assert!(seen.protos.lock().is_empty());
}

#[test]
fn an_idle_connection_is_small() {
    let size = size_of::<Connection<Transport>>();
    println!("a connection's future: {size} bytes");
    assert!(size <= 768, "{size}");
}
