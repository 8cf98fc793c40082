//! Nanoseconds for one PUBLISH, decoded and encoded: `cargo bench -p wharfmq-mqtt`.

#![allow(clippy::unwrap_used, missing_docs, reason = "not a part of the product")]

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use wharfmq_mqtt::encode::{self, PublishHead};
use wharfmq_mqtt::{
    Ack, AckKind, Limits, PacketId, Properties, PropertyId, PropertyWriter, Qos, Value, Version, decode,
};

const TOPIC: &str = "plant/line1/tempera1";
const LIMITS: Limits = Limits::from_client(1 << 20);

fn head(qos: Qos, properties: Properties<'_>) -> PublishHead<'_> {
    let packet_id = (qos != Qos::AtMostOnce).then_some(PacketId::MIN);
    PublishHead {
        dup: false,
        qos,
        retain: false,
        topic: TOPIC,
        packet_id,
        properties,
        shared_properties_len: 0,
    }
}

fn frame(version: Version, qos: Qos, properties: Properties<'_>, payload: usize) -> BytesMut {
    let mut out = BytesMut::new();
    encode::publish(&mut out, version, &head(qos, properties), &vec![b'x'; payload]).unwrap();
    out
}

fn decoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(1));
    let mut scratch = BytesMut::new();
    let mut writer = PropertyWriter::new(&mut scratch);
    writer.put(PropertyId::MessageExpiryInterval, Value::U32(60)).unwrap();
    writer.put(PropertyId::ContentType, Value::Text("application/json")).unwrap();
    writer.user("trace", "0123456789abcdef").unwrap();
    let cases = [
        ("v311 qos0 64", Version::V311, frame(Version::V311, Qos::AtMostOnce, Properties::EMPTY, 64)),
        ("v311 qos1 64", Version::V311, frame(Version::V311, Qos::AtLeastOnce, Properties::EMPTY, 64)),
        ("v311 qos1 1024", Version::V311, frame(Version::V311, Qos::AtLeastOnce, Properties::EMPTY, 1024)),
        ("v5 qos1 64", Version::V5, frame(Version::V5, Qos::AtLeastOnce, Properties::EMPTY, 64)),
        ("v5 qos1 64 3 props", Version::V5, frame(Version::V5, Qos::AtLeastOnce, writer.finish(), 64)),
    ];
    for (name, version, input) in &cases {
        group.bench_function(*name, |b| {
            b.iter(|| decode(black_box(input), *version, LIMITS).unwrap().unwrap().len)
        });
    }
    let puback = [0x40, 2, 0, 1];
    group.bench_function("puback", |b| {
        b.iter(|| decode(black_box(&puback), Version::V311, LIMITS).unwrap().unwrap().len);
    });
    group.finish();
}

/// A read chunk of 64 packets, as a connection sees it.
fn stream(c: &mut Criterion) {
    let one = frame(Version::V311, Qos::AtLeastOnce, Properties::EMPTY, 64);
    let chunk = one.repeat(64);
    let mut group = c.benchmark_group("decode chunk");
    group.throughput(Throughput::Elements(64));
    group.bench_function("v311 qos1 64", |b| {
        b.iter(|| {
            let (mut rest, mut bytes) = (black_box(&chunk[..]), 0);
            while let Some(decoded) = decode(rest, Version::V311, LIMITS).unwrap() {
                rest = &rest[decoded.len..];
                if let wharfmq_mqtt::Packet::Publish(publish) = decoded.packet {
                    bytes += publish.payload.len() + publish.topic.len();
                }
            }
            bytes
        });
    });
    group.finish();
}

fn encoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Elements(1));
    for payload_len in [64, 1024] {
        let payload = vec![b'x'; payload_len];
        group.bench_function(format!("v311 qos1 {payload_len} whole"), |b| {
            let mut out = BytesMut::with_capacity(1 << 16);
            b.iter(|| {
                out.clear();
                encode::publish(
                    &mut out,
                    Version::V311,
                    &head(Qos::AtLeastOnce, Properties::EMPTY),
                    black_box(&payload),
                )
            });
        });
    }
    for version in [Version::V311, Version::V5] {
        group.bench_function(format!("{version:?} qos1 head"), |b| {
            let mut out = BytesMut::with_capacity(1 << 16);
            b.iter(|| {
                out.clear();
                encode::publish_head(
                    &mut out,
                    version,
                    &head(Qos::AtLeastOnce, Properties::EMPTY),
                    black_box(1024),
                )
            });
        });
    }
    group.bench_function("puback", |b| {
        let mut out = BytesMut::with_capacity(1 << 16);
        b.iter(|| {
            out.clear();
            encode::ack(&mut out, Version::V5, AckKind::Puback, &Ack::success(black_box(PacketId::MIN)))
        });
    });
    group.finish();
}

/// The other codec on the same bytes, for scale.
fn oracle(c: &mut Criterion) {
    let input = frame(Version::V311, Qos::AtLeastOnce, Properties::EMPTY, 64);
    let mut group = c.benchmark_group("mqttbytes");
    group.throughput(Throughput::Elements(1));
    group.bench_function("decode v311 qos1 64", |b| {
        b.iter_batched_ref(
            || input.clone(),
            |input| mqttbytes::v4::read(input, 1 << 20),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, decoding, stream, encoding, oracle);
criterion_main!(benches);
