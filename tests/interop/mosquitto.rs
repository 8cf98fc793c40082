//! mosquitto_pub and mosquitto_sub, in all they can do.

use std::time::{Duration, Instant};

use crate::support::clients::{mosquitto, publish, subscribe};
use crate::support::mqtt::{Options, V5};
use crate::support::{Broker, Mqtt, PATIENCE, Setup, Stomp};

const VERSIONS: [&str; 3] = ["mqttv31", "mqttv311", "mqttv5"];

#[test]
fn every_quality_of_service_in_every_version() {
    let broker = Broker::start();
    let address = broker.mqtt();
    for version in VERSIONS {
        for qos in 0..3 {
            let mut reader =
                subscribe(address, &format!("-V {version} -t plant/line1/temp -q {qos} -C 3 -F %q:%t:%p"));
            for n in 0..3 {
                publish(address, &format!("-V {version} -t plant/line1/temp -q {n} -m v{n}"));
                let granted = qos.min(n);
                let expected = format!("{granted}:plant/line1/temp:v{n}");
                assert_eq!(reader.message(), expected, "{version}, QoS {qos}");
            }
            reader.done();
        }
    }
}

#[test]
fn versions_talk_to_each_other() {
    let broker = Broker::start();
    let address = broker.mqtt();
    for from in VERSIONS {
        for to in VERSIONS {
            let mut reader = subscribe(address, &format!("-V {to} -t x -q 1 -C 1"));
            publish(address, &format!("-V {from} -t x -q 1 -m {from}"));
            assert_eq!(reader.message(), from);
            reader.done();
        }
    }
}

#[test]
fn wildcards() {
    let broker = Broker::start();
    let mut plus = subscribe(broker.mqtt(), "-t plant/+/temp -F %t -C 2");
    let mut hash = subscribe(broker.mqtt(), "-t plant/# -F %t -C 4");
    let topics = ["plant", "plant/1/temp", "plant/1/temp/max", "plant/2/temp"];
    for topic in topics {
        publish(broker.mqtt(), &format!("-t {topic} -m x -q 1"));
    }
    assert_eq!([plus.message(), plus.message()], ["plant/1/temp", "plant/2/temp"]);
    for topic in topics {
        assert_eq!(hash.message(), topic);
    }
    plus.done();
    hash.done();
}

#[test]
fn retained_messages() {
    let broker = Broker::start();
    let address = broker.mqtt();
    for n in 0..3 {
        publish(address, &format!("-t state/{n} -m v{n} -r -q 1"));
    }
    publish(address, "-t state/1 -n -r -q 1");
    let mut reader = subscribe(address, "-t state/# -q 1 -F %r:%t:%p -C 3");
    let mut seen = [reader.message(), reader.message()];
    seen.sort();
    assert_eq!(seen, ["1:state/0:v0", "1:state/2:v2"]);
    publish(address, "-t state/0 -m now -r -q 1");
    assert_eq!(reader.message(), "0:state/0:now", "a live message is not marked");
    reader.done();
    // -R: the client drops what is stale.
    let mut fresh = subscribe(address, "-t state/# -R -C 1 -F %t:%p");
    publish(address, "-t state/9 -m fresh -q 1");
    assert_eq!(fresh.message(), "state/9:fresh");
    fresh.done();
}

#[test]
fn a_will() {
    let broker = Broker::start();
    let mut witness = subscribe(broker.mqtt(), "-t lost/+ -q 1 -F %t:%p -C 3");
    for version in VERSIONS {
        let will =
            format!("-V {version} -t none --will-topic lost/{version} --will-payload gone --will-qos 1");
        // Dropped is killed: it cannot say goodbye.
        drop(subscribe(broker.mqtt(), &will));
        assert_eq!(witness.message(), format!("lost/{version}:gone"));
    }
    witness.done();
}

#[test]
fn a_will_with_a_delay() {
    let broker = Broker::start();
    let mut witness = subscribe(broker.mqtt(), "-V mqttv5 -t lost/+ -q 1 -F %t:%p:%C -C 2");
    let will = "-V mqttv5 -t none -c -i late -x 3600 --will-topic lost/late --will-payload gone --will-qos 1 \
                -D will will-delay-interval 1 -D will content-type text/plain";
    let lost = Instant::now();
    drop(subscribe(broker.mqtt(), will));
    assert_eq!(witness.message(), "lost/late:gone:text/plain");
    assert!(lost.elapsed() >= Duration::from_secs(1), "{:?}", lost.elapsed());
    // Who comes back in time takes it back.
    let will = will.replace("will-delay-interval 1 ", "will-delay-interval 3600 ");
    drop(subscribe(broker.mqtt(), &will));
    subscribe(broker.mqtt(), "-V mqttv5 -t none -c -i late -x 3600 -C 1");
    publish(broker.mqtt(), "-t lost/not -m x -q 1");
    assert_eq!(witness.message(), "lost/not:x:");
    witness.done();
}

#[test]
fn a_persistent_session() {
    let broker = Broker::start();
    let address = broker.mqtt();
    for version in VERSIONS {
        let session = format!("-V {version} -t jobs/# -q 1 -c -i worker-{version}");
        let session = if version == "mqttv5" { session + " -x 3600" } else { session };
        mosquitto("mosquitto_sub", address, &format!("{session} -E")).done();
        for n in 0..5 {
            publish(address, &format!("-t jobs/{n} -m {version}-{n} -q 1"));
        }
        let said = mosquitto("mosquitto_sub", address, &format!("{session} -C 5")).done();
        let expected: Vec<String> = (0..5).map(|n| format!("{version}-{n}")).collect();
        assert_eq!(said.lines().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_persistent_session_over_a_restart() {
    let broker = Broker::start();
    let session = "-t jobs/# -q 2 -c -i worker";
    mosquitto("mosquitto_sub", broker.mqtt(), &format!("{session} -E")).done();
    for n in 0..5 {
        publish(broker.mqtt(), &format!("-t jobs/{n} -m job-{n} -q 2"));
    }
    let broker = broker.kill().start();
    let said = mosquitto("mosquitto_sub", broker.mqtt(), &format!("{session} -C 5")).done();
    assert_eq!(said.lines().collect::<Vec<_>>(), ["job-0", "job-1", "job-2", "job-3", "job-4"]);
}

#[test]
fn properties_of_mqtt_5() {
    let broker = Broker::start();
    let mut reader = subscribe(broker.mqtt(), "-V mqttv5 -t p -q 1 -C 1 -F %P|%C|%R|%D|%E|%A|%p");
    let properties = "-D publish user-property colour red -D publish user-property colour blue \
                      -D publish content-type text/plain -D publish response-topic answers/1 \
                      -D publish correlation-data c-7 -D publish message-expiry-interval 1000";
    publish(broker.mqtt(), &format!("-V mqttv5 -t p -q 1 -m body {properties}"));
    let line = reader.message();
    assert!(line.contains("colour:red") && line.contains("colour:blue"), "{line}");
    let rest: Vec<&str> = line.split('|').skip(1).collect();
    assert_eq!(rest[..3], ["text/plain", "answers/1", "c-7"], "{line}");
    let left: u32 = rest[3].parse().unwrap();
    assert!((990..=1_000).contains(&left), "{line}");
    assert_eq!(rest[5], "body", "{line}");
    reader.done();
}

#[test]
fn an_expired_message_is_not_delivered() {
    let broker = Broker::start();
    let session = "-V mqttv5 -t e/# -q 1 -c -i away -x 3600";
    mosquitto("mosquitto_sub", broker.mqtt(), &format!("{session} -E")).done();
    publish(broker.mqtt(), "-V mqttv5 -t e/short -q 1 -m short -D publish message-expiry-interval 1");
    publish(broker.mqtt(), "-V mqttv5 -t e/long -q 1 -m long -D publish message-expiry-interval 600");
    // Something else that takes its second: a client that dies by its keep-alive.
    let mut options = Options::new(4, "clock");
    options.keep_alive = 1;
    Mqtt::with(broker.mqtt(), &options).closed();
    let said = mosquitto("mosquitto_sub", broker.mqtt(), &format!("{session} -C 1")).done();
    assert_eq!(said.trim(), "long");
}

#[test]
fn a_shared_subscription_splits_the_load() {
    let broker = Broker::start();
    let mut members: Vec<_> =
        (0..2).map(|_| subscribe(broker.mqtt(), "-V mqttv5 -t $share/g/tasks/# -q 1 -C 5")).collect();
    let mut all = subscribe(broker.mqtt(), "-t tasks/# -q 1 -C 10");
    for n in 0..10 {
        publish(broker.mqtt(), &format!("-t tasks/{n} -m {n} -q 1"));
    }
    for n in 0..10 {
        assert_eq!(all.message(), n.to_string());
    }
    let mut seen: Vec<String> =
        members.iter_mut().flat_map(|m| (0..5).map(|_| m.message()).collect::<Vec<_>>()).collect();
    seen.sort();
    assert_eq!(seen, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    members.into_iter().for_each(|member| drop(member.done()));
    all.done();
}

#[test]
fn many_messages_from_one_publisher() {
    let broker = Broker::start();
    for qos in 0..3 {
        let mut reader = subscribe(broker.mqtt(), &format!("-t many -q {qos} -C 500"));
        publish(broker.mqtt(), &format!("-t many -q {qos} -m x --repeat 500"));
        for _ in 0..500 {
            assert_eq!(reader.message(), "x");
        }
        reader.done();
    }
}

#[test]
fn a_request_with_mosquitto_rr() {
    let broker = Broker::start();
    let mut worker = Mqtt::connect(broker.mqtt(), 4, "worker");
    worker.subscribe("request", 1);
    let asker = mosquitto("mosquitto_rr", broker.mqtt(), "-V mqttv311 -t request -e reply -m question -q 1");
    assert_eq!(worker.take().text(), "question");
    worker.publish("reply", "answer", 1);
    assert_eq!(asker.done().trim(), "answer");
}

#[test]
fn tls() {
    let broker = Setup::new().dev_tls().listen("mqtts://127.0.0.1:0").start();
    let line = broker.wait_log(&["CA file"]);
    let ca = line.rsplit(' ').next().unwrap();
    let address = broker.address("mqtts");
    let mut reader = subscribe(address, &format!("--cafile {ca} -t secret -q 1 -C 1"));
    publish(address, &format!("--cafile {ca} -t secret -q 1 -m whispered"));
    assert_eq!(reader.message(), "whispered");
    reader.done();
    // Who trusts nobody, and who speaks in the clear, gets nowhere; the others go on.
    let strict = mosquitto("mosquitto_pub", address, "--capath /etc/ssl/certs -t secret -m x");
    assert_ne!(strict.ended(PATIENCE).code, Some(0));
    let plain = mosquitto("mosquitto_pub", address, "-t secret -m x");
    assert_ne!(plain.ended(PATIENCE).code, Some(0));
    publish(address, &format!("--cafile {ca} -t secret -q 1 -m x"));
}

#[test]
fn queues() {
    let broker = Broker::start();
    let address = broker.mqtt();
    for version in VERSIONS {
        publish(address, &format!("-V {version} -t $queue/jobs/eu -q 1 -m {version}"));
    }
    let mut reader = subscribe(address, "-t $queue/jobs/eu -q 1 -F %t:%p -C 3");
    for version in VERSIONS {
        assert_eq!(reader.message(), format!("$queue/jobs/eu:{version}"));
    }
    reader.done();
    // Between two consumers, each gets its own; by the other protocol it is the same queue.
    publish(address, "-t $queue/jobs/eu -q 2 -m last");
    let mut stomp = Stomp::connect(broker.stomp());
    stomp.subscribe_with("0", "/queue/jobs.eu", "client-individual", &[]);
    let frame = stomp.receive();
    assert_eq!((frame.text(), frame.header("destination")), ("last", "/queue/jobs.eu"));
    stomp.ack(&frame);
    stomp.frame("UNSUBSCRIBE", &[("id", "0")], b"");
    stomp.send_with("/queue/jobs.eu", &[], "back");
    let mut reader = subscribe(address, "-V mqttv5 -t $queue/jobs/eu -q 2 -F %q:%t:%p -C 1");
    assert!(reader.message().ends_with(":$queue/jobs/eu:back"));
    reader.done();
}

#[test]
fn a_shared_subscription_of_sessions_that_stay() {
    let broker = Broker::start();
    let member = "-V mqttv5 -i member -c -x 3600 -t $share/g/todo/# -q 2";
    let mut joined = subscribe(broker.mqtt(), &format!("{member} -C 1"));
    publish(broker.mqtt(), "-t todo/1 -q 1 -m first");
    assert_eq!(joined.message(), "first");
    joined.done();
    publish(broker.mqtt(), "-t todo/2 -q 1 -m one");
    publish(broker.mqtt(), "-t todo/2 -q 2 -m two");
    let broker = broker.kill().start();
    let mut back = Mqtt::with(broker.mqtt(), &Options::persistent(V5, "member"));
    let mut came = [back.take(), back.take()].map(|publish| (publish.qos, publish.text().to_owned()));
    came.sort();
    assert_eq!(came, [(1, "one".to_owned()), (2, "two".to_owned())]);
}
