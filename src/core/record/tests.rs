use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use wharfmq_base::Millis;

use super::*;
use crate::{Address, GroupId, Head, HeadTag, Kind, Message, MessageId, Notes, Qos, Terms, Typing};

type Queues = Vec<(QueueId, u8)>;

fn payload(message: &Message, order: Order, queues: &[(QueueId, u8)]) -> Bytes {
    let mut out = Vec::new();
    MessagePrefix::of(message, order, queues).encode(&mut out);
    for part in [&message.head.bytes, &message.notes.0, &message.body] {
        out.extend_from_slice(part);
    }
    out.into()
}

fn message() -> impl Strategy<Value = Message> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
    let address = (any::<bool>(), "\\PC{0,12}").prop_map(|(topic, name)| {
        Arc::new(Address { kind: if topic { Kind::Topic } else { Kind::Queue }, name: name.into() })
    });
    let times = (any::<u64>(), prop_oneof![Just(u64::MAX), any::<u64>()]);
    let small = (any::<u64>(), 0u8..3, 0u8..10, any::<bool>(), any::<u8>());
    (small, times, address, bytes(), bytes(), bytes(), terms()).prop_map(
        |(small, times, address, head, notes, body, terms)| {
            let (id, qos, priority, retain, tag) = small;
            Message {
                id: MessageId(id),
                address,
                qos: Qos::from_u8(qos).unwrap(),
                priority,
                retain,
                received: Millis(times.0),
                expires: Millis(times.1),
                head: Head { tag: HeadTag(tag), bytes: head },
                notes: Notes(notes),
                terms,
                body,
            }
        },
    )
}

fn terms() -> impl Strategy<Value = Option<Box<Terms>>> {
    let some = (prop_oneof![Just(0), any::<u32>()], any::<bool>(), 0..3u64, "[a-z]{0,3}");
    prop_oneof![3 => Just(None), 2 => some.prop_map(|(group, closes_group, due, dedup)| {
        let terms =
            Terms { group: GroupId(group), closes_group, due: Millis(due * 1_000), dedup: dedup.into() };
        (!terms.is_empty()).then(|| Box::new(terms))
    })]
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![3 => 0u64..50, 1 => 0..ORDERS].prop_map(Order)
}

fn queues() -> impl Strategy<Value = Queues> {
    prop::collection::vec((prop_oneof![0u32..20, any::<u32>()], any::<u8>()), 0..8)
        .prop_map(|queues| queues.into_iter().map(|(queue, flags)| (QueueId(queue), flags)).collect())
}

fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out);
    out
}

/// Every kind of record once.
fn samples() -> Vec<(u8, Vec<u8>)> {
    let address = Arc::new(Address::topic("a.b"));
    let message = Message {
        id: MessageId(300),
        address,
        qos: Qos::AtLeastOnce,
        priority: 4,
        retain: true,
        received: Millis(1),
        expires: Millis(200),
        head: Head { tag: HeadTag(7), bytes: Bytes::from_static(b"hh") },
        notes: Notes(Bytes::from_static(b"n")),
        terms: None,
        body: Bytes::from_static(b"body"),
    };
    let queues = [(QueueId(0), 1), (QueueId(70), 2)];
    let bind = |selector| {
        let (queue, kind) = (QueueId(2), Kind::Topic);
        Bind { queue, kind, pattern: "a.>", flags: 2, selector, options: b"o" }
    };
    let unbind = Unbind { queue: QueueId(2), kind: Kind::Queue, pattern: "a" };
    let state = |value| State { owner: QueueId(2), key: b"k", value };
    let define = Define { queue: QueueId(200), class: Class::Session, durable: true, name: "c1" };
    let orders = [5, 6, 7, 9, 3].map(Order);
    let asking = Message { terms: Some(Box::new(every_term())), ..message.clone() };
    vec![
        (kind::MESSAGE, payload(&message, Order(0x0102), &queues).into()),
        (kind::SETTLE, encoded(|out| Settle::encode(QueueId(3), orders, out))),
        (kind::COUNTED, encoded(|out| Counted::encode(QueueId(3), [(Order(9), 2), (Order(8), 1)], out))),
        (kind::DEFINE, encoded(|out| define.encode(out))),
        (kind::UNDEFINE, encoded(|out| encode_undefine(QueueId(200), out))),
        (kind::BIND, encoded(|out| bind(None).encode(out))),
        (kind::UNBIND, encoded(|out| unbind.encode(out))),
        (kind::STATE, encoded(|out| state(Some(b"vv")).encode(out))),
        (kind::STATE, encoded(|out| state(None).encode(out))),
        (kind::PURGE, encoded(|out| encode_purge(QueueId(3), Order(128), out))),
        (kind::MESSAGE, payload(&asking, Order(0x0102), &queues).into()),
        (kind::BIND, encoded(|out| bind(Some(("x = 1", Typing::Loose))).encode(out))),
        (kind::BIND, encoded(|out| bind(Some(("y", Typing::Strict))).encode(out))),
    ]
}

fn every_term() -> Terms {
    Terms { group: GroupId(300), closes_group: true, due: Millis(500), dedup: "id".into() }
}

/// A data directory of an earlier version must be readable: these bytes never change.
#[test]
fn golden_bytes() {
    let golden: [&[u8]; 13] = [
        b"\x01\x02\x01\0\0\0\0\0\0\x1d\x04\xac\x02\x01\xc8\x01\x03a.b\x07\x02\x01\x02\0\x01\x8c\x01\x02hhnbody",
        b"\x01\x03\x15\x01\x04\x1a",
        b"\x01\x03\x12\x02\x01\x01",
        b"\x01\xc8\x01\x02\x01c1",
        b"\x01\xc8\x01",
        b"\x01\x02\x01\x02\x03a.>o",
        b"\x01\x02\x00a",
        b"\x01\x02\x00\x01kvv",
        b"\x01\x02\x01\x01k",
        b"\x01\x03\x80\x01",
        b"\x01\x02\x01\0\0\0\0\0\0\x3d\x04\xac\x02\x01\xc8\x01\x0f\xac\x02\xf4\x03\x02id\x03a.b\x07\x02\x01\x02\0\x01\x8c\x01\x02hhnbody",
        b"\x01\x02\x07\x02\x03a.>\x05x = 1o",
        b"\x01\x02\x03\x02\x03a.>\x01yo",
    ];
    for ((kind, payload), golden) in samples().iter().zip(golden) {
        assert_eq!(payload.escape_ascii().to_string(), golden.escape_ascii().to_string(), "kind {kind}");
        assert!(Record::decode(*kind, payload).is_ok());
    }
}

#[test]
fn golden_index_entry_is_small() {
    let address = Address::topic("plant.line1.temp");
    let stored = [(QueueId(17), 2)];
    let retained = [(RETAINED, 0)];
    let mut prefix = MessagePrefix {
        order: Order(1_000_000),
        id: MessageId(1_000_000),
        qos: Qos::ExactlyOnce,
        retain: false,
        priority: 4,
        received: Millis(1_700_000_000_000),
        expires: Millis(1_700_000_000_000),
        terms: None,
        address: &address,
        tag: HeadTag(1),
        head_len: 10,
        notes_len: 0,
        queues: &stored,
    };
    let entry = encoded(|out| IndexEntry::encode(&prefix, 1_152, false, out));
    assert_eq!(entry, b"\x01\x54\xc0\x84\x3d\x80\x09\x80\xd0\x95\xff\xbc\x31\x01\x22\x02");
    let asks = every_term();
    prefix.terms = Some(&asks);
    let entry = encoded(|out| IndexEntry::encode(&prefix, 1_152, false, out));
    assert_eq!(
        entry,
        b"\x01\xd4\xc0\x84\x3d\x80\x09\x80\xd0\x95\xff\xbc\x31\x07\xac\x02\xf4\x03\x01\x22\x02"
    );
    prefix.queues = &retained;
    let entry = encoded(|out| IndexEntry::encode(&prefix, 1_152, true, out));
    let decoded = IndexEntry::decode(&entry).unwrap();
    assert_eq!((decoded.address, decoded.relocated), (Some((Kind::Topic, "plant.line1.temp")), true));
}

#[test]
fn every_cut_and_every_changed_byte_is_survived() {
    for (kind, payload) in samples() {
        for cut in 0..payload.len() {
            let _ = touch(kind, &payload[..cut]);
        }
        for at in 0..payload.len() {
            for byte in 0..=u8::MAX {
                let mut changed = payload.clone();
                changed[at] = byte;
                let _ = touch(kind, &changed);
            }
        }
        let mut other = payload.clone();
        other[0] = VERSION + 1;
        assert_eq!(Record::decode(kind, &other), Err(RecordError("version")));
    }
    assert_eq!(Record::decode(0, &[VERSION]), Err(RecordError("unknown kind")));
}

#[test]
fn damaged_lengths_are_refused() {
    let samples = samples();
    let message = &samples[0].1;
    for cut in 0..message.len() - 4 {
        assert!(StoredMessage::decode(&message[..cut]).is_err(), "cut at {cut}");
    }
    let huge = b"\x01\x02\x00\xff\xff\xff\xff\x0fk";
    assert_eq!(Record::decode(kind::STATE, huge), Err(RecordError("cut short")));
    for bits in [4, 5, 8, 9] {
        assert!(Record::decode(kind::BIND, &[VERSION, 2, bits, 0, 1, b'a', 1, b'x']).is_err(), "{bits}");
    }
    let many = b"\x01\x01\0\0\0\0\0\0\0\x00\x04\x01\x01\x01a\x00\x00\x00\xff\xff\xff\xff\x0f";
    assert_eq!(Record::decode(kind::MESSAGE, many), Err(RecordError("cut short")));
    let beyond = encoded(|out| encode_purge(QueueId(1), Order(ORDERS), out));
    assert_eq!(Record::decode(kind::PURGE, &beyond), Err(RecordError("order out of range")));
}

/// Decodes and walks through whatever comes.
fn touch(kind: u8, payload: &[u8]) -> Result<(), RecordError> {
    match Record::decode(kind, payload)? {
        Record::Message(message) | Record::Relocate(message) => {
            assert_eq!(message.queues.iter().count(), message.queues.len());
        }
        Record::Settle(settle) => assert!(settle.runs().all(|(first, last)| first <= last)),
        Record::Counted(counted) => assert!(counted.iter().all(|(order, _)| order.0 < ORDERS)),
        _ => {}
    }
    Ok(())
}

proptest! {
    #[test]
    fn messages_come_back(message in message(), order in order(), queues in queues(), relocate in any::<bool>()) {
        let payload = payload(&message, order, &queues);
        let kind = if relocate { kind::RELOCATE } else { kind::MESSAGE };
        let (Record::Message(stored) | Record::Relocate(stored)) = Record::decode(kind, &payload).unwrap() else {
            panic!("another kind");
        };
        prop_assert_eq!(stored.order, order);
        prop_assert_eq!(&payload[1..9], &order.0.to_le_bytes());
        prop_assert_eq!(stored.queues.iter().collect::<Queues>(), queues);
        prop_assert_eq!(stored.size(), message.size());
        let decoded = stored.message(&payload, Arc::new(stored.address()));
        prop_assert_eq!(&decoded, &message);
        if !message.body.is_empty() {
            prop_assert!(payload.as_ptr_range().contains(&decoded.body.as_ptr()), "shared, not copied");
        }
    }

    #[test]
    fn index_entries_come_back(message in message(), order in order(), queues in queues(), relocated in any::<bool>()) {
        let entry = encoded(|out| {
            IndexEntry::encode(&MessagePrefix::of(&message, order, &queues), message.size(), relocated, out);
        });
        let decoded = IndexEntry::decode(&entry).unwrap();
        prop_assert_eq!((decoded.order, decoded.size, decoded.relocated), (order, message.size(), relocated));
        prop_assert_eq!((decoded.expires, decoded.priority), (message.expires, message.priority));
        let retained = queues.iter().any(|(queue, _)| *queue == RETAINED);
        let address = retained.then_some((message.address.kind, &*message.address.name));
        prop_assert_eq!(decoded.address, address);
        prop_assert_eq!(decoded.queues.iter().collect::<Queues>(), queues);
        let indexed = message.terms.map(|terms| Terms { dedup: "".into(), ..*terms });
        let indexed = indexed.filter(|terms| !terms.is_empty());
        prop_assert_eq!(decoded.terms.map(|terms| terms.terms()), indexed);
    }

    #[test]
    fn orders_come_back(orders in prop::collection::vec(order(), 0..40), sort in any::<bool>()) {
        let mut orders = orders;
        if sort {
            orders.sort_unstable();
            orders.dedup();
        }
        let payload = encoded(|out| Settle::encode(QueueId(9), orders.iter().copied(), out));
        let Ok(Record::Settle(settle)) = Record::decode(kind::SETTLE, &payload) else { panic!("no settle") };
        prop_assert_eq!(settle.queue, QueueId(9));
        let back: Vec<Order> = settle.runs().flat_map(|(first, last)| (first.0..=last.0).map(Order)).collect();
        prop_assert_eq!(back, orders);
    }

    #[test]
    fn counts_come_back(counts in prop::collection::vec((order(), any::<u8>()), 0..20)) {
        let payload = encoded(|out| Counted::encode(QueueId(9), counts.iter().copied(), out));
        let Ok(Record::Counted(counted)) = Record::decode(kind::COUNTED, &payload) else { panic!("no counts") };
        prop_assert_eq!(counted.iter().collect::<Vec<_>>(), counts);
    }

    #[test]
    fn changes_come_back(
        queue in any::<u32>(),
        text in "\\PC{0,12}",
        (flags, durable, class) in (any::<u8>(), any::<bool>(), 0u8..5),
        bytes in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let queue = QueueId(queue);
        let kind = if durable { Kind::Topic } else { Kind::Queue };
        let classes = [Class::Queue, Class::Durable, Class::Session, Class::Shared, Class::Retained];
        let define = Define { queue, class: classes[usize::from(class)], durable, name: &text };
        let payload = encoded(|out| define.encode(out));
        prop_assert_eq!(Record::decode(kind::DEFINE, &payload), Ok(Record::Define(define)));
        let typing = if flags & 1 == 0 { Typing::Loose } else { Typing::Strict };
        let selector = (flags & 2 != 0).then_some((&*text, typing));
        let bind = Bind { queue, kind, pattern: &text, flags, selector, options: &bytes };
        let payload = encoded(|out| bind.encode(out));
        prop_assert_eq!(Record::decode(kind::BIND, &payload), Ok(Record::Bind(bind)));
        let unbind = Unbind { queue, kind, pattern: &text };
        let payload = encoded(|out| unbind.encode(out));
        prop_assert_eq!(Record::decode(kind::UNBIND, &payload), Ok(Record::Unbind(unbind)));
        let state = State { owner: queue, key: text.as_bytes(), value: durable.then_some(&*bytes) };
        let payload = encoded(|out| state.encode(out));
        prop_assert_eq!(Record::decode(kind::STATE, &payload), Ok(Record::State(state)));
        let undefine = encoded(|out| encode_undefine(queue, out));
        prop_assert_eq!(Record::decode(kind::UNDEFINE, &undefine), Ok(Record::Undefine(queue)));
    }

    #[test]
    fn garbage_is_refused_or_read(kind in 0u8..12, bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = touch(kind, &bytes);
        let mut versioned = bytes.clone();
        versioned.insert(0, VERSION);
        let _ = touch(kind, &versioned);
        let _ = IndexEntry::decode(&versioned);
        let body: Vec<u8> = b"WHARFCP\x01".iter().chain(&bytes).copied().collect();
        prop_assert!(CheckpointReader::new(&body).unwrap().any(|section| section.is_err()));
        prop_assert!(CheckpointReader::new(&bytes).is_err());
    }
}

fn checkpoint() -> Vec<u8> {
    let next = NextIds { message: MessageId(300), order: Order(400), queue: QueueId(5) };
    let mut writer = CheckpointWriter::new(vec![1, 2, 3], next);
    writer.define(&Define { queue: QueueId(1), class: Class::Queue, durable: true, name: "q" });
    let (queue, kind) = (QueueId(1), Kind::Topic);
    writer.bind(&Bind { queue, kind, pattern: ">", flags: 1, selector: None, options: b"" });
    for order in [1, 2, 3, 9] {
        writer.live(QueueId(1), Order(order), u8::from(order == 9));
    }
    writer.live(QueueId(2), Order(4), 0);
    writer.state(&State { owner: QueueId(1), key: b"k", value: Some(b"v") });
    writer.finish()
}

#[test]
fn golden_checkpoint() {
    let golden: &[u8] = b"WHARFCP\x01\
        \x21\x06\0\0\0\x01\xac\x02\x90\x03\x05\
        \x05\x05\0\0\0\x01\x01\0\x01q\
        \x07\x06\0\0\0\x01\x01\x01\x01\x01>\
        \x20\x05\0\0\0\x01\x01\x05\x01\x14\
        \x04\x04\0\0\0\x01\x01\x12\x01\
        \x20\x03\0\0\0\x01\x02\x10\
        \x09\x06\0\0\0\x01\x01\0\x01kv\
        \x22\x02\0\0\0\x01\x07";
    assert_eq!(checkpoint().escape_ascii().to_string(), golden.escape_ascii().to_string());
}

#[test]
fn a_checkpoint_is_read_whole_or_not_at_all() {
    let body = checkpoint();
    let sections: Result<Vec<_>, _> = CheckpointReader::new(&body).unwrap().collect();
    let sections = sections.unwrap();
    assert_eq!(sections.len(), 7);
    assert!(matches!(sections[0], Section::Next(NextIds { order: Order(400), .. })));
    let Section::Live(live) = sections[3] else { panic!("no live orders") };
    assert_eq!(live.runs().collect::<Vec<_>>(), [(Order(1), Order(3)), (Order(9), Order(9))]);
    let Section::Counted(counted) = sections[4] else { panic!("no counts") };
    assert_eq!(counted.iter().collect::<Vec<_>>(), [(Order(9), 1)]);
    for cut in 0..body.len() {
        let whole =
            CheckpointReader::new(&body[..cut]).is_ok_and(|mut reader| reader.all(|section| section.is_ok()));
        assert!(!whole, "cut at {cut}");
    }
    let mut longer = body;
    longer.push(0);
    assert!(CheckpointReader::new(&longer).unwrap().any(|section| section.is_err()));
}

#[test]
fn a_long_queue_is_split_into_sections() {
    let mut writer = CheckpointWriter::new(Vec::new(), NextIds::default());
    for order in 0..800_000 {
        writer.live(QueueId(1), Order(order * 200), 0);
    }
    let body = writer.finish();
    let mut read = 0;
    let mut sections = 0;
    for section in CheckpointReader::new(&body).unwrap() {
        if let Section::Live(live) = section.unwrap() {
            sections += 1;
            read += live.runs().inspect(|run| assert_eq!(run.0, run.1)).count();
        }
    }
    assert_eq!(read, 800_000);
    assert!(sections > 1);
}
