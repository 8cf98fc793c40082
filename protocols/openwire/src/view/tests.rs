#![allow(clippy::indexing_slicing)]

use std::sync::Arc;

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::{
    Blob, BrokerId, ConnectionId, ConsumerId, Destination, LocalTransactionId, Message, MessageId,
    ProducerId, Structure, Text, TransactionId, XATransactionId, write_head,
};

fn head(message: &Message) -> Bytes {
    let mut out = BytesMut::new();
    write_head(message, &mut out);
    out.freeze()
}

fn raw(text: Option<&Text>) -> Option<RawText<'_>> {
    text.map(|text| RawText(text.wire()))
}

/// Whether a view of the message's head says what the message does.
fn check(message: &Message) {
    let head = head(message);
    assert_eq!(read_head(&head).as_ref(), Ok(message));
    let view = HeadView::read(&head).unwrap();
    assert_eq!(view.kind, message.kind);
    assert_eq!(view.group_id, raw(message.group_id.as_ref()));
    assert_eq!(view.group_sequence, message.group_sequence);
    assert_eq!(view.correlation_id, raw(message.correlation_id.as_ref()));
    assert_eq!(view.timestamp, message.timestamp);
    assert_eq!(view.jms_type, raw(message.jms_type.as_ref()));
    assert_eq!(view.has_content, message.content.is_some());
    assert_eq!(view.properties, message.marshalled_properties.as_deref());
    let reply = message.reply_to.as_ref();
    let reply = reply.and_then(|reply| Some((reply.kind, RawText(reply.physical_name.as_ref()?.wire()))));
    assert_eq!(view.reply_to, reply);
    let id = message.message_id.as_ref().map(|id| {
        let producer = id.producer_id.as_deref().cloned().unwrap_or_default();
        (raw(id.text_view.as_ref()).map(|text| text.0.to_vec()), producer, id.producer_sequence_id)
    });
    let seen = view.message_id.map(|id| {
        let connection_id = id.connection.map(|text| Text::from_wire(Bytes::copy_from_slice(text.0)));
        let producer = ProducerId { connection_id, value: id.producer, session_id: id.session };
        (id.text.map(|text| text.0.to_vec()), producer, id.sequence)
    });
    assert_eq!(seen, id);
    let tail = view.tail().unwrap();
    let blob = message.blob.as_deref().cloned().unwrap_or_default();
    assert_eq!(
        tail,
        HeadTail {
            compressed: message.compressed,
            user_id: message.user_id.clone(),
            blob_url: blob.remote_blob_url,
            blob_type: blob.mime_type,
        }
    );
    for len in 0..head.len() {
        let cut = HeadView::read(&head[..len]).and_then(|view| view.tail());
        let needed = if message.kind == MessageKind::Blob { 1 } else { 30 };
        assert!(cut.is_err() || len + needed > head.len() - brokers_len(message), "{len} of {}", head.len());
    }
}

/// Bytes of the brokers that stand behind what a view looks at.
fn brokers_len(message: &Message) -> usize {
    let of = |id: &Option<Box<BrokerId>>| {
        id.as_ref().map_or(1, |id| 3 + id.value.as_ref().map_or(0, |value| 2 + value.wire().len()))
    };
    message.cluster.as_ref().map_or(0, |all| 2 + all.iter().map(of).sum::<usize>())
}

#[test]
fn messages_of_all_shapes() {
    let plain = Message { kind: MessageKind::Text, content: Some(Bytes::new()), ..Message::default() };
    check(&plain);
    check(&Message::default());
    let xa = XATransactionId {
        format_id: 7,
        global_transaction_id: Some(Bytes::from_static(b"global")),
        branch_qualifier: None,
    };
    let connection_id = Some(Arc::new(ConnectionId { value: Some("ID:c".into()) }));
    let local = LocalTransactionId { value: 3, connection_id };
    let brokers = Some(vec![None, Some(Box::new(BrokerId { value: Some("b".into()) }))]);
    let full = Message {
        transaction_id: Some(Arc::new(TransactionId::Xa(xa))),
        original_transaction_id: Some(Arc::new(TransactionId::Local(local))),
        original_destination: Some(Arc::new(Destination::new(DestinationKind::Topic, "t"))),
        target_consumer_id: Some(Arc::new(ConsumerId::default())),
        broker_path: brokers.clone(),
        cluster: brokers,
        compressed: true,
        user_id: Some("somebody".into()),
        ..plain
    };
    check(&full);
    let blob = Blob {
        remote_blob_url: Some("http://h/x".into()),
        mime_type: Some("a/b".into()),
        deleted_by_broker: true,
    };
    let advisory = Some(Box::new(Structure::BrokerId(Box::new(BrokerId { value: Some("b".into()) }))));
    let blob = Message { kind: MessageKind::Blob, blob: Some(Box::new(blob)), ..full };
    check(&blob);
    let head = head(&Message { data_structure: advisory, ..blob.clone() });
    let tail = HeadView::read(&head).unwrap().tail().unwrap();
    assert_eq!(tail.user_id, blob.user_id);
    assert_eq!(tail.blob_url, blob.blob.unwrap().remote_blob_url);
    assert!(tail.compressed);
    assert!(HeadView::read(&head[..head.len() - 1]).unwrap().tail().is_err());
}

#[test]
fn what_is_no_head_is_refused() {
    assert_eq!(HeadView::read(b""), Err(Malformed::Truncated));
    assert_eq!(HeadView::read(b"\x01"), Err(Malformed::Type(1)));
    let mut wrong = head(&Message {
        destination: Some(Arc::new(Destination::new(DestinationKind::Queue, "q"))),
        ..Message::default()
    })
    .to_vec();
    wrong[8] = 99;
    assert_eq!(HeadView::read(&wrong), Err(Malformed::Type(99)));
}

fn text() -> impl Strategy<Value = Option<Text>> {
    prop::option::of("[a-z\\x00é\u{1f600}]{0,6}".prop_map(Text::from))
}

fn reply() -> impl Strategy<Value = Option<Box<Destination>>> {
    let kinds = prop_oneof![
        Just(DestinationKind::Queue),
        Just(DestinationKind::Topic),
        Just(DestinationKind::TempQueue),
        Just(DestinationKind::TempTopic),
    ];
    prop::option::of(
        (kinds, text()).prop_map(|(kind, name)| Box::new(Destination { kind, physical_name: name })),
    )
}

fn bytes() -> impl Strategy<Value = Option<Bytes>> {
    prop::option::of(any::<Vec<u8>>().prop_map(Bytes::from))
}

fn id() -> impl Strategy<Value = Option<MessageId>> {
    let producer = prop::option::of((text(), any::<i64>(), any::<i64>()).prop_map(
        |(connection_id, value, session_id)| Arc::new(ProducerId { connection_id, value, session_id }),
    ));
    prop::option::of((text(), producer, any::<i64>(), any::<i64>()).prop_map(
        |(text_view, producer_id, producer_sequence_id, broker_sequence_id)| MessageId {
            text_view,
            producer_id,
            producer_sequence_id,
            broker_sequence_id,
        },
    ))
}

proptest! {
    #[test]
    fn any_message(
        texts in (text(), text(), text(), text()),
        numbers in (any::<i32>(), any::<i64>()),
        bytes in (bytes(), bytes()),
        reply_to in reply(),
        message_id in id(),
        compressed: bool,
        code in 23u8..29,
    ) {
        check(&Message {
            kind: MessageKind::of(code).unwrap(),
            group_id: texts.0,
            correlation_id: texts.1,
            jms_type: texts.2,
            user_id: texts.3,
            group_sequence: numbers.0,
            timestamp: numbers.1,
            content: bytes.0,
            marshalled_properties: bytes.1,
            reply_to,
            message_id,
            compressed,
            ..Message::default()
        });
    }

    #[test]
    fn anything_is_survived(mut head: Vec<u8>, code in 23u8..30) {
        let _ = HeadView::read(&head).and_then(|view| view.tail());
        head.insert(0, code);
        let _ = HeadView::read(&head).and_then(|view| view.tail());
    }
}
