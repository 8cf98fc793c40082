//! Retroactive subscriptions, and queues of virtual topics.

use wharfmq_core::{PartialPolicy, Pattern, Settings};
use wharfmq_stomp::{Command, Version};

use super::Bench;

const RETROACTIVE: &str = "activemq.retroactive:true\n";

fn bench(history: u64) -> Bench {
    let set = PartialPolicy { history: Some(history), ..PartialPolicy::default() };
    Bench::with(Settings::new([(Pattern::parse_canonical("topic://prices.>").unwrap(), set)]))
}

#[test]
fn first_the_past_then_what_comes() {
    let bench = bench(3);
    let (mut sender, mut late) = (bench.stomp(Version::V1_2), bench.stomp(Version::V1_2));
    for n in 0..5 {
        sender.send("/topic/prices.a", "", &n.to_string());
    }
    sender.send("/topic/prices.b", "persistent:true\n", "b");
    late.subscribe("1", "/topic/prices.>", RETROACTIVE);
    sender.send("/topic/prices.a", "", "live");
    let got = late.frames();
    let bodies: Vec<_> = got.iter().map(|frame| frame.text()).collect();
    assert_eq!(bodies, ["2", "3", "4", "b", "live"]);
    assert!(got.iter().all(|frame| frame.get("subscription") == Some("1")), "{got:?}");
    assert_eq!(got[3].get("destination"), Some("/topic/prices.b"));
    late.subscribe("2", "/topic/prices.a", "");
    assert!(late.bodies().is_empty(), "only who asks gets the past");
    sender.send("/topic/prices.a", "", "both");
    assert_eq!(late.bodies(), ["both", "both"]);
}

#[test]
fn the_selector_holds_for_the_past_too() {
    let bench = bench(10);
    let (mut sender, mut late) = (bench.stomp(Version::V1_2), bench.stomp(Version::V1_2));
    sender.send("/topic/prices.a", "color:red\n", "red");
    sender.send("/topic/prices.a", "color:blue\n", "blue");
    late.subscribe("1", "/topic/prices.a", &format!("{RETROACTIVE}selector:color = 'red'\n"));
    assert_eq!(late.bodies(), ["red"]);
}

#[test]
fn the_last_value_of_a_topic_without_history() {
    let bench = Bench::new();
    let (mut sender, mut late) = (bench.stomp(Version::V1_2), bench.stomp(Version::V1_2));
    sender.send("/topic/state", "ActiveMQ.Retain:TRUE\n", "on");
    late.subscribe("1", "/topic/state", RETROACTIVE);
    sender.send("/topic/state", "retain:true\n", "off");
    let got = late.frames();
    assert_eq!(got.iter().map(|frame| frame.text()).collect::<Vec<_>>(), ["on", "off"]);
    let marks: Vec<_> = got.iter().map(|frame| frame.get("ActiveMQ.Retained")).collect();
    assert_eq!(marks, [Some("true"), None]);
    late.subscribe("2", "/queue/q", RETROACTIVE);
    assert!(late.bodies().is_empty(), "a queue keeps its messages anyway");
}

#[test]
fn the_past_waits_for_acknowledgements() {
    let bench = bench(10);
    let (mut sender, mut late) = (bench.stomp(Version::V1_2), bench.stomp(Version::V1_2));
    for n in 0..3 {
        sender.send("/topic/prices.a", "", &n.to_string());
    }
    late.subscribe("1", "/topic/prices.a", &format!("{RETROACTIVE}ack:client\nactivemq.prefetchSize:2\n"));
    sender.send("/topic/prices.a", "", "live");
    let got = late.frames();
    assert_eq!(got.iter().map(|frame| frame.text()).collect::<Vec<_>>(), ["0", "1"]);
    late.say(format!("ACK\nid:{}\n\n\0", got[1].get("ack").unwrap()));
    assert_eq!(late.bodies(), ["2", "live"]);
}

#[test]
fn several_pasts_come_one_after_the_other() {
    let bench = bench(10);
    let (mut sender, mut late) = (bench.stomp(Version::V1_2), bench.stomp(Version::V1_2));
    let large = "x".repeat(100_000);
    for n in 0..6 {
        sender.send("/topic/prices.a", "", &format!("{n}{large}"));
    }
    late.subscribe("1", "/topic/prices.a", RETROACTIVE);
    late.subscribe("2", "/topic/prices.a", RETROACTIVE);
    late.say("UNSUBSCRIBE\nid:1\n\n\0");
    late.subscribe("3", "/topic/prices.a", RETROACTIVE);
    sender.send("/topic/prices.a", "", "live");
    let got = late.frames();
    let of = |id| got.iter().filter(move |frame| frame.get("subscription") == Some(id));
    for id in ["2", "3"] {
        let starts: Vec<_> = of(id).map(|frame| &frame.text()[..1]).collect();
        assert_eq!(starts, ["0", "1", "2", "3", "4", "5", "l"], "{id}");
    }
}

#[test]
fn a_durable_subscription_is_retroactive_when_it_is_made() {
    let bench = bench(10);
    bench.stomp(Version::V1_2).send("/topic/prices.a", "", "past");
    let headers = format!("{RETROACTIVE}activemq.subscriptionName:s\n");
    for expected in [&["past"][..], &[][..]] {
        let mut client = bench.stomp_as("CONNECT\naccept-version:1.2\nhost:h\nclient-id:c\n\n\0");
        client.subscribe("1", "/topic/prices.a", &headers);
        assert_eq!(client.bodies(), expected);
        client.hang_up();
    }
}

#[test]
fn a_consumer_of_a_virtual_topic_is_found_by_its_name() {
    let bench = Bench::new();
    let (mut sender, mut consumer) = (bench.stomp(Version::V1_2), bench.stomp(Version::V1_2));
    consumer.subscribe("1", "/queue/Consumer.a.VirtualTopic.orders", "");
    consumer.subscribe("2", "/queue/Consumer.b.VirtualTopic.>", "");
    sender.send("/topic/VirtualTopic.orders", "receipt:r\npersistent:true\n", "x");
    assert_eq!(sender.await_frames(1)[0].command, Command::Receipt);
    assert_eq!(consumer.bodies(), ["x", "x"]);
}
