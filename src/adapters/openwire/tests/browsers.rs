//! Browsers whose clients take a little at a time.

use wharfmq_openwire::{ConsumerControl, ConsumerInfo, Destination, MessageDispatch};

use super::kit::{Client, dispatched, queue};
use crate::adapters::testing::TestBroker;

/// An acknowledgement of what a client has received and not used up.
const DELIVERED: i8 = 0;

/// What was shown; `None` for the end.
fn shown(dispatches: &[MessageDispatch]) -> Vec<Option<u8>> {
    let content = |dispatch: &MessageDispatch| Some(dispatch.message.as_ref()?.content.as_ref()?[0]);
    dispatches.iter().map(content).collect()
}

fn browse(client: &Client<'_>, from: &Destination, prefetch: i32) -> ConsumerInfo {
    ConsumerInfo {
        consumer_id: Some(client.consumer(1).into()),
        destination: Some(from.clone().into()),
        prefetch_size: prefetch,
        browser: true,
        ..ConsumerInfo::default()
    }
}

fn fill(client: &mut Client<'_>, to: &Destination, count: u8) {
    client.produce(1);
    for n in 0..count {
        let message = client.message(to, &[n]);
        client.send(&message);
    }
}

#[test]
fn a_browser_goes_on_when_its_client_makes_room() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "client");
    let from = queue("q");
    fill(&mut client, &from, 10);
    let browser = browse(&client, &from, 4);
    let mut got = dispatched(&client.send(&browser));
    let mut all = shown(&got);
    while let Some((first, last)) = got.first().zip(got.last()).filter(|(_, last)| last.message.is_some()) {
        // As in a session that is transacted, or whose client acknowledges by itself.
        let ack = client.ack(DELIVERED, first, last);
        let ack = wharfmq_openwire::MessageAck { message_count: got.len() as i32, ..ack };
        got = dispatched(&client.send(&ack));
        all.extend(shown(&got));
    }
    let expected: Vec<_> = (0..10).map(Some).chain([None]).collect();
    assert_eq!(all, expected);
}

#[test]
fn a_browser_that_came_back_goes_on_when_it_has_its_prefetch_again() {
    let broker = TestBroker::new();
    let mut client = Client::new(&broker, "client");
    let from = queue("q");
    fill(&mut client, &from, 3);
    let browser = browse(&client, &from, 0);
    assert_eq!(shown(&dispatched(&client.send(&browser))), [Some(0)]);
    let consumer_id = Some(Box::new(client.consumer(1)));
    let control = ConsumerControl { consumer_id, prefetch: 500, ..ConsumerControl::default() };
    assert_eq!(shown(&dispatched(&client.send(&control))), [Some(1), Some(2), None]);
}
