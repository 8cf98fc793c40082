//! rumqttc, its clients of MQTT 3.1.1 (v4) and of MQTT 5 (v5).

mod common;
pub(super) mod v4;
pub(super) mod v5;

use std::fmt::Debug;
use std::fs;
use std::time::Duration;

use ::rumqttc::Transport;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::certificate;
use crate::support::Broker;
use crate::support::wait::{PATIENCE, QUIET};

/// A message as both clients give it.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    topic: String,
    payload: String,
    qos: u8,
    retain: bool,
    dup: bool,
}

/// A message that is not retained, nor sent again.
fn message(topic: &str, payload: &str, qos: u8) -> Message {
    Message { topic: topic.to_owned(), payload: payload.to_owned(), qos, retain: false, dup: false }
}

/// How to connect.
#[derive(Clone)]
struct Way {
    transport: Transport,
    host: String,
    port: u16,
    /// Whether the session outlives the connection.
    keeps: bool,
    clean: bool,
    keep_alive: u64,
    will: Option<(String, String, bool)>,
    login: Option<(&'static str, &'static str)>,
}

impl Way {
    fn tcp(broker: &Broker) -> Self {
        Self {
            transport: Transport::Tcp,
            host: "127.0.0.1".to_owned(),
            port: broker.mqtt().port(),
            keeps: false,
            clean: true,
            keep_alive: 60,
            will: None,
            login: None,
        }
    }

    fn websocket(broker: &Broker) -> Self {
        let host = format!("ws://{}/mqtt", broker.address("ws"));
        Self { transport: Transport::Ws, host, ..Self::tcp(broker) }
    }

    fn websocket_tls(broker: &Broker, ca: &str) -> Self {
        let host = format!("wss://localhost:{}/mqtt", broker.address("wss").port());
        let transport = Transport::wss(read(ca), None, None);
        Self { transport, host, ..Self::tcp(broker) }
    }

    fn tls(broker: &Broker, scheme: &str, ca: &str, client: Option<&str>) -> Self {
        let certificate = |name| (read(&format!("{name}.pem")), read(&format!("{name}.key")));
        let transport = Transport::tls(read(ca), client.map(certificate), None);
        let (host, port) = ("localhost".to_owned(), broker.address(scheme).port());
        Self { transport, host, port, ..Self::tcp(broker) }
    }

    /// Takes up a session, and leaves it behind.
    fn session(mut self) -> Self {
        self.keeps = true;
        self.clean = false;
        self
    }

    fn will(mut self, topic: &str, payload: &str, retain: bool) -> Self {
        self.will = Some((topic.to_owned(), payload.to_owned(), retain));
        self
    }
}

fn read(file: &str) -> Vec<u8> {
    fs::read(certificate(file)).unwrap()
}

/// What the cases that both clients share need of one.
trait Link: Sized {
    /// Connects; the error in words if that fails.
    async fn open(id: &str, way: &Way) -> Result<Self, String>;
    fn session_present(&self) -> bool;
    async fn subscribe(&mut self, filter: &str, qos: u8);
    async fn unsubscribe(&mut self, filter: &str);
    /// Publishes and waits for what confirms it.
    async fn publish(&mut self, topic: &str, payload: &str, qos: u8, retain: bool);
    /// Publishes and does not wait.
    async fn send(&mut self, topic: &str, payload: &str, qos: u8);
    async fn take(&mut self) -> Message;
    async fn nothing(&mut self);
    /// Waits until the broker has answered a ping.
    async fn pinged(&mut self);
    /// Waits until the connection is over; why, in words.
    async fn lost(&mut self) -> String;
    /// Says goodbye.
    async fn leave(self);
    /// Ends without a word.
    async fn vanish(self);
}

/// Runs a case.
fn block_on(case: impl Future<Output = ()>) {
    // Only the first call of a process takes effect, and all ask for the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(case);
}

/// What comes in, waited for with a deadline.
struct Inbox<T>(UnboundedReceiver<T>);

impl<T: Debug> Inbox<T> {
    fn new() -> (UnboundedSender<T>, Self) {
        let (send, receive) = unbounded_channel();
        (send, Self(receive))
    }

    #[track_caller]
    fn take(&mut self, what: &str) -> impl Future<Output = T> {
        self.take_within(what, PATIENCE)
    }

    async fn take_within(&mut self, what: &str, patience: Duration) -> T {
        let came = timeout(patience, self.0.recv()).await;
        came.unwrap_or_else(|_| panic!("no {what} in time")).unwrap_or_else(|| panic!("no {what}: over"))
    }

    async fn nothing(&mut self) {
        let came = timeout(QUIET, self.0.recv()).await;
        assert!(came.is_err(), "something came: {came:?}");
    }
}

/// The cases that both clients share, as functions of no argument.
macro_rules! shared {
    ($link:ty: $($case:ident)+) => {
        $(
            fn $case() {
                super::block_on(super::common::$case::<$link>());
            }
        )+
    };
}
use shared;
