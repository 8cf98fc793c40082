//! Room that consumers have, and what becomes of messages that they have none for.

use wharfmq_openwire::{ConsumerInfo, MessageDispatch, Throwable};

use super::kit::{Client, dispatched, queue, topic};
use crate::adapters::testing::TestBroker;

const DELIVERED: i8 = 0;
const POISON: i8 = 1;
const STANDARD: i8 = 2;

fn bodies(dispatched: &[MessageDispatch]) -> Vec<String> {
    let content = |dispatch: &MessageDispatch| dispatch.message.as_ref()?.content.clone();
    let text = |dispatch| content(dispatch).map(|content| String::from_utf8_lossy(&content).into_owned());
    dispatched.iter().filter_map(text).collect()
}

fn send<'a>(
    client: &mut Client<'_>,
    to: &wharfmq_openwire::Destination,
    all: impl IntoIterator<Item = &'a str>,
) {
    for body in all {
        let message = client.message(to, body.as_bytes());
        client.send(&message);
    }
}

#[test]
fn who_asks_for_each_message_gets_one_for_each() {
    let broker = TestBroker::new();
    let mut sender = Client::new(&broker, "sender");
    sender.produce(1);
    send(&mut sender, &queue("q"), ["a", "b", "c"]);
    let mut client = Client::new(&broker, "client");
    assert!(dispatched(&client.consume(1, &queue("q"), 0)).is_empty());
    let pull = client.pull(1, &queue("q"), 0);
    let first = dispatched(&client.send(&pull));
    assert_eq!(bodies(&first), ["a"]);
    for kind in [DELIVERED, STANDARD] {
        let ack = client.ack(kind, &first[0], &first[0]);
        assert!(dispatched(&client.send(&ack)).is_empty(), "an acknowledgement asks for nothing");
    }
    assert_eq!(bodies(&dispatched(&client.send(&pull))), ["b"]);
}

#[test]
fn pulls_from_several_queues() {
    let broker = TestBroker::new();
    let both = queue("a,b");
    let mut client = Client::new(&broker, "client");
    client.produce(1);
    client.consume(1, &both, 0);
    send(&mut client, &queue("b"), ["first", "second"]);
    send(&mut client, &queue("a"), ["third"]);
    let at_once = client.pull(1, &both, -1);
    let mut all: Vec<_> = (0..3).flat_map(|_| bodies(&dispatched(&client.send(&at_once)))).collect();
    all.sort();
    assert_eq!(all, ["first", "second", "third"]);
    let end = dispatched(&client.send(&at_once));
    assert!(matches!(&end[..], [MessageDispatch { message: None, .. }]), "{end:?}");
    send(&mut client, &queue("a"), ["fourth"]);
    assert!(dispatched(&client.turn()).is_empty(), "nobody waits for it any more");
}

#[test]
fn several_queues_share_a_small_prefetch() {
    let broker = TestBroker::new();
    let mut sender = Client::new(&broker, "sender");
    sender.produce(1);
    send(&mut sender, &queue("a"), ["1", "2", "3"]);
    send(&mut sender, &queue("b"), ["4", "5", "6"]);
    let mut client = Client::new(&broker, "client");
    let mut came = dispatched(&client.consume(1, &queue("a,b"), 1));
    let mut all = Vec::new();
    for _ in 0..6 {
        assert_eq!(came.len(), 1, "one at a time");
        all.extend(bodies(&came));
        let ack = client.ack(STANDARD, &came[0], &came[0]);
        came = dispatched(&client.send(&ack));
    }
    assert!(came.is_empty());
    all.sort();
    assert_eq!(all, ["1", "2", "3", "4", "5", "6"]);
}

#[test]
fn what_is_too_much_for_a_slow_consumer_of_a_topic() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "client");
    let info = ConsumerInfo {
        command_id: client.number(),
        response_required: true,
        consumer_id: Some(client.consumer(1).into()),
        destination: Some(topic("t").into()),
        prefetch_size: 1,
        maximum_pending_message_limit: 2,
        ..Default::default()
    };
    client.send(&info);
    let mut sender = Client::new(&broker, "sender");
    sender.produce(1);
    send(&mut sender, &topic("t"), ["a", "b", "c", "d", "e"]);
    let mut came = dispatched(&client.turn());
    for body in ["a", "d", "e"] {
        assert_eq!(bodies(&came), [body]);
        let ack = client.ack(STANDARD, &came[0], &came[0]);
        came = dispatched(&client.send(&ack));
    }
    assert!(came.is_empty());
}

#[test]
fn a_dead_letter_says_what_its_client_said() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "client");
    client.produce(1);
    let mut message = client.message(&queue("q"), b"poison");
    message.persistent = false;
    client.send(&message);
    let came = dispatched(&client.consume(1, &queue("q"), 10));
    let mut ack = client.ack(POISON, &came[0], &came[0]);
    ack.poison_cause = Some(Throwable::new("java.lang.Throwable", "no such order").into());
    client.send(&ack);
    let mut came = client.consume(2, &queue("ActiveMQ.DLQ"), 10);
    if dispatched(&came).is_empty() {
        came = client.wait();
    }
    let [dead] = &dispatched(&came)[..] else { panic!("{came:?}") };
    let properties = dead.message.as_ref().unwrap().marshalled_properties.clone().unwrap();
    let holds = |text: &str| memchr::memmem::find(&properties, text.as_bytes()).is_some();
    assert!(holds("dlqDeliveryFailureCause") && holds("java.lang.Throwable: no such order"));
    assert!(holds("originalDeliveryMode") && holds("NON_PERSISTENT"));
}
