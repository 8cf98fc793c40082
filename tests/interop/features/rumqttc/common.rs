//! What rumqttc does in MQTT 3.1.1 and in MQTT 5 alike.

use std::time::{Duration, Instant};

use super::{Link, Message, Way, message};
use crate::interop::features::{USER, broker, filling};

/// Talks to itself with every quality of service.
async fn to_itself<L: Link>(mut client: L) {
    client.subscribe("self", 2).await;
    for qos in 0..3 {
        client.publish("self", "x", qos, false).await;
        assert_eq!(client.take().await, message("self", "x", qos));
    }
    client.leave().await;
}

async fn open<L: Link>(id: &str, way: &Way) -> L {
    L::open(id, way).await.unwrap()
}

pub(super) async fn version<L: Link>() {
    let broker = broker();
    let client: L = open("v", &Way::tcp(&broker)).await;
    assert!(!client.session_present());
    to_itself(client).await;
}

async fn qos<L: Link>(granted: u8) {
    let broker = broker();
    let way = Way::tcp(&broker);
    let (mut reader, mut writer): (L, L) = (open("r", &way).await, open("w", &way).await);
    reader.subscribe("q/+", granted).await;
    for sent in 0..3 {
        for n in 0..50 {
            writer.send(&format!("q/{sent}"), &n.to_string(), sent).await;
        }
    }
    let mut seen = [0; 3];
    for _ in 0..150 {
        let came = reader.take().await;
        let sent: u8 = came.topic[2..].parse().unwrap();
        let n = &mut seen[usize::from(sent)];
        assert_eq!(came, message(&format!("q/{sent}"), &n.to_string(), sent.min(granted)));
        *n += 1;
    }
    reader.nothing().await;
    reader.leave().await;
    writer.leave().await;
}

pub(super) async fn qos_0<L: Link>() {
    qos::<L>(0).await;
}

pub(super) async fn qos_1<L: Link>() {
    qos::<L>(1).await;
}

pub(super) async fn qos_2<L: Link>() {
    qos::<L>(2).await;
}

pub(super) async fn wildcards<L: Link>() {
    let broker = broker();
    let way = Way::tcp(&broker);
    let (mut plus, mut hash): (L, L) = (open("p", &way).await, open("h", &way).await);
    plus.subscribe("w/+/temp", 1).await;
    hash.subscribe("w/#", 1).await;
    let topics = ["w", "w/1/temp", "w/1/temp/max", "w//temp"];
    for topic in topics {
        plus.publish(topic, "x", 1, false).await;
        assert_eq!(hash.take().await, message(topic, "x", 1));
    }
    for topic in [topics[1], topics[3]] {
        assert_eq!(plus.take().await, message(topic, "x", 1));
    }
    plus.nothing().await;
}

pub(super) async fn unsubscribe<L: Link>() {
    let broker = broker();
    let mut client: L = open("u", &Way::tcp(&broker)).await;
    client.subscribe("u", 1).await;
    client.unsubscribe("u").await;
    client.publish("u", "x", 1, false).await;
    client.nothing().await;
    client.leave().await;
}

pub(super) async fn retained<L: Link>() {
    let broker = broker();
    let way = Way::tcp(&broker);
    let mut writer: L = open("w", &way).await;
    for (topic, payload) in [("r/a", "old"), ("r/a", "new"), ("r/b", "cleared"), ("r/b", "")] {
        writer.publish(topic, payload, 1, true).await;
    }
    let mut reader: L = open("r", &way).await;
    reader.subscribe("r/#", 1).await;
    assert_eq!(reader.take().await, Message { retain: true, ..message("r/a", "new", 1) });
    writer.publish("r/b", "live", 1, true).await;
    assert_eq!(reader.take().await, message("r/b", "live", 1));
    reader.nothing().await;
}

pub(super) async fn will<L: Link>() {
    let broker = broker();
    let way = Way::tcp(&broker);
    let mut witness: L = open("w", &way).await;
    witness.subscribe("lost", 1).await;
    let dying: L = open("d", &way.clone().will("lost", "gone", true)).await;
    dying.vanish().await;
    assert_eq!(witness.take().await, message("lost", "gone", 1));
    let mut late: L = open("l", &way).await;
    late.subscribe("lost", 1).await;
    assert_eq!(late.take().await, Message { retain: true, ..message("lost", "gone", 1) });
}

pub(super) async fn disconnect<L: Link>() {
    let broker = broker();
    let way = Way::tcp(&broker);
    let mut witness: L = open("w", &way).await;
    witness.subscribe("lost/+", 1).await;
    let clean: L = open("c", &way.clone().will("lost/clean", "gone", false)).await;
    clean.leave().await;
    let abrupt: L = open("a", &way.will("lost/abrupt", "gone", false)).await;
    abrupt.vanish().await;
    assert_eq!(witness.take().await, message("lost/abrupt", "gone", 1));
    witness.nothing().await;
}

pub(super) async fn persistent_session<L: Link>() {
    let broker = broker();
    let session = Way::tcp(&broker).session();
    let mut writer: L = open("w", &Way::tcp(&broker)).await;
    let mut first: L = open("s", &session).await;
    assert!(!first.session_present());
    first.subscribe("s/#", 2).await;
    first.leave().await;
    for qos in [0, 1, 2, 1, 2] {
        writer.publish(&format!("s/{qos}"), "missed", qos, false).await;
    }
    let mut second: L = open("s", &session).await;
    assert!(second.session_present());
    for qos in [1, 2, 1, 2] {
        assert_eq!(second.take().await, message(&format!("s/{qos}"), "missed", qos));
    }
    second.nothing().await;
    second.leave().await;
    let third: L = open("s", &Way::tcp(&broker)).await;
    assert!(!third.session_present());
    third.leave().await;
}

pub(super) async fn take_over<L: Link>() -> String {
    let broker = broker();
    let session = Way::tcp(&broker).session();
    let mut first: L = open("same", &session).await;
    first.subscribe("t", 1).await;
    let mut second: L = open("same", &session).await;
    let why = first.lost().await;
    assert!(second.session_present());
    second.publish("t", "x", 1, false).await;
    assert_eq!(second.take().await, message("t", "x", 1));
    second.leave().await;
    why
}

pub(super) async fn keep_alive<L: Link>(seconds: u64) {
    let broker = broker();
    let way = Way { keep_alive: seconds, ..Way::tcp(&broker) };
    let mut client: L = open("k", &way).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        client.pinged().await;
    }
    to_itself(client).await;
}

pub(super) async fn shared_subscription<L: Link>() {
    let broker = broker();
    let way = Way::tcp(&broker);
    let mut members: [L; 2] = [open("0", &way).await, open("1", &way).await];
    for member in &mut members {
        member.subscribe("$share/g/tasks/+", 1).await;
    }
    let mut writer: L = open("w", &way).await;
    for n in 0..20 {
        writer.publish("tasks/x", &n.to_string(), 1, false).await;
    }
    let mut seen = Vec::new();
    for member in &mut members {
        for _ in 0..10 {
            seen.push(member.take().await.payload.parse::<u32>().unwrap());
        }
        member.nothing().await;
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
}

async fn large<L: Link>(size: usize) {
    let broker = broker();
    let way = Way::tcp(&broker);
    let (mut reader, mut writer): (L, L) = (open("r", &way).await, open("w", &way).await);
    reader.subscribe("large", 1).await;
    let body = filling(size);
    writer.publish("large", &body, 1, false).await;
    assert!(reader.take().await == message("large", &body, 1), "it came back changed");
}

pub(super) async fn megabyte<L: Link>() {
    large::<L>(1 << 20).await;
}

pub(super) async fn ten_megabytes<L: Link>() {
    large::<L>(10 << 20).await;
}

pub(super) async fn empty_payload<L: Link>() {
    let broker = broker();
    let mut client: L = open("e", &Way::tcp(&broker)).await;
    client.subscribe("e", 2).await;
    for qos in 0..3 {
        client.publish("e", "", qos, false).await;
        assert_eq!(client.take().await, message("e", "", qos));
    }
}

pub(super) async fn utf8_topics<L: Link>() {
    let broker = broker();
    let mut client: L = open("krebs-🦀", &Way::tcp(&broker)).await;
    client.subscribe("🚢/+/grüße", 1).await;
    client.publish("🚢/港/grüße", "здравствуйте 🌍", 1, false).await;
    assert_eq!(client.take().await, message("🚢/港/grüße", "здравствуйте 🌍", 1));
}

pub(super) async fn queue<L: Link>() {
    let broker = broker();
    let way = Way::tcp(&broker);
    let mut writer: L = open("w", &way).await;
    for n in 0..10 {
        writer.publish("$queue/jobs", &n.to_string(), 1, false).await;
    }
    // What waits comes to whoever is there, and each message to one.
    let mut first: L = open("1", &way).await;
    first.subscribe("$queue/jobs", 1).await;
    for n in 0..10 {
        assert_eq!(first.take().await, message("$queue/jobs", &n.to_string(), 1));
    }
    let mut second: L = open("2", &way).await;
    second.subscribe("$queue/jobs", 1).await;
    let mut came = Vec::new();
    for n in 0..10 {
        writer.publish("$queue/jobs", &n.to_string(), 1, false).await;
        let reader = if n % 2 == 0 { &mut first } else { &mut second };
        came.push(reader.take().await.payload.parse::<u32>().unwrap());
    }
    came.sort_unstable();
    assert_eq!(came, (0..10).collect::<Vec<_>>());
    first.nothing().await;
    second.nothing().await;
}

/// Logs in with the right password; gives what is said to a wrong one.
pub(super) async fn password<L: Link>() -> String {
    let broker = broker();
    let way = |login| Way { login: Some(login), ..Way::tcp(&broker) };
    to_itself::<L>(open("p", &way(USER)).await).await;
    L::open("p", &way((USER.0, "wrong"))).await.err().unwrap()
}

/// Within, all goes well; whom the client does not trust it does not talk to.
async fn trusted<L: Link>(way: Way, stranger: Way) {
    to_itself::<L>(open("t", &way).await).await;
    assert!(L::open("s", &stranger).await.is_err());
}

pub(super) async fn tls<L: Link>() {
    let broker = broker();
    let way = |ca| Way::tls(&broker, "mqtts", ca, None);
    trusted::<L>(way("ca.pem"), way("client.pem")).await;
}

pub(super) async fn tls_client_certificate<L: Link>() {
    let broker = broker();
    let way = |client| Way::tls(&broker, "auto", "ca.pem", client);
    trusted::<L>(way(Some("client")), way(None)).await;
}

pub(super) async fn websocket<L: Link>() {
    let broker = broker();
    to_itself::<L>(open("w", &Way::websocket(&broker)).await).await;
}

pub(super) async fn websocket_tls<L: Link>() {
    let broker = broker();
    let way = |ca| Way::websocket_tls(&broker, ca);
    trusted::<L>(way("ca.pem"), way("client.pem")).await;
}
