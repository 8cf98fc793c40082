//! All hostile acts against one broker, beside a client that means well.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::case::{Case, Corpus};
use super::login::Loiterers;
use super::{acks, connects, garbage, goodbyes, headers, properties, publishes, subscribes, texts};
use crate::support::mqtt::V311;
use crate::support::{Broker, Mqtt, Setup, until};

/// The longest that the client beside may have to wait.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// What the broker may have grown by over all acts, in bytes.
const GROWTH_MAX: u64 = 16 << 20;
/// Acts before memory is looked at first: until then buffers and tables find their size.
const WARM_UP: usize = 100;

/// What the broker is configured to limit.
const LIMITS: [&str; 6] = [
    "limits.max_frame=1MiB",
    "limits.login_timeout=2s",
    "mqtt.receive_maximum=10",
    "mqtt.check_payload_format=true",
    "mqtt.max_topic_levels=20",
    "mqtt.max_topic_length=500",
];

fn all() -> Vec<Case> {
    let mut corpus = Corpus::default();
    headers::add(&mut corpus);
    connects::add(&mut corpus);
    properties::add(&mut corpus);
    publishes::add(&mut corpus);
    acks::add(&mut corpus);
    subscribes::add(&mut corpus);
    texts::add(&mut corpus);
    goodbyes::add(&mut corpus);
    garbage::add(&mut corpus);
    corpus.cases
}

#[test]
fn every_hostile_act_ends_as_it_must() {
    let cases = all();
    let names: BTreeSet<_> = cases.iter().map(|case| &*case.name).collect();
    assert!(names.len() >= 200, "{} names", names.len());
    let mut broker = LIMITS.iter().fold(Setup::new().memory(), |setup, limit| setup.set(limit)).start();
    let mut witness = Witness::of(&broker);
    let sockets = broker.sockets();
    let loiterers = Loiterers::begin(&broker);
    let (mut wrong, mut before) = (Vec::new(), 0);
    for (nth, case) in cases.iter().enumerate() {
        if nth == WARM_UP {
            before = broker.resident();
        }
        if let Err(why) = case.run(broker.mqtt()) {
            wrong.push(format!("{} (version {}): {why}", case.name, case.version));
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
    client: Mqtt,
    round: u32,
    pub(super) worst: Duration,
}

impl Witness {
    pub(super) fn of(broker: &Broker) -> Self {
        let mut client = Mqtt::connect(broker.mqtt(), V311, "witness");
        client.subscribe("witness", 1);
        Self { client, round: 0, worst: Duration::ZERO }
    }

    /// One message to and fro.
    pub(super) fn look(&mut self) {
        let start = Instant::now();
        self.round += 1;
        let text = self.round.to_string();
        self.client.publish("witness", &text, 1);
        assert_eq!(self.client.take().text(), text);
        self.worst = self.worst.max(start.elapsed());
    }
}
