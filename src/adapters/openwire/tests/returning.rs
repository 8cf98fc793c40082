//! Clients that come back after a loss.

use wharfmq_openwire::{ConnectionInfo, ConsumerControl, Message, MessageAck, Response, Structure};

use super::kit::{Client, dispatched, faults, queue};
use crate::adapters::testing::TestBroker;

fn introduced<'a>(broker: &'a TestBroker, id: &str, returns: bool) -> Client<'a> {
    let mut client = Client::greeted(broker, id, true);
    let info = ConnectionInfo {
        command_id: client.number(),
        response_required: true,
        connection_id: Some(client.connection().into()),
        client_id: Some(id.into()),
        fault_tolerant: true,
        failover_reconnect: returns,
        ..Default::default()
    };
    let came = client.send(&info);
    assert!(matches!(came[..], [Structure::Response(_)]), "{came:?}");
    client
}

/// It repeats the commands that had no answer, and with them empty responses of its own books.
#[test]
fn an_empty_response_of_a_client_that_comes_back_is_ignored() {
    let broker = TestBroker::new();
    let mut client = introduced(&broker, "back", true);
    assert_eq!(client.send(&Response::default()), []);
    assert!(client.inner.closed.is_none());
    client.produce(1);
    client.close();
}

#[test]
fn other_responses_end_the_connection() {
    let broker = TestBroker::new();
    let mut client = introduced(&broker, "new", false);
    client.send(&Response::default());
    assert!(client.inner.closed.is_some());
    let mut client = introduced(&broker, "back", true);
    client.send(&Response { correlation_id: 2, ..Default::default() });
    assert!(client.inner.closed.is_some());
}

const BEGIN: i8 = 0;
const COMMIT: i8 = 2;
const STANDARD: i8 = 2;

/// It handles once more what it has in memory from the connection before.
#[test]
fn a_transaction_of_what_was_not_sent_is_rolled_back() {
    let broker = TestBroker::new();
    let (mut client, from, to) = (introduced(&broker, "back", false), queue("from"), queue("to"));
    client.produce(1);
    let message = client.message(&from, b"m");
    client.send(&message);
    let came = client.consume(1, &from, 10);
    let earlier = dispatched(&came).remove(0);
    client.close();

    let mut client = introduced(&broker, "back", true);
    client.produce(1);
    client.consume(1, &from, 0);
    let pass_on = |client: &mut Client<'_>, value| {
        let transaction = client.transaction(value);
        let begin = client.step(&transaction, BEGIN);
        client.send(&begin);
        let sent = client.message(&to, b"m");
        client.send(&Message { transaction_id: Some(transaction.clone().into()), ..sent });
        let ack = client.ack(STANDARD, &earlier, &earlier);
        client.send(&MessageAck { transaction_id: Some(transaction.clone().into()), ..ack });
        let commit = client.step(&transaction, COMMIT);
        faults(&client.send(&commit))
    };
    let refused = pass_on(&mut client, 1);
    assert_eq!(refused[0].0, "javax.jms.TransactionRolledBackException");
    let control =
        ConsumerControl { consumer_id: Some(client.consumer(1).into()), prefetch: 10, ..Default::default() };
    let came = client.send(&control);
    assert_eq!(dispatched(&came).len(), 1);
    assert_eq!(pass_on(&mut client, 2), []);
    let came = client.consume(2, &to, 10);
    assert_eq!(dispatched(&came).len(), 1, "it was passed on once");
    client.close();
    let came = introduced(&broker, "other", false).consume(1, &from, 10);
    assert!(dispatched(&came).is_empty(), "it is done with");
}
