//! Much of what is allowed once.

use std::io::Write;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use wharfmq_openwire::{ConnectionInfo, KeepAliveInfo, MessagePull, SessionInfo, Structure};

use super::client::{Client, proposal, queue, topic};
use super::corpus::{PAUSE_MAX, Witness, broker};
use crate::support::{PATIENCE, until};

/// Has `act` done while a client beside sends itself messages, whose worst pause is bounded.
fn beside(broker: SocketAddr, act: impl FnOnce() + Send) {
    let mut witness = Witness::of(broker);
    thread::scope(|scope| {
        let act = scope.spawn(act);
        while !act.is_finished() {
            witness.look();
        }
        if let Err(panic) = act.join() {
            std::panic::resume_unwind(panic);
        }
    });
    witness.look();
    assert!(witness.worst < PAUSE_MAX, "the client beside waited for {:?}", witness.worst);
}

#[test]
fn signs_of_life_that_nobody_reads_the_answers_to() {
    let broker = broker(&[]);
    let openwire = broker.address("openwire");
    let before = broker.resident();
    beside(openwire, || {
        let mut client = Client::connect(openwire, "ID:alive");
        let alive = client.bytes(&KeepAliveInfo { response_required: true, ..Default::default() });
        client.stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
        // Ends where the broker has stopped reading, as its answers are not read.
        let many = alive.repeat(1_000);
        let stuck = (0..2_000).any(|_| client.stream.write_all(&many).is_err());
        assert!(stuck, "22 MB of signs of life are answered to nobody");
    });
    let grown = broker.resident().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes");
}

#[test]
fn a_subscriber_that_never_reads_is_sent_100_mb() {
    const CONTENT: usize = 100_000;
    let broker = broker(&[]);
    let openwire = broker.address("openwire");
    let mut stuck = Client::connect(openwire, "ID:stuck");
    let info = stuck.consumer_info(1, &topic("flood"));
    stuck.ask(&wharfmq_openwire::ConsumerInfo { prefetch_size: i32::MAX, ..info });
    // Another one reads, and acknowledges nothing.
    let mut lazy = Client::connect(openwire, "ID:lazy");
    let info = lazy.consumer_info(1, &topic("flood"));
    lazy.ask(&wharfmq_openwire::ConsumerInfo { prefetch_size: 1, ..info });
    let before = broker.resident();
    beside(openwire, || {
        let mut publisher = Client::connect(openwire, "ID:publisher");
        let info = publisher.producer_info(1);
        publisher.ask(&info);
        for n in 0..100_000_000 / CONTENT {
            let mut message = publisher.message(&topic("flood"));
            message.content = Some(vec![b'x'; CONTENT].into());
            message.response_required = n % 10 == 9;
            message.persistent = false;
            if message.response_required { publisher.ask(&message) } else { publisher.send(&message) }
        }
    });
    let grown = broker.resident().saturating_sub(before);
    assert!(grown < 96 << 20, "{grown} bytes");
    drop((stuck, lazy));
}

#[test]
fn pulls_sessions_and_transactions_without_end() {
    let broker = broker(&[]);
    let openwire = broker.address("openwire");
    let before = broker.resident();
    beside(openwire, || {
        let mut client = Client::open(openwire, "ID:endless");
        client.greet(&proposal());
        client.login();
        let info = client.consumer_info(1, &queue("endless"));
        client.ask(&wharfmq_openwire::ConsumerInfo { prefetch_size: 0, ..info });
        let reader = client.stream.try_clone().unwrap();
        let read = thread::spawn(move || drain(reader));
        let consumer_id = Some(client.consumer(1));
        let pull = client.bytes(&MessagePull { consumer_id, ..Default::default() });
        let session_id = Some(client.session(1));
        let session = client.bytes(&SessionInfo { session_id, ..Default::default() });
        for _ in 0..100 {
            client.raw(&pull.repeat(1_000));
            client.raw(&session.repeat(1_000));
            let begins: Vec<_> = (0..1_000)
                .map(|n| {
                    let step = client.step(n, 0);
                    client.bytes(&step)
                })
                .collect();
            client.raw(&begins.concat());
        }
        client.stream.shutdown(std::net::Shutdown::Write).unwrap();
        read.join().unwrap();
    });
    let grown = broker.resident().saturating_sub(before);
    assert!(grown < 48 << 20, "{grown} bytes");
}

fn drain(mut stream: std::net::TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

/// The one that comes last has the id; the earlier one is told to go.
#[test]
fn two_connections_of_one_id() {
    let broker = broker(&[]);
    let openwire = broker.address("openwire");
    let mut first = Client::connect(openwire, "ID:same");
    let info = first.consumer_info(1, &queue("same"));
    first.ask(&info);
    let mut second = Client::connect(openwire, "ID:same");
    let mut last = None;
    while let Some(command) = first.next_within(PATIENCE) {
        last = Some(command);
    }
    assert!(first.is_closed_within(Duration::from_millis(1)));
    assert!(matches!(last, Some(Structure::ShutdownInfo(_))), "{last:?}");
    let info = second.consumer_info(1, &queue("same"));
    second.ask(&info);
}

#[test]
fn two_connections_of_one_client() {
    let broker = broker(&[]);
    let openwire = broker.address("openwire");
    let mut first = Client::connect(openwire, "ID:first");
    let mut second = Client::open(openwire, "ID:second");
    second.greet(&proposal());
    let info = ConnectionInfo { client_id: Some("ID:first".into()), ..second.connection_info() };
    second.send(&info);
    let Some(Structure::ExceptionResponse(refused)) = second.next_within(PATIENCE) else {
        panic!("no exception")
    };
    let class = refused.exception.unwrap().class.unwrap();
    assert_eq!(class.decode(), "javax.jms.InvalidClientIDException");
    while second.next_within(PATIENCE).is_some() {}
    assert!(second.is_closed_within(Duration::from_millis(1)));
    let info = first.producer_info(1);
    first.ask(&info);
}

#[test]
fn two_thousand_visits_leave_no_sockets_behind() {
    let broker = broker(&[]);
    let openwire = broker.address("openwire");
    let sockets = broker.sockets();
    let visit = |nth: usize| {
        let mut client = Client::connect(openwire, &format!("ID:visitor-{}", nth % 50));
        let info = client.consumer_info(1, &queue("visited"));
        client.ask(&info);
        match nth % 4 {
            0 => client.raw(&[0, 0, 0, 2, 77, 0]),
            1 => client.raw(&[0xff; 8]),
            2 => client.raw(&[0, 0, 1, 0, 28]),
            _ => {}
        }
    };
    (0..200).for_each(visit);
    let before = broker.resident();
    (200..2_000).for_each(visit);
    until("the connections are gone", || broker.sockets() == sockets);
    let grown = broker.resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes");
}
