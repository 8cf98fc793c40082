//! What clients that mean no good can make many of, and what keeps it bounded.

use std::time::{Duration, Instant};

use wharfmq_base::Millis;
use wharfmq_openwire::{
    ConsumerControl, ConsumerInfo, Destination, DestinationInfo, DestinationKind, KeepAliveInfo, MessageAck,
    ProducerInfo, RemoveInfo, SessionInfo, Structure, TransactionId, XATransactionId,
};

use super::kit::{Client, dispatched, faults, queue, topic};
use crate::adapters::Close;
use crate::adapters::testing::TestBroker;

const JMS: &str = "javax.jms.JMSException";
const RESOURCE: &str = "javax.jms.ResourceAllocationException";
const INVALID: &str = "javax.jms.InvalidDestinationException";

/// Far more than it takes, also where the machine is busy; far less than work that grows with the square of
/// what a client has.
const MOMENT: Duration = Duration::from_secs(20);

fn classes(came: &[Structure]) -> Vec<String> {
    faults(came).into_iter().map(|(class, _)| class).collect()
}

/// How many exceptions came; all are of this class.
fn count(came: &[Structure], class: &str) -> usize {
    let classes = classes(came);
    assert!(classes.iter().all(|came| came == class), "{:?}", classes.iter().find(|came| *came != class));
    classes.len()
}

fn is_refused(client: &Client<'_>, why: &str) -> bool {
    matches!(&client.inner.closed, Some(Close::Refused(said) | Close::Violation(said)) if said.contains(why))
}

#[test]
fn acknowledgements_of_no_type() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "acks");
    client.produce(1);
    client.consume(1, &queue("a"), 10);
    let message = client.message(&queue("a"), b"one");
    let came = client.send(&message);
    let [dispatch] = &dispatched(&came)[..] else { panic!("{came:?}") };
    for kind in [-128, -1, 7, 127] {
        let ack = client.ack(kind, dispatch, dispatch);
        assert_eq!(classes(&client.send(&ack)), [JMS], "type {kind}");
    }
    // It is still there.
    let ack = client.ack(2, dispatch, dispatch);
    assert_eq!(client.send(&ack), []);
    client.close();
    let mut other = Client::new(&broker, "other");
    assert!(dispatched(&other.consume(1, &queue("a"), 10)).is_empty());
}

#[test]
fn pulls_without_end() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "pulls");
    client.consume(1, &queue("a"), 0);
    let pull = client.pull(1, &queue("a"), 0);
    let came = client.send_all((0..20_000).map(|_| pull.clone()));
    assert_eq!(came, [], "so many are waited for");
    let came = client.send_all((0..1_000).map(|_| pull.clone()));
    assert!(came.len() == 1_000 && classes(&came).iter().all(|class| class == RESOURCE));
    // Each of them that has waited is as good as new.
    let start = Instant::now();
    let pull = client.pull(1, &queue("b"), -1);
    client.send(&RemoveInfo {
        object_id: Some(std::sync::Arc::new(Structure::ConsumerId(Box::new(client.consumer(1))))),
        ..Default::default()
    });
    for n in 1..=5_000 {
        client.consume(n, &queue("b"), 0);
    }
    let came = client.send_all((0..20_000).map(|_| pull.clone()));
    assert_eq!(came.len(), 20_000);
    assert!(came.iter().all(|came| matches!(came, Structure::MessageDispatch(end) if end.message.is_none())));
    assert!(start.elapsed() < MOMENT, "{:?}", start.elapsed());
    client.close();
}

#[test]
fn pulls_that_wait_come_to_their_ends() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "pulls");
    client.consume(1, &queue("a"), 0);
    for timeout in [i64::MIN, -2, 0, 1, 1_000, i64::MAX] {
        let pull = client.pull(1, &queue("a"), timeout);
        assert_eq!(client.send(&pull), [], "{timeout}");
    }
    broker.advance(Millis(2_000));
    let ended = client.turn();
    let ends = |came: &Structure| matches!(came, Structure::MessageDispatch(end) if end.message.is_none());
    assert_eq!(ended.iter().filter(|came| ends(came)).count(), 2);
    client.close();
}

#[test]
fn consumers_have_a_bound_and_end_soon() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "consumers");
    let start = Instant::now();
    let infos: Vec<_> = (0..25_000)
        .map(|n| ConsumerInfo {
            consumer_id: Some(client.consumer(n).into()),
            destination: Some(if n % 10 == 9 { topic("t") } else { queue(&format!("q{}", n % 10)) }.into()),
            prefetch_size: i32::MAX,
            ..Default::default()
        })
        .collect();
    let came = client.send_all(infos);
    assert_eq!(count(&came, RESOURCE), 5_001, "the last part finds the table full");
    assert_eq!(classes(&client.consume(19_999, &topic("t"), 1)), [RESOURCE], "it is not there by half");
    let session = std::sync::Arc::new(Structure::SessionId(Box::new(client.session(1))));
    let infos: Vec<_> =
        (0..2_000).map(|_| RemoveInfo { object_id: Some(session.clone()), ..Default::default() }).collect();
    assert_eq!(client.send_all(infos), []);
    assert!(start.elapsed() < MOMENT, "{:?}", start.elapsed());
    let again = client.consume(1, &queue("a"), 1);
    assert!(matches!(again[..], [Structure::Response(_)]), "{again:?}");
    client.close();
}

/// Patterns of topics count, and so do queues that are to be browsed.
#[test]
fn composite_consumers_count_by_their_parts() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "parts");
    let names: Vec<_> = (0..64).map(|n| format!("t{n}")).collect();
    let names = topic(&names.join(","));
    let refused = (0..400).find(|n| !classes(&client.consume(*n, &names, 1)).is_empty());
    assert!(refused.is_some_and(|n| (300..320).contains(&n)), "{refused:?}");
    client.close();

    let mut client = Client::new(&broker, "browsers");
    for n in 0..60 {
        client.consume(1_000 + n, &queue(&format!("b.{n}")), 1);
    }
    let browse = |n, client: &Client<'_>| ConsumerInfo {
        consumer_id: Some(client.consumer(n).into()),
        destination: Some(queue("b.*").into()),
        prefetch_size: 0,
        browser: true,
        ..Default::default()
    };
    let infos: Vec<_> = (0..400).map(|n| browse(n, &client)).collect();
    let came = client.send_all(infos);
    assert!(classes(&came).len() > 60, "{} refused", classes(&came).len());
    client.close();
}

#[test]
fn producers_have_a_bound() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "producers");
    let infos = |client: &Client<'_>| -> Vec<_> {
        let info = |n| ProducerInfo {
            producer_id: Some(client.producer(n).into()),
            window_size: if n % 2 == 0 { -1 } else { i32::MAX },
            ..Default::default()
        };
        (0..10_100).map(info).collect()
    };
    let all = infos(&client);
    assert_eq!(count(&client.send_all(all), RESOURCE), 100);
    let all = infos(&client);
    assert_eq!(count(&client.send_all(all), RESOURCE), 100, "those that are there may come again");
    client.close();
}

#[test]
fn sessions_and_signs_of_life_leave_nothing() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "sessions");
    let infos: Vec<_> = (0..100_000)
        .map(|n| SessionInfo { session_id: Some(client.session(n).into()), ..Default::default() })
        .collect();
    assert_eq!(client.send_all(infos), []);
    let alive = KeepAliveInfo { response_required: true, ..Default::default() };
    assert_eq!(client.send_all((0..50_000).map(|_| alive.clone())).len(), 50_000);
    client.close();
}

#[test]
fn transactions_have_a_bound() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "transactions");
    let begins: Vec<_> = (0..100_000)
        .map(|n| {
            let transaction = client.transaction(n);
            client.step(&transaction, 0)
        })
        .collect();
    let came = client.send_all(begins);
    assert_eq!(classes(&came).len(), 100_000 - 64);
    assert!(classes(&came).iter().all(|class| class == RESOURCE));
    let begun = client.transaction(5);
    for (operation, fails) in [(0, 0), (7, 0), (-1, 1), (99, 1), (2, 0), (2, 1), (4, 1)] {
        let step = client.step(&begun, operation);
        assert_eq!(classes(&client.send(&step)).len(), fails, "step {operation}");
    }
    client.close();
}

#[test]
fn ids_of_branches_are_short() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "branches");
    let branch = |len: usize| {
        let part = Some(vec![b'x'; len].into());
        TransactionId::Xa(XATransactionId {
            format_id: 1,
            global_transaction_id: part.clone(),
            branch_qualifier: part,
        })
    };
    for (len, fails) in [(64, 0), (65, 1), (1 << 20, 1)] {
        let step = client.step(&branch(len), 0);
        assert_eq!(classes(&client.send(&step)).len(), fails, "{len} bytes");
    }
    client.close();
}

#[test]
fn prefetch_up_and_down() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "prefetch");
    client.produce(1);
    client.consume(1, &queue("a"), i32::MAX);
    client.consume(2, &topic("a"), i32::MAX);
    client.consume(3, &queue("a,b,c"), i32::MAX);
    let controls: Vec<_> = (0..3_000)
        .map(|n| ConsumerControl {
            consumer_id: Some(Box::new(client.consumer(n / 3 % 3 + 1))),
            prefetch: [i32::MAX, 0, -1][n as usize % 3],
            ..Default::default()
        })
        .collect();
    assert_eq!(client.send_all(controls), []);
    for to in [queue("a"), topic("a")] {
        let message = client.message(&to, b"x");
        client.send(&message);
    }
    client.close();
}

/// A delivered acknowledgement makes room for what is delivered, not for more.
#[test]
fn counts_of_acknowledgements_lie() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "counts");
    client.produce(1);
    client.consume(1, &queue("a"), 1);
    let message = client.message(&queue("a"), b"x");
    let first = dispatched(&client.send(&message)).remove(0);
    for count in [-1, i32::MIN, 0] {
        let ack = MessageAck { message_count: count, ..client.ack(0, &first, &first) };
        client.send(&ack);
        let message = client.message(&queue("a"), b"x");
        assert_eq!(dispatched(&client.send(&message)).len(), 0, "{count} makes no room");
    }
    let ack = MessageAck { message_count: i32::MAX, ..client.ack(0, &first, &first) };
    assert_eq!(dispatched(&client.send(&ack)).len(), 1, "the one that is there makes room for one");
    client.close();
}

#[test]
fn ranges_of_acknowledgements_lie() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "ranges");
    client.produce(1);
    client.consume(1, &queue("a"), 100);
    let mut all = Vec::new();
    for _ in 0..5 {
        let message = client.message(&queue("a"), b"x");
        all.extend(dispatched(&client.send(&message)));
    }
    // The first behind the last: the last alone.
    let ack = client.ack(2, &all[4], &all[1]);
    assert_eq!(client.send(&ack), []);
    // Once more: it is not there any more.
    assert_eq!(client.send(&ack), []);
    let mut unknown = client.ack(2, &all[0], &all[0]);
    for id in [&mut unknown.first_message_id, &mut unknown.last_message_id] {
        id.as_mut().unwrap().broker_sequence_id = i64::MAX;
    }
    assert_eq!(client.send(&unknown), []);
    for field in 0..2 {
        let mut none = client.ack(2, &all[0], &all[0]);
        if field == 0 {
            none.last_message_id = None
        } else {
            none.consumer_id = None
        }
        assert_eq!(classes(&client.send(&none)), [JMS]);
    }
    let in_none = client.transaction(9);
    let ack = MessageAck { transaction_id: Some(in_none.into()), ..client.ack(2, &all[0], &all[0]) };
    assert_eq!(classes(&client.send(&ack)), [JMS]);
    client.close();
    let mut other = Client::new(&broker, "other");
    assert_eq!(dispatched(&other.consume(1, &queue("a"), 100)).len(), 4);
    other.close();
}

/// Many individual acknowledgements far behind in a long list.
#[test]
fn a_long_list_of_deliveries_is_searched_in_turns() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "long");
    client.produce(1);
    client.consume(1, &queue("a"), i32::MAX);
    let mut all = Vec::new();
    for _ in 0..5 {
        let messages: Vec<_> = (0..1_000).map(|_| client.message(&queue("a"), b"x")).collect();
        all.extend(dispatched(&client.send_all(messages)));
    }
    while all.len() < 5_000 {
        all.extend(dispatched(&client.turn()));
    }
    let start = Instant::now();
    let last = all.last().unwrap();
    let acks: Vec<_> = (0..1_000).map(|n| client.ack(4, last, &all[all.len() - 1 - n])).collect();
    client.send_all(acks);
    assert!(start.elapsed() < MOMENT, "{:?}", start.elapsed());
    client.close();
}

#[test]
fn browsers_by_the_hundred_that_find_nothing() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "browsers");
    client.produce(1);
    for _ in 0..10 {
        let messages: Vec<_> = (0..100).map(|_| client.message(&queue("a"), b"x")).collect();
        client.send_all(messages);
    }
    let browse = |n, selector: &str, client: &Client<'_>| ConsumerInfo {
        consumer_id: Some(client.consumer(n).into()),
        destination: Some(queue("a").into()),
        prefetch_size: 10,
        browser: true,
        selector: Some(selector.into()),
        ..Default::default()
    };
    let infos: Vec<_> = (0..300).map(|n| browse(n, "x = 1", &client)).collect();
    let mut came = client.send_all(infos);
    let ends = |came: &[Structure]| dispatched(came).iter().filter(|end| end.message.is_none()).count();
    let start = Instant::now();
    while ends(&came) < 300 {
        assert!(start.elapsed() < MOMENT, "{} have ended", ends(&came));
        came.extend(client.turn());
    }
    // One that finds all of them is shown as many as it has room for, and more for each that it takes.
    let mut shown = dispatched(&client.send(&browse(1_000, "x IS NULL", &client)));
    while shown.len() < 10 {
        shown.extend(dispatched(&client.turn()));
    }
    assert_eq!(client.turn(), []);
    let ack = MessageAck { message_count: 10, ..client.ack(2, &shown[0], &shown[9]) };
    let mut more = dispatched(&client.send(&ack));
    while more.len() < 10 {
        more.extend(dispatched(&client.turn()));
    }
    client.close();
}

#[test]
fn before_the_login_little_is_read() {
    let broker = TestBroker::new();
    let mut client = Client::greeted(&broker, "early", true);
    let info = |n: i64, client: &Client<'_>| SessionInfo {
        session_id: Some(
            wharfmq_openwire::SessionId {
                connection_id: Some("x".repeat(1_000).into()),
                ..client.session(n)
            }
            .into(),
        ),
        ..Default::default()
    };
    let infos: Vec<_> = (0..1_000).map(|n| info(n, &client)).collect();
    let came = client.send_all(infos);
    assert!(is_refused(&client, "before ConnectionInfo"), "{:?}", client.inner.closed);
    assert!(classes(&came).len() < 300 && classes(&came).iter().all(|class| class == JMS));
}

#[test]
fn a_cache_without_end() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "cache");
    // By hand: the encoder of this client does not number what is long.
    for n in 0..1_000_i32 {
        let name = "x".repeat(30_000);
        let mut body = vec![9, 1, 0b0001_1110];
        body.extend(n.to_be_bytes());
        body.extend(((100 + n % 900) as i16).to_be_bytes());
        body.push(120);
        body.extend((name.len() as u16).to_be_bytes());
        body.extend(name.as_bytes());
        let frame = [&(body.len() as u32).to_be_bytes()[..], &body].concat();
        client.send_raw(&frame);
        if client.inner.closed.is_some() {
            assert!(n > 100 && is_refused(&client, "cached"), "{n}: {:?}", client.inner.closed);
            return;
        }
    }
    panic!("30 MB of names are kept");
}

#[test]
fn destinations_without_end() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "destinations");
    let info = |kind, name: String, operation_type, client: &Client<'_>| DestinationInfo {
        connection_id: Some(client.connection().into()),
        destination: Some(Destination::new(kind, name).into()),
        operation_type,
        ..Default::default()
    };
    let temporary = |n: i32| format!("destinations:{n}");
    let infos: Vec<_> =
        (0..5_000).map(|n| info(DestinationKind::TempQueue, temporary(n), 0, &client)).collect();
    assert_eq!(count(&client.send_all(infos), RESOURCE), 4_000);
    let infos: Vec<_> =
        (0..5_000).map(|n| info(DestinationKind::TempQueue, temporary(n), 1, &client)).collect();
    let came = client.send_all(infos);
    assert_eq!(came, [], "what is not there may be removed as well");
    for operation in [-128, -1, 2, 127] {
        let info = info(DestinationKind::Queue, "a".into(), operation, &client);
        assert_eq!(classes(&client.send(&info)), [JMS]);
    }
    for name in ["", ",", ",,,", "a,b", &",".repeat(10_000), &"a.".repeat(200)] {
        let info = info(DestinationKind::Queue, name.into(), 0, &client);
        assert_eq!(classes(&client.send(&info)), [INVALID], "{name:.20}");
    }
    client.close();
}

#[test]
fn exceptions_are_short() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "long");
    let info = wharfmq_openwire::RemoveSubscriptionInfo {
        subscription_name: Some("€".repeat(10_000).into()),
        ..Default::default()
    };
    let [(class, said)] = &faults(&client.send(&info))[..] else { panic!("one exception") };
    assert!(class == INVALID && said.ends_with('…') && said.len() < 1_100, "{class}: {said}");
    client.close();
}

/// Without an object cache what is read refers to frames, and what is kept must not.
#[test]
fn without_a_cache_nothing_keeps_frames() {
    let broker = TestBroker::new();
    let mut client = Client::uncached(&broker, "plain");
    client.produce(1);
    for n in 0..300 {
        let name = format!("q{n}");
        client.consume(n, &queue(&name), 1);
        let message = client.message(&queue(&name), b"x");
        let [dispatch] = &dispatched(&client.send(&message))[..] else { panic!("a delivery") };
        let ack = client.ack(2, dispatch, dispatch);
        assert_eq!(client.send(&ack), []);
    }
    client.close();
}
