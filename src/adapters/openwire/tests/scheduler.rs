//! Messages that are sent later.

use wharfmq_base::Millis;
use wharfmq_openwire::primitive::{Map, MapWriter};
use wharfmq_openwire::{Message, MessageDispatch};

use super::kit::{Client, dispatched, queue};
use crate::adapters::testing::TestBroker;

fn later(client: &mut Client<'_>, asked: &[(&str, &str)]) -> Message {
    let mut properties = MapWriter::default();
    for (name, value) in asked {
        properties.put_text(name, value);
    }
    let mut message = client.message(&queue("q"), b"later");
    message.marshalled_properties = Some(properties.finish());
    message
}

/// What a message has under this name.
fn property(dispatch: &MessageDispatch, name: &str) -> Option<String> {
    let properties = dispatch.message.as_ref()?.marshalled_properties.clone()?;
    let map = Map::read(&properties).unwrap()?;
    let found = map.iter().flatten().find(|entry| entry.key.decode().unwrap() == name)?;
    Some(super::super::errand::shown(&found.value).into_owned())
}

#[test]
fn a_delay_is_a_job() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "client");
    client.produce(1);
    client.consume(1, &queue("q"), 10);
    let message = later(&mut client, &[("AMQ_SCHEDULED_DELAY", "1000"), ("color", "red")]);
    assert!(dispatched(&client.send(&message)).is_empty());
    broker.advance(Millis(1_000));
    let came = dispatched(&client.wait());
    assert_eq!(came.len(), 1);
    assert!(property(&came[0], "scheduledJobId").unwrap().starts_with("ID:wharfmq-"));
    assert_eq!(property(&came[0], "color").as_deref(), Some("red"));
    assert_eq!(property(&came[0], "AMQ_SCHEDULED_DELAY"), None);
    let id = |message: &Message| message.message_id.as_ref().unwrap().producer_sequence_id;
    assert_eq!(id(came[0].message.as_ref().unwrap()), id(&message), "its id is that of its sender");
}

#[test]
fn repetitions_have_ids_of_their_own() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "client");
    client.produce(1);
    client.consume(1, &queue("q"), 10);
    let times = [("AMQ_SCHEDULED_PERIOD", "1000"), ("AMQ_SCHEDULED_REPEAT", "1")];
    let message = later(&mut client, &times);
    client.send(&message);
    let mut ids = Vec::new();
    for _ in 0..2 {
        broker.advance(Millis(1_000));
        let came = dispatched(&client.wait());
        let id = came[0].message.as_ref().unwrap().message_id.clone().unwrap();
        ids.push(id.producer_sequence_id);
    }
    assert!(ids[0] != ids[1], "{ids:?}");
}
