//! What one message costs at the codec: a SEND in, its headers walked once, a MESSAGE out.

#![allow(missing_docs)]

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wharfmq_stomp::{
    Decoded, FRAME_END, Frame, HeaderRules, Limits, Message, Scan, Sent, Version, decode, encode_head,
    encode_send, reescape, strip,
};

const HOP: &[&str] =
    &["receipt", "transaction", "message-id", "subscription", "redelivered", "ack", "content-length"];

fn send(size: usize) -> BytesMut {
    let sent =
        Sent { destination: "/queue/orders.incoming", receipt: Some("message-0000017"), transaction: None };
    let mut frame = BytesMut::new();
    let headers = [("persistent", "true"), ("content-type", "application/json")];
    encode_send(&mut frame, Version::V1_2, &sent, &headers, &vec![b'x'; size]);
    frame
}

fn frame(input: &[u8]) -> Frame<'_> {
    match decode(input, &mut Scan::default(), &Limits::DEFAULT, Version::V1_2) {
        Ok(Decoded::Frame(frame)) => frame,
        other => panic!("{other:?}"),
    }
}

fn bench_decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode_send_5_headers");
    for size in [64, 1024] {
        let input = send(size);
        group.throughput(Throughput::Elements(1));
        group
            .bench_function(format!("{size}_frame_only"), |b| b.iter(|| frame(black_box(&input)).consumed()));
        group.bench_function(format!("{size}_and_headers"), |b| {
            b.iter(|| {
                let frame = frame(black_box(&input));
                frame.headers().fold(0, |sum, header| sum + header.map_or(0, |header| header.value.len()))
            });
        });
    }
    group.finish();
}

fn bench_encode(c: &mut Criterion) {
    let input = send(1024);
    let frame = frame(&input);
    let mut kept = BytesMut::new();
    let _ = strip(frame.head().as_bytes(), Version::V1_2, HOP, &mut kept);
    let mut out = BytesMut::with_capacity(1 << 16);

    let mut group = c.benchmark_group("encode");
    for size in [64, 1024] {
        let body = vec![b'x'; size];
        group.bench_function(format!("message_{size}"), |b| {
            b.iter(|| {
                out.clear();
                let message = Message {
                    subscription: Some("sub-0"),
                    message_id: black_box("17-4711"),
                    ack: Some("4711"),
                    content_length: Some(size),
                    ..Message::default()
                };
                encode_head(&mut out, Version::V1_2, &message, &kept);
                out.extend_from_slice(&body);
                out.extend_from_slice(FRAME_END);
                out.len()
            });
        });
        let sent = Sent { destination: "/queue/orders.incoming", receipt: Some("17"), transaction: None };
        group.bench_function(format!("send_{size}"), |b| {
            b.iter(|| {
                out.clear();
                encode_send(&mut out, Version::V1_2, black_box(&sent), &[("persistent", "true")], &body);
                out.len()
            });
        });
    }
    group.bench_function("strip_5_headers", |b| {
        b.iter(|| {
            out.clear();
            strip(black_box(frame.head().as_bytes()), Version::V1_2, HOP, &mut out)
        });
    });
    group.bench_function("reescape_5_headers_1.2_to_1.1", |b| {
        b.iter(|| {
            out.clear();
            let rules = HeaderRules::from(Version::V1_2);
            reescape(black_box(frame.head().as_bytes()), rules, Version::V1_1, &mut out)
        });
    });
    group.finish();
}

criterion_group!(benches, bench_decode, bench_encode);
criterion_main!(benches);
