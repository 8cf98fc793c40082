//! `mosquitto_pub`, `mosquitto_sub` and `mosquitto_rr`.

use std::time::{Duration, Instant};

use super::{USER, broker, certificate, filling, rows};
use crate::support::clients::{Client, mosquitto, publish, subscribe};
use crate::support::wait::QUIET;
use crate::support::{Broker, PATIENCE};

rows! {
    version_3_1
    version_3_1_1
    version_5
    qos_0
    qos_1
    qos_2
    wildcards
    unsubscribe
    retained
    retain_as_published
    will
    will_with_delay
    disconnect
    persistent_session
    session_expiry
    take_over
    assigned_client_id
    keep_alive
    shared_subscription
    subscription_identifiers
    request_and_response
    user_properties
    content_type
    payload_format
    message_expiry
    topic_alias_to_broker
    receive_maximum
    maximum_packet_size
    megabyte
    ten_megabytes
    empty_payload
    utf8_topics
    no_subscribers
    refused_subscription
    queue
    password
    tls
    tls_client_certificate
}

/// What the programs cannot do.
pub(super) const CANNOT: &[(&str, &str)] = &[
    ("retain_handling", "no option for it"),
    ("no_local", "no program both publishes and subscribes to the same topic"),
    ("topic_alias_to_client", "libmosquitto 2.0 takes an alias without a topic for an error"),
    ("scram", "libmosquitto 2.0 leaves AUTH to its caller, and the programs have no SCRAM"),
    ("websocket", "libmosquitto 2.0 has no WebSocket"),
    ("websocket_tls", "libmosquitto 2.0 has no WebSocket"),
];

const V5: &str = "-V mqttv5";
const ALL: &str = "-F %t:%q:%r:%p";

fn reads(broker: &Broker, arguments: &str) -> Client {
    subscribe(broker.mqtt(), &format!("{V5} -q 2 {ALL} {arguments}"))
}

fn sends(broker: &Broker, arguments: &str) {
    publish(broker.mqtt(), &format!("{V5} {arguments}"));
}

fn version(version: &str) {
    let broker = broker();
    let mut reader = subscribe(broker.mqtt(), &format!("-V {version} -t v/x -q 2 {ALL} -C 3"));
    for qos in 0..3 {
        publish(broker.mqtt(), &format!("-V {version} -t v/x -m {version} -q {qos}"));
        assert_eq!(reader.message(), format!("v/x:{qos}:0:{version}"));
    }
    reader.done();
}

fn version_3_1() {
    version("mqttv31");
}

fn version_3_1_1() {
    version("mqttv311");
}

fn version_5() {
    version("mqttv5");
}

fn qos(granted: u8) {
    let broker = broker();
    let mut reader = subscribe(broker.mqtt(), &format!("{V5} -t many/+ -q {granted} {ALL} -C 150"));
    for sent in 0..3 {
        sends(&broker, &format!("-t many/{sent} -m x -q {sent} --repeat 50"));
        for _ in 0..50 {
            assert_eq!(reader.message(), format!("many/{sent}:{}:0:x", granted.min(sent)));
        }
    }
    reader.done();
}

fn qos_0() {
    qos(0);
}

fn qos_1() {
    qos(1);
}

fn qos_2() {
    qos(2);
}

fn wildcards() {
    let broker = broker();
    let mut plus = reads(&broker, "-t w/+/temp -F %t -C 2");
    let mut hash = reads(&broker, "-t w/# -F %t -C 4");
    let topics = ["w", "w/1/temp", "w/1/temp/max", "w//temp"];
    for topic in topics {
        sends(&broker, &format!("-t {topic} -m x -q 1"));
        assert_eq!(hash.message(), topic);
    }
    assert_eq!([plus.message(), plus.message()], ["w/1/temp", "w//temp"]);
    plus.done();
    hash.done();
}

fn unsubscribe() {
    let broker = broker();
    let session = "-t u/+ -c -i u -x 3600";
    mosquitto("mosquitto_sub", broker.mqtt(), &format!("{V5} -q 1 {session} -E")).done();
    // It subscribes to the second and takes back the first.
    let mut reader = reads(&broker, &format!("-t v -U u/+ {} -C 1", &session[7..]));
    reader.wait_line("UNSUBACK");
    sends(&broker, "-t u/1 -m x -q 1");
    sends(&broker, "-t v -m last -q 1");
    assert_eq!(reader.message(), "v:1:0:last");
    reader.done();
}

fn retained() {
    let broker = broker();
    for message in ["a -m old", "a -m new", "b -m cleared", "b -n"] {
        sends(&broker, &format!("-r -q 1 -t r/{message}"));
    }
    let mut reader = reads(&broker, "-t r/# -C 2");
    assert_eq!(reader.message(), "r/a:1:1:new");
    sends(&broker, "-r -q 1 -t r/b -m live");
    assert_eq!(reader.message(), "r/b:1:0:live");
    reader.done();
}

fn retain_as_published() {
    let broker = broker();
    let mut plain = reads(&broker, "-t r -C 1");
    let mut kept = reads(&broker, "-t r --retain-as-published -C 1");
    sends(&broker, "-r -q 1 -t r -m x");
    assert_eq!([plain.message(), kept.message()], ["r:1:0:x", "r:1:1:x"]);
    plain.done();
    kept.done();
}

/// A client that waits for nothing, and its will.
fn dying(broker: &Broker, will: &str) -> Client {
    reads(broker, &format!("-t none --will-payload gone --will-qos 1 --will-topic {will}"))
}

fn will() {
    let broker = broker();
    let mut witness = reads(&broker, "-t lost/# -F %t:%q:%r:%p:%C:%P -C 2");
    let properties = "-D will content-type text/plain -D will user-property why lost";
    drop(dying(&broker, &format!("lost/5 --will-retain {properties}")));
    assert_eq!(witness.message(), "lost/5:1:0:gone:text/plain:why:lost");
    let mut late = reads(&broker, "-t lost/5 -C 1");
    assert_eq!(late.message(), "lost/5:1:1:gone");
    late.done();
    drop(subscribe(broker.mqtt(), "-t none --will-topic lost/4 --will-payload gone"));
    assert_eq!(witness.message(), "lost/4:0:0:gone::");
    witness.done();
}

fn will_with_delay() {
    let broker = broker();
    let mut witness = reads(&broker, "-t lost/+ -C 2");
    let begun = Instant::now();
    drop(dying(&broker, "lost/late -c -i late -x 3600 -D will will-delay-interval 1"));
    assert_eq!(witness.message(), "lost/late:1:0:gone");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    // Who comes back in time takes it back.
    drop(dying(&broker, "lost/never -c -i back -x 3600 -D will will-delay-interval 2"));
    let _back = reads(&broker, "-t none -c -i back -x 3600");
    drop(dying(&broker, "lost/last -c -i last -x 3600 -D will will-delay-interval 2"));
    assert_eq!(witness.message(), "lost/last:1:0:gone");
    witness.done();
}

fn disconnect() {
    let broker = broker();
    let mut witness = reads(&broker, "-t lost/+ -C 1");
    let will = "-t none --will-payload gone --will-topic lost/clean -E";
    mosquitto("mosquitto_sub", broker.mqtt(), &format!("{V5} {will}")).done();
    drop(dying(&broker, "lost/abrupt"));
    assert_eq!(witness.message(), "lost/abrupt:1:0:gone");
    witness.done();
}

fn persistent_session() {
    let broker = broker();
    for version in ["mqttv31", "mqttv311", "mqttv5"] {
        let session = format!("-V {version} -t {version}/# -q 2 -c -i worker-{version} {ALL}");
        mosquitto("mosquitto_sub", broker.mqtt(), &format!("{session} -E")).done();
        for qos in [0, 1, 2, 1, 2] {
            sends(&broker, &format!("-t {version}/{qos} -m x -q {qos}"));
        }
        let said = mosquitto("mosquitto_sub", broker.mqtt(), &format!("{session} -C 4")).done();
        // libmosquitto hands out QoS 2 when it is released: in order are those of one quality.
        let mut came: Vec<&str> = said.lines().collect();
        came.sort_unstable();
        let expected = [1, 1, 2, 2].map(|qos| format!("{version}/{qos}:{qos}:0:x"));
        assert_eq!(came, expected);
    }
}

fn session_expiry() {
    let broker = broker();
    let mut witness = reads(&broker, "-t over -C 1");
    let begun = Instant::now();
    // A will that waits longer than the session lives comes when the session ends.
    drop(dying(&broker, "over -t s/+ -c -i short -x 1 -D will will-delay-interval 600"));
    let long = "-t s/+ -q 1 -c -i long -x 600";
    mosquitto("mosquitto_sub", broker.mqtt(), &format!("{V5} {long} -E")).done();
    assert_eq!(witness.message(), "over:1:0:gone");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    sends(&broker, "-t s/1 -m missed -q 1");
    let again = mosquitto("mosquitto_sub", broker.mqtt(), &format!("{V5} {long} {ALL} -C 1"));
    assert_eq!(again.done().trim(), "s/1:1:0:missed");
    let mut short = reads(&broker, "-t other -c -i short -C 1");
    sends(&broker, "-t other -m live -q 1");
    assert_eq!(short.message(), "other:1:0:live", "nothing of the session is left");
    short.done();
    witness.done();
}

fn take_over() {
    let broker = broker();
    let mut first = reads(&broker, "-t t -c -i same -x 600");
    let mut second = reads(&broker, "-t t -c -i same -x 600 -C 1");
    first.wait_line("DISCONNECT (142)");
    drop(first);
    sends(&broker, "-t t -m x -q 1");
    assert_eq!(second.message(), "t:1:0:x");
    second.done();
}

fn assigned_client_id() {
    let broker = broker();
    let id = || {
        let said = mosquitto("mosquitto_sub", broker.mqtt(), "-V mqttv5 -d -t x -E").done();
        let line = said.lines().find(|line| line.contains("received CONNACK (0)")).unwrap();
        line.split(' ').nth(1).unwrap().to_owned()
    };
    let (one, other) = (id(), id());
    assert!(one != other && one != "(null)", "{one} {other}");
}

fn keep_alive() {
    let broker = broker();
    // Shorter ones libmosquitto refuses.
    let mut client = reads(&broker, "-t k -k 5 -C 1");
    client.wait_line("received PINGRESP");
    sends(&broker, "-t k -m x -q 1");
    assert_eq!(client.message(), "k:1:0:x");
    client.done();
}

fn shared_subscription() {
    let broker = broker();
    let member = || reads(&broker, "-t $share/g/tasks/# -F %p -C 10");
    let mut members = [member(), member()];
    for n in 0..20 {
        sends(&broker, &format!("-t tasks/{n} -m {n} -q 1"));
    }
    let mut seen: Vec<u32> = Vec::new();
    for member in &mut members {
        seen.extend((0..10).map(|_| member.message().parse::<u32>().unwrap()));
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
    members.into_iter().for_each(|member| drop(member.done()));
}

fn subscription_identifiers() {
    let broker = broker();
    let mut reader = reads(&broker, "-t i -F %S:%p -C 1 -D subscribe subscription-identifier 268435455");
    let mut plain = reads(&broker, "-t i -F %S:%p -C 1");
    sends(&broker, "-t i -m x -q 1");
    assert_eq!([reader.message(), plain.message()], ["268435455:x", ":x"]);
    reader.done();
    plain.done();
}

fn request_and_response() {
    let broker = broker();
    let mut worker = reads(&broker, "-t questions -F %R:%D:%p -C 1");
    let asks = "-V mqttv5 -t questions -e answers/1 -m why? -q 1 -D publish correlation-data c-7 -F %D:%p";
    let asker = mosquitto("mosquitto_rr", broker.mqtt(), asks);
    assert_eq!(worker.message(), "answers/1:c-7:why?");
    worker.done();
    sends(&broker, "-t answers/1 -m because -q 1 -D publish correlation-data c-7");
    assert_eq!(asker.done().trim(), "c-7:because");
}

/// Publishes with a property and reads it in that format; a message without it comes without it.
fn property(property: &str, format: &str, expected: &str) {
    let broker = broker();
    let mut reader = reads(&broker, &format!("-t p -F {format}|%p -C 2"));
    sends(&broker, &format!("-t p -m with -q 1 {property}"));
    assert_eq!(reader.message(), format!("{expected}|with"));
    sends(&broker, "-t p -m bare -q 1");
    assert_eq!(reader.message(), "|bare");
    reader.done();
}

fn user_properties() {
    let pairs = "-D publish user-property colour red -D publish user-property colour blue \
                 -D publish user-property größe ö:1";
    property(pairs, "%P", "colour:red colour:blue größe:ö:1");
}

fn content_type() {
    property("-D publish content-type application/json", "%C", "application/json");
}

fn payload_format() {
    property("-D publish payload-format-indicator 1", "%F", "1");
}

fn message_expiry() {
    let broker = broker();
    let session = "-V mqttv5 -t e/# -q 1 -c -i away -x 3600 -F %E:%p";
    mosquitto("mosquitto_sub", broker.mqtt(), &format!("{session} -E")).done();
    sends(&broker, "-t e/short -q 1 -m short -D publish message-expiry-interval 1");
    sends(&broker, "-t e/long -q 1 -m long -D publish message-expiry-interval 600");
    // Two seconds of the broker's clock.
    let mut clock = reads(&broker, "-t clock -C 1");
    drop(dying(&broker, "clock -c -i clock -x 600 -D will will-delay-interval 2"));
    clock.message();
    clock.done();
    let said = mosquitto("mosquitto_sub", broker.mqtt(), &format!("{session} -C 1")).done();
    let (left, payload) = said.trim().split_once(':').unwrap();
    assert_eq!(payload, "long");
    assert!((560..=598).contains(&left.parse::<u32>().unwrap()), "{said}");
}

fn topic_alias_to_broker() {
    let broker = broker();
    let mut reader = reads(&broker, "-t a/long/name -C 3");
    let sender = "-V mqttv5 -d -t a/long/name -m x -q 1 --repeat 3 -D publish topic-alias 2";
    let said = mosquitto("mosquitto_pub", broker.mqtt(), sender).done();
    let topics: Vec<bool> = said
        .lines()
        .filter(|line| line.contains("sending PUBLISH"))
        .map(|line| line.contains("a/long/name"))
        .collect();
    assert_eq!(topics, [true, false, false], "{said}");
    for _ in 0..3 {
        assert_eq!(reader.message(), "a/long/name:1:0:x");
    }
    reader.done();
}

fn receive_maximum() {
    let broker = broker();
    let mut reader = reads(&broker, "-t m -C 40 -D connect receive-maximum 1");
    for qos in [1, 2] {
        sends(&broker, &format!("-t m -m x -q {qos} --repeat 20"));
        for _ in 0..20 {
            assert_eq!(reader.message(), format!("m:{qos}:0:x"));
        }
    }
    reader.done();
}

fn maximum_packet_size() {
    let broker = broker();
    let mut reader = reads(&broker, "-t m -C 1 -D connect maximum-packet-size 200");
    sends(&broker, &format!("-t m -q 1 -m {}", filling(1000)));
    sends(&broker, "-t m -q 1 -m fits");
    assert_eq!(reader.message(), "m:1:0:fits");
    reader.done();
}

fn large(size: usize) {
    let broker = broker();
    let file = broker.setup().data_dir().join("large");
    let body = filling(size);
    std::fs::write(&file, &body).unwrap();
    let mut reader = reads(&broker, "-t large -F %p -C 1");
    // Its path must not be split.
    let mut command = std::process::Command::new("mosquitto_pub");
    let port = broker.mqtt().port().to_string();
    command.args(["-h", "127.0.0.1", "-p", &port, "-q", "1", "-t", "large", "-f"]).arg(&file);
    assert!(command.status().unwrap().success());
    assert!(reader.message() == body, "it came back changed");
    reader.done();
}

fn megabyte() {
    large(1 << 20);
}

fn ten_megabytes() {
    large(10 << 20);
}

fn empty_payload() {
    let broker = broker();
    let mut reader = reads(&broker, "-t e -C 3");
    for qos in 0..3 {
        sends(&broker, &format!("-t e -n -q {qos}"));
        assert_eq!(reader.message(), format!("e:{qos}:0:"));
    }
    reader.done();
}

fn utf8_topics() {
    let broker = broker();
    let mut reader = reads(&broker, "-i krebs-🦀 -t 🚢/+/grüße -C 1");
    sends(&broker, "-t 🚢/港/grüße -m здравствуйте🌍 -q 1");
    assert_eq!(reader.message(), "🚢/港/grüße:1:0:здравствуйте🌍");
    reader.done();
}

fn no_subscribers() {
    let broker = broker();
    let answer = || mosquitto("mosquitto_pub", broker.mqtt(), "-V mqttv5 -d -t n -m x -q 1").done();
    assert!(answer().contains("PUBACK (Mid: 1, RC:16)"));
    let _reader = reads(&broker, "-t n");
    assert!(answer().contains("PUBACK (Mid: 1, RC:0)"));
}

fn refused_subscription() {
    let broker = broker();
    // More levels than any filter may have, and the answers of somebody else.
    for (filter, reason) in [(format!("x{}", "/x".repeat(128)), 0x8F), ("$temp/others".to_owned(), 0x87)] {
        let client = mosquitto("mosquitto_sub", broker.mqtt(), &format!("-V mqttv5 -d -t {filter}"));
        let said = client.ended(PATIENCE);
        assert!(said.out.contains(&format!("Subscribed (mid: 1): {reason}")), "{said:?}");
        assert!(said.err.contains("All subscription requests were denied"), "{said:?}");
    }
    let mut reader = reads(&broker, "-t x -C 1");
    sends(&broker, "-t x -m x -q 1");
    assert_eq!(reader.message(), "x:1:0:x");
    reader.done();
}

fn queue() {
    let broker = broker();
    for n in 0..2 {
        sends(&broker, &format!("-t $queue/jobs -m {n} -q 2"));
    }
    // What waits comes to whoever is there, and each message to one.
    let mut first = reads(&broker, "-t $queue/jobs -C 3");
    let mut came = vec![first.message(), first.message()];
    let mut second = reads(&broker, "-t $queue/jobs -C 1");
    for n in 2..4 {
        sends(&broker, &format!("-t $queue/jobs -m {n} -q 2"));
    }
    came.extend([first.message(), second.message()]);
    came.sort_unstable();
    assert_eq!(came, [0, 1, 2, 3].map(|n| format!("$queue/jobs:2:0:{n}")));
    first.done();
    second.done();
}

fn password() {
    let broker = broker();
    let (user, right) = USER;
    for (version, refused) in [("mqttv31", 4), ("mqttv311", 4), ("mqttv5", 134)] {
        let tries = |password: &str| {
            let arguments = format!("-V {version} -d -t p -m x -q 1 -u {user} -P {password}");
            mosquitto("mosquitto_pub", broker.mqtt(), &arguments).ended(PATIENCE)
        };
        let said = tries(right);
        assert_eq!(said.code, Some(0), "{said:?}");
        let said = tries("wrong");
        assert_ne!(said.code, Some(0), "{said:?}");
        assert!(said.out.contains(&format!("received CONNACK ({refused})")), "{said:?}");
    }
}

/// Over TLS with that certificate, if any.
fn over_tls(scheme: &str, files: &str) {
    let broker = broker();
    let address = broker.address(scheme);
    let ca = certificate("ca.pem");
    let mut reader = subscribe(address, &format!("-t t -q 2 {ALL} -C 3 --cafile {} {files}", ca.display()));
    for qos in 0..3 {
        publish(address, &format!("-t t -m x -q {qos} --cafile {} {files}", ca.display()));
        assert_eq!(reader.message(), format!("t:{qos}:0:x"));
    }
    reader.done();
    let stranger = mosquitto("mosquitto_pub", address, &format!("--capath /etc/ssl/certs -t t -m x {files}"));
    assert_ne!(stranger.ended(PATIENCE).code, Some(0));
}

fn tls() {
    over_tls("mqtts", "");
}

fn tls_client_certificate() {
    let (chain, key) = (certificate("client.pem"), certificate("client.key"));
    over_tls("auto", &format!("--cert {} --key {}", chain.display(), key.display()));
    let broker = broker();
    let ca = certificate("ca.pem");
    let arguments = format!("--cafile {} -t t -m x -q 1", ca.display());
    let nobody = mosquitto("mosquitto_pub", broker.address("auto"), &arguments);
    let ended = nobody.ended(PATIENCE + QUIET);
    assert_ne!(ended.code, Some(0), "{ended:?}");
}
