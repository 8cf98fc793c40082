//! All hostile acts against one broker, beside a client that means well.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::case::{Case, Corpus};
use super::client::{Client, queue};
use super::loiterers::Loiterers;
use super::{consumers, greetings, ids, logins, sends, transactions, unasked};
use crate::support::{Broker, Setup, until};

/// The longest that the client beside may have to wait.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(1);
/// What the broker may have grown by over all acts, in bytes.
const GROWTH_MAX: u64 = 32 << 20;
/// Acts before memory is looked at first: until then buffers and tables find their size.
const WARM_UP: usize = 100;

/// A broker in memory that speaks OpenWire too.
pub(super) fn broker(settings: &[&str]) -> Broker {
    let setup = Setup::new().memory().listen("openwire://127.0.0.1:0");
    settings.iter().fold(setup, |setup, setting| setup.set(setting)).start()
}

fn all() -> Vec<Case> {
    let mut corpus = Corpus::default();
    greetings::add(&mut corpus);
    logins::add(&mut corpus);
    unasked::add(&mut corpus);
    ids::add(&mut corpus);
    sends::add(&mut corpus);
    consumers::add(&mut corpus);
    transactions::add(&mut corpus);
    corpus.cases
}

#[test]
fn every_hostile_act_ends_as_it_must() {
    let cases = all();
    let names: BTreeSet<_> = cases.iter().map(|case| &*case.name).collect();
    assert!(names.len() >= 300, "{} names", names.len());
    let mut broker = broker(&["limits.max_frame=1MiB", "limits.login_timeout=2s"]);
    let openwire = broker.address("openwire");
    let mut witness = Witness::of(openwire);
    let sockets = broker.sockets();
    let loiterers = Loiterers::begin(openwire);
    let (mut wrong, mut before) = (Vec::new(), 0);
    for (nth, case) in cases.iter().enumerate() {
        if nth == WARM_UP {
            before = broker.resident();
        }
        if let Err(why) = case.run(openwire, nth) {
            wrong.push(format!("{}: {why:.600}", case.name));
        }
        witness.look();
    }
    loiterers.end();
    assert!(wrong.is_empty(), "{} acts:\n{}", wrong.len(), wrong.join("\n"));
    assert!(witness.worst < PAUSE_MAX, "the client beside waited for {:?}", witness.worst);
    until("the connections are gone", || broker.sockets() == sockets);
    let grown = broker.resident().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "{grown} bytes more than before");
    assert!(broker.is_running());
    assert!(!broker.log().contains("panic"));
}

/// A client that means well, sends itself messages and notes how long they take.
pub(super) struct Witness {
    client: Client,
    round: u32,
    pub(super) worst: Duration,
}

impl Witness {
    pub(super) fn of(broker: SocketAddr) -> Self {
        let mut client = Client::connect(broker, "ID:witness");
        let producer = client.producer_info(1);
        client.ask(&producer);
        let consumer = client.consumer_info(1, &queue("witness"));
        client.ask(&consumer);
        Self { client, round: 0, worst: Duration::ZERO }
    }

    /// One message to and fro.
    pub(super) fn look(&mut self) {
        let start = Instant::now();
        self.round += 1;
        let text = self.round.to_be_bytes();
        let mut message = self.client.message(&queue("witness"));
        message.content = Some(text.to_vec().into());
        self.client.ask(&message);
        let came = self.client.take();
        assert_eq!(came.message.as_ref().unwrap().content.as_deref(), Some(&text[..]));
        let ack = self.client.ack(2, &came, &came);
        self.client.ask(&ack);
        self.worst = self.worst.max(start.elapsed());
    }
}
