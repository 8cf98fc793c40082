//! What one message costs at the codec: a text message in, its head for the journal, a dispatch out, an
//! acknowledgement in. With the object cache all ids are known already, as they are after the first message.

#![allow(missing_docs)]

use std::hint::black_box;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wharfmq_openwire::{
    ConsumerId, Decoder, Destination, DestinationKind, Encoder, Format, HeadReader, Message, MessageAck,
    MessageDispatch, MessageId, MessageKind, Nested, ProducerId, Response, Structure, write_head,
};

const LOOSE: Format = Format { version: 12, tight: false, stack_traces: true, cache: 0 };
const TIGHT: Format = Format { tight: true, cache: 1024, ..LOOSE };
const FORMATS: [(&str, Format); 2] = [("tight_cached", TIGHT), ("loose", LOOSE)];
const CONNECTION: &str = "ID:host.example-41234-1700000000000-1:1";

fn bench_decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(1));
    for (name, format) in FORMATS {
        group.bench_function(format!("text_message_{name}"), |b| decoded(b, format, &message()));
        group.bench_function(format!("ack_{name}"), |b| decoded(b, format, &ack()));
    }
    let mut head = BytesMut::new();
    write_head(&Message { content: Some(Bytes::new()), ..message() }, &mut head);
    let head = head.freeze();
    let mut reader = HeadReader::default();
    group.bench_function("head", |b| b.iter(|| reader.read(black_box(&head))));
    group.finish();
}

fn bench_encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Elements(1));
    for (name, format) in FORMATS {
        group.bench_function(format!("text_message_{name}"), |b| encoded(b, format, &message()));
        group.bench_function(format!("dispatch_{name}"), |b| encoded(b, format, &dispatch()));
        group.bench_function(format!("response_{name}"), |b| encoded(b, format, &Response::default()));
    }
    let (message, mut out) = (Message { content: Some(Bytes::new()), ..message() }, BytesMut::new());
    group.bench_function("head", |b| {
        b.iter(|| {
            out.clear();
            write_head(black_box(&message), &mut out);
            out.len()
        });
    });
    group.finish();
}

/// The second of two equal commands, whose ids are cached where there is a cache.
fn decoded<T: Nested>(b: &mut criterion::Bencher<'_>, format: Format, command: &T) {
    let mut encoder = Encoder::new(format);
    let mut decoder = Decoder::new(format);
    let mut next = || {
        let mut out = BytesMut::new();
        encoder.encode(command, &mut out);
        out.freeze().slice(4..)
    };
    let read = decoder.decode(&next());
    assert!(read.is_ok(), "{read:?}");
    let body = next();
    b.iter(|| decoder.decode(black_box(&body)).map(|read| matches!(read, Structure::Message(_))));
}

fn encoded<T: Nested>(b: &mut criterion::Bencher<'_>, format: Format, command: &T) {
    let mut encoder = Encoder::new(format);
    let mut out = BytesMut::with_capacity(1 << 12);
    b.iter(|| {
        out.clear();
        encoder.encode(black_box(command), &mut out);
        out.len()
    });
}

fn message() -> Message {
    let mut content = vec![0, 0, 1, 0];
    content.resize(4 + 256, b'x');
    Message {
        kind: MessageKind::Text,
        command_id: 4711,
        response_required: true,
        producer_id: Some(producer()),
        destination: Some(destination()),
        message_id: Some(message_id()),
        persistent: true,
        priority: 4,
        timestamp: 1_700_000_000_000,
        content: Some(content.into()),
        marshalled_properties: Some(Bytes::from_static(
            b"\0\0\0\x02\0\x04lane\x09\0\x02p1\0\x03seq\x05\0\0\0\x11",
        )),
        ..Message::default()
    }
}

fn dispatch() -> MessageDispatch {
    MessageDispatch {
        consumer_id: Some(consumer()),
        destination: Some(destination()),
        message: Some(Box::new(message())),
        ..MessageDispatch::default()
    }
}

fn ack() -> MessageAck {
    MessageAck {
        consumer_id: Some(consumer()),
        destination: Some(destination()),
        ack_type: 2,
        first_message_id: Some(message_id()),
        last_message_id: Some(message_id()),
        message_count: 1,
        ..MessageAck::default()
    }
}

fn message_id() -> MessageId {
    MessageId {
        producer_id: Some(producer()),
        producer_sequence_id: 123_456,
        broker_sequence_id: 654_321,
        ..MessageId::default()
    }
}

fn producer() -> Arc<ProducerId> {
    Arc::new(ProducerId { connection_id: Some(CONNECTION.into()), value: 1, session_id: 1 })
}

fn consumer() -> Arc<ConsumerId> {
    Arc::new(ConsumerId { connection_id: Some(CONNECTION.into()), session_id: 1, value: 1 })
}

fn destination() -> Arc<Destination> {
    Arc::new(Destination::new(DestinationKind::Queue, "orders.incoming"))
}

criterion_group!(benches, bench_decode, bench_encode);
criterion_main!(benches);
