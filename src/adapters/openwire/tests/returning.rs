//! Clients that come back after a loss.

use wharfmq_openwire::{ConnectionInfo, Response, Structure};

use super::kit::Client;
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
