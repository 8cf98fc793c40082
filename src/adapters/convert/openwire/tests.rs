use bytes::BytesMut;
use proptest::prelude::*;
use wharfmq_core::{HeadTag, MessageId, Qos, Value as Seen};
use wharfmq_mqtt::{Properties, PropertyId};
use wharfmq_openwire::primitive::{Map, MapWriter, write_value};
use wharfmq_openwire::{Blob, Destination, Message, Text, read_head, write_head};

use super::*;
use crate::adapters::convert::{self, MQTT3, MQTT5, OPENWIRE, STOMP, put_header};
use wharfmq_base::Millis;

const MOST: usize = 16 << 20;
const SMILE: &str = "h\u{e9}llo \u{20ac} \u{1f600} \0";

/// A message of a JMS client: its head as it is stored, and its contents.
#[derive(Clone)]
struct Jms {
    head: Bytes,
    content: Bytes,
}

fn stored(mut message: Message) -> Jms {
    let content = message.content.as_mut().map(std::mem::take).unwrap_or_default();
    let mut head = BytesMut::new();
    write_head(&message, &mut head);
    Jms { head: head.freeze(), content }
}

fn jms(kind: MessageKind, content: impl Into<Bytes>) -> Jms {
    stored(Message { kind, content: Some(content.into()), ..Message::default() })
}

fn text(text: &str) -> Bytes {
    let mut out = BytesMut::new();
    body::write_text(text, &mut out);
    out.freeze()
}

fn value(text: &'static str) -> Value<'static> {
    Value::Text(RawText(text.as_bytes()))
}

const ALL: [(&str, Value<'static>); 11] = [
    ("bool", Value::Bool(true)),
    ("byte", Value::Byte(-7)),
    ("char", Value::Char(0x20ac)),
    ("short", Value::Short(3_000)),
    ("int", Value::Int(-70_000)),
    ("long", Value::Long(1 << 40)),
    ("float", Value::Float(1.5)),
    ("double", Value::Double(-2.25)),
    ("text", Value::Text(RawText(b"a\"\xc0\x80\xed\xa0\xbd\xed\xb8\x80"))),
    ("bytes", Value::Bytes(b"\x08\xff")),
    ("null", Value::Null),
];

fn map(entries: &[(&str, Value<'_>)]) -> Bytes {
    let mut map = MapWriter::default();
    entries.iter().for_each(|(key, value)| assert!(map.put(key, value)));
    map.finish()
}

fn stream(values: &[Value<'_>]) -> Bytes {
    let mut out = BytesMut::new();
    values.iter().for_each(|value| write_value(value, &mut out));
    out.freeze()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn body_text(jms: &Jms) -> String {
    let body = body_of(&jms.head, &jms.content, MapForm::Plain, MOST).unwrap();
    assert!(convert::body_is_text(OPENWIRE, &jms.head, &body));
    String::from_utf8(body.to_vec()).unwrap()
}

fn to_stomp(jms: &Jms) -> String {
    let mut out = BytesMut::new();
    convert::write_stomp_headers(OPENWIRE, &jms.head, &Notes::default(), &mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

fn to_mqtt5(jms: &Jms) -> BytesMut {
    let body = body_of(&jms.head, &jms.content, MapForm::Plain, MOST).unwrap();
    let is_text = convert::body_is_text(OPENWIRE, &jms.head, &body);
    let mut out = BytesMut::new();
    convert::write_mqtt5_properties(OPENWIRE, &jms.head, &Notes::default(), is_text, &mut out);
    out
}

#[test]
fn text_messages_are_text() {
    for sent in ["", "hello", SMILE, "{}"] {
        let jms = jms(MessageKind::Text, text(sent));
        assert_eq!(body_text(&jms), sent);
        assert_eq!(to_stomp(&jms), "");
        let properties = to_mqtt5(&jms);
        assert_eq!(properties.as_ref(), b"\x01\x01");
    }
    let null = stored(Message { kind: MessageKind::Text, ..Message::default() });
    assert_eq!(body_text(&null), "");
    assert_eq!(body_text(&jms(MessageKind::Text, &b"\xff\xff\xff\xff"[..])), "");
    let plain = stored(Message::default());
    assert_eq!((body_text(&plain), to_stomp(&plain)), (String::new(), String::new()));
}

#[test]
fn large_text_is_not_copied_and_odd_text_is_converted() {
    let sent = "x€".repeat(1_250_000);
    let jms = jms(MessageKind::Text, text(&sent));
    let body = body_of(&jms.head, &jms.content, MapForm::Plain, MOST).unwrap();
    assert_eq!(body, sent);
    assert_eq!(body.as_ptr(), jms.content[4..].as_ptr(), "a part of what is stored");
    let sent = "\u{1f600}\0".repeat(1_000_000);
    assert_eq!(
        body_text(&stored(Message {
            content: Some(text(&sent)),
            kind: MessageKind::Text,
            ..Message::default()
        })),
        sent
    );
}

#[test]
fn bytes_and_objects_are_their_bytes() {
    for (kind, header) in [
        (MessageKind::Bytes, ""),
        (MessageKind::Object, "content-type:application/x-java-serialized-object\n"),
    ] {
        for sent in [&b""[..], b"\xac\xed\x00\x05", b"plain"] {
            let jms = jms(kind, sent);
            assert_eq!(body_of(&jms.head, &jms.content, MapForm::Plain, MOST).unwrap(), sent);
            assert!(!convert::body_is_text(OPENWIRE, &jms.head, sent), "{kind:?}");
            assert_eq!(to_stomp(&jms), header);
            assert_eq!(Properties::from_raw(&to_mqtt5(&jms)).byte(PropertyId::PayloadFormatIndicator), None);
        }
    }
}

#[test]
fn maps_are_objects() {
    let full = jms(MessageKind::Map, map(&ALL));
    let expected = "{\"bool\":true,\"byte\":-7,\"char\":\"€\",\"short\":3000,\"int\":-70000,\
        \"long\":1099511627776,\"float\":1.5,\"double\":-2.25,\"text\":\"a\\\"\\u0000\u{1f600}\",\
        \"bytes\":\"CP8=\",\"null\":null}";
    assert_eq!(body_text(&full), expected);
    assert_eq!(to_stomp(&full), "content-type:application/json\ntransformation:jms-map-json\n");
    let properties = to_mqtt5(&full);
    let properties = Properties::from_raw(&properties);
    assert_eq!(properties.text(PropertyId::ContentType), Some("application/json"));
    assert_eq!(properties.byte(PropertyId::PayloadFormatIndicator), Some(1));
    assert_eq!(properties.user_properties().collect::<Vec<_>>(), [("transformation", "jms-map-json")]);

    let null = stored(Message { kind: MessageKind::Map, ..Message::default() });
    for (jms, form, expected) in [
        (&null, MapForm::Plain, "{}"),
        (&null, MapForm::Entries, "{\"map\":{\"entry\":[]}}"),
        (
            &full,
            MapForm::Entries,
            "{\"map\":{\"entry\":[{\"string\":\"bool\",\"boolean\":true},{\"string\":\"byte\",\"byte\":-7},\
            {\"string\":\"char\",\"char\":\"€\"},{\"string\":\"short\",\"short\":3000},\
            {\"string\":\"int\",\"int\":-70000},{\"string\":\"long\",\"long\":1099511627776},\
            {\"string\":\"float\",\"float\":1.5},{\"string\":\"double\",\"double\":-2.25},\
            {\"string\":[\"text\",\"a\\\"\\u0000\u{1f600}\"]},{\"string\":\"bytes\",\"byte-array\":\"CP8=\"},\
            {\"string\":\"null\",\"null\":\"\"}]}}",
        ),
    ] {
        assert_eq!(body_of(&jms.head, &jms.content, form, MOST).unwrap(), expected);
    }
}

#[test]
fn streams_are_arrays() {
    let values: Vec<_> = ALL.iter().map(|(_, value)| *value).collect();
    let full = jms(MessageKind::Stream, stream(&values));
    let expected =
        "[true,-7,\"€\",3000,-70000,1099511627776,1.5,-2.25,\"a\\\"\\u0000\u{1f600}\",\"CP8=\",null]";
    assert_eq!(body_text(&full), expected);
    assert_eq!(to_stomp(&full), "content-type:application/json\ntransformation:jms-stream-json\n");
    assert_eq!(body_text(&stored(Message { kind: MessageKind::Stream, ..Message::default() })), "[]");
    let odd =
        [Value::Double(f64::NAN), Value::Float(f32::INFINITY), Value::Double(5.0), Value::Double(-1e300)];
    assert_eq!(body_text(&jms(MessageKind::Stream, stream(&odd))), "[\"NaN\",\"Infinity\",5.0,-1e300]");
}

#[test]
fn values_within_values() {
    let mut out = BytesMut::from(&map(&[("a", Value::Int(1))])[..]);
    out[3] = 3;
    for (key, inner) in [("l", Value::List(2)), ("m", Value::Map(1))] {
        wharfmq_openwire::primitive::write_key(key, &mut out);
        write_value(&inner, &mut out);
        if key == "l" {
            write_value(&Value::Null, &mut out);
            write_value(&value("x"), &mut out);
        } else {
            wharfmq_openwire::primitive::write_key("k", &mut out);
            write_value(&Value::List(0), &mut out);
        }
    }
    let content = out.freeze();
    let nested = jms(MessageKind::Map, content.clone());
    assert_eq!(body_text(&nested), "{\"a\":1,\"l\":[null,\"x\"],\"m\":{\"k\":[]}}");
    let entries = body_of(&nested.head, &nested.content, MapForm::Entries, MOST).unwrap();
    assert!(entries.ends_with(b"{\"string\":\"m\",\"map\":{\"k\":[]}}]}}"), "{entries:?}");
    let properties = stored(Message { marshalled_properties: Some(content), ..Message::default() });
    assert_eq!(to_stomp(&properties), "a:1\nl:[null,\"x\"]\nm:{\"k\"\\c[]}\n");
    let bomb = [&b"\0\0\0\x01\0\x01k"[..], &b"\x0c\0\0\0\x01".repeat(200_000), b"\0"].concat();
    let bomb = jms(MessageKind::Map, bomb);
    assert_eq!(body_of(&bomb.head, &bomb.content, MapForm::Plain, MOST), Err(Malformed::Depth));
}

#[test]
fn blobs_are_their_address() {
    let blob = Blob { remote_blob_url: Some("http://h/x".into()), ..Blob::default() };
    let blob = stored(Message { kind: MessageKind::Blob, blob: Some(Box::new(blob)), ..Message::default() });
    assert_eq!(body_text(&blob), "http://h/x");
    let none = stored(Message { kind: MessageKind::Blob, ..Message::default() });
    assert_eq!(body_text(&none), "");
}

#[test]
fn compressed_contents_are_inflated() {
    let compressed = |kind, content: Vec<u8>| {
        let content = Some(content.into());
        stored(Message { kind, content, compressed: true, ..Message::default() })
    };
    let plain: Vec<u8> = text(SMILE).to_vec();
    assert_eq!(body_text(&compressed(MessageKind::Text, packed(&plain))), SMILE);
    assert_eq!(body_text(&compressed(MessageKind::Text, Vec::new())), "");
    let entries = map(&[("a", Value::Int(1))]);
    assert_eq!(body_text(&compressed(MessageKind::Map, packed(&entries))), "{\"a\":1}");
    assert_eq!(body_text(&compressed(MessageKind::Stream, packed(&stream(&[Value::Null])))), "[null]");
    let of_bytes = |len: u32, bytes: &[u8]| [&len.to_be_bytes(), &*packed(bytes)].concat();
    for (kind, content) in [
        (MessageKind::Bytes, of_bytes(3, b"\x01\x02\x03\0\0\0")),
        (MessageKind::Object, packed(b"\x01\x02\x03")),
    ] {
        let jms = compressed(kind, content);
        assert_eq!(body_of(&jms.head, &jms.content, MapForm::Plain, MOST).unwrap().as_ref(), b"\x01\x02\x03");
        assert_eq!(body_of(&jms.head, &jms.content, MapForm::Plain, 2), Err(Malformed::TooLarge));
    }
    let bomb = compressed(MessageKind::Text, packed(&vec![0; 32 << 20]));
    assert_eq!(body_of(&bomb.head, &bomb.content, MapForm::Plain, MOST), Err(Malformed::TooLarge));
}

#[test]
fn json_has_a_bound() {
    let long = "\u{1}".repeat(1_000);
    let raw = [("k", Value::Text(RawText(long.as_bytes())))];
    let jms = jms(MessageKind::Map, map(&raw));
    for form in [MapForm::Plain, MapForm::Entries] {
        assert_eq!(body_of(&jms.head, &jms.content, form, 5_000), Err(Malformed::TooLarge));
        assert!(body_of(&jms.head, &jms.content, form, 7_000).is_ok());
    }
}

#[test]
fn what_cannot_be_converted_goes_out_as_it_is_and_says_why() {
    for (kind, content) in [
        (MessageKind::Text, &b"\0\0\0\x09short"[..]),
        (MessageKind::Text, b"\0\0\0\x01\xff"),
        (MessageKind::Map, b"\0\0\0\x01\0"),
        (MessageKind::Map, b"\x7f\xff\xff\xff"),
        (MessageKind::Stream, b"\x63"),
    ] {
        let properties = Some(map(&[("a", Value::Int(1))]));
        let content = Some(Bytes::copy_from_slice(content));
        let jms = stored(Message { kind, content, marshalled_properties: properties, ..Message::default() });
        let why = body_of(&jms.head, &jms.content, MapForm::Plain, MOST).unwrap_err();
        let raw = unconverted(&jms.head, &Notes::new([("n", "v")]), why);
        assert!(!convert::body_is_text(OPENWIRE, &raw.head, &jms.content));
        let mut out = BytesMut::new();
        convert::write_stomp_headers(OPENWIRE, &raw.head, &raw.notes, &mut out);
        let why = why.to_string();
        assert_eq!(std::str::from_utf8(&out).unwrap(), format!("n:v\ntransformation-error:{why}\na:1\n"));
        let again = body_of(&raw.head, &jms.content, MapForm::Plain, MOST).unwrap();
        assert_eq!(again, jms.content, "its bytes");
    }
    assert!(body_of(b"", &Bytes::new(), MapForm::Plain, MOST).is_err());
    assert!(unconverted(b"", &Notes::default(), Malformed::Truncated).head.is_empty());
}

/// A message with all that headers can say.
fn full() -> Jms {
    stored(Message {
        kind: MessageKind::Text,
        content: Some(text("x")),
        correlation_id: Some("c:1\u{1f600}".into()),
        reply_to: Some(Box::new(Destination::new(DestinationKind::Queue, "re.ply"))),
        jms_type: Some("order".into()),
        group_id: Some("g".into()),
        group_sequence: 3,
        user_id: Some("me".into()),
        timestamp: 77,
        message_id: Some(wharfmq_openwire::MessageId {
            producer_id: Some(std::sync::Arc::new(wharfmq_openwire::ProducerId {
                connection_id: Some("ID:h-1-2-1:1".into()),
                value: 5,
                session_id: 4,
            })),
            producer_sequence_id: 6,
            ..wharfmq_openwire::MessageId::default()
        }),
        marshalled_properties: Some(map(
            &[&ALL[..], &[("priority", Value::Int(9)), ("", Value::Null)]].concat()
        )),
        ..Message::default()
    })
}

#[test]
fn headers_and_properties_of_every_type() {
    let jms = full();
    let expected = "JMSMessageID:ID\\ch-1-2-1\\c1\\c4\\c5\\c6\n\
        correlation-id:c\\c1\u{1f600}\nreply-to:/queue/re.ply\ntype:order\nJMSXGroupID:g\n\
        JMSXGroupSeq:3\nbool:true\nbyte:-7\nchar:€\nshort:3000\nint:-70000\nlong:1099511627776\nfloat:1.5\n\
        double:-2.25\ntext:a\"?\u{1f600}\nbytes:CP8=\nnull:null\n";
    assert_eq!(to_stomp(&jms), expected);
    let properties = to_mqtt5(&jms);
    let properties = Properties::from_raw(&properties);
    assert_eq!(properties.binary(PropertyId::CorrelationData), Some("c:1\u{1f600}".as_bytes()));
    assert_eq!(properties.text(PropertyId::ResponseTopic), Some("$queue/re/ply"));
    let found: Vec<_> = properties.user_properties().collect();
    let lines = expected.lines().skip(3).map(|line| line.split_once(':').unwrap());
    let lines: Vec<_> = std::iter::once(("JMSMessageID", "ID:h-1-2-1:1:4:5:6")).chain(lines).collect();
    assert_eq!(found, lines);
}

#[test]
fn replies() {
    for (kind, name, header, response) in [
        (DestinationKind::Queue, "a.b", "/queue/a.b", Some("$queue/a/b")),
        (DestinationKind::Topic, "a.b", "/topic/a.b", Some("a/b")),
        (
            DestinationKind::TempQueue,
            "ID:h-1:1",
            "/remote-temp-queue/$temp.ID:h-1:1",
            Some("$queue/$temp/ID:h-1:1"),
        ),
        (DestinationKind::TempTopic, "ID:h-1:1", "/remote-temp-topic/$temp.ID:h-1:1", Some("$temp/ID:h-1:1")),
        (DestinationKind::Queue, "a*", "/queue/a*", None),
        (DestinationKind::Queue, "a,b", "/queue/a,b", None),
    ] {
        let reply_to = Some(Box::new(Destination::new(kind, name)));
        let jms = stored(Message { reply_to: reply_to.clone(), ..Message::default() });
        assert_eq!(to_stomp(&jms), format!("reply-to:{}\n", header.replace(':', "\\c")));
        let properties = to_mqtt5(&jms);
        assert_eq!(Properties::from_raw(&properties).text(PropertyId::ResponseTopic), response);
        let stomp = to_stomp(&jms);
        let back = from(STOMP, stomp.as_bytes(), b"");
        if response.is_some() {
            assert_eq!(back.reply_to, reply_to);
            assert_eq!(from(MQTT5, &properties, b"").reply_to, reply_to);
        } else {
            assert_eq!(back.reply_to, None);
            assert_eq!(property(&back, "reply-to"), Some(show(Value::Text(RawText(header.as_bytes())))));
        }
    }
    let nameless = Destination { kind: DestinationKind::Queue, physical_name: None };
    assert_eq!(to_stomp(&stored(Message { reply_to: Some(Box::new(nameless)), ..Message::default() })), "");
}

#[test]
fn selectors_see_types() {
    let jms = full();
    let seen = |name: &str| convert::header(OPENWIRE, &jms.head, name);
    let text = |text: &str| Seen::Text(Cow::Owned(text.to_owned()));
    for (name, value) in [
        ("bool", Seen::Bool(true)),
        ("byte", Seen::Int(-7)),
        ("char", text("€")),
        ("short", Seen::Int(3_000)),
        ("int", Seen::Int(-70_000)),
        ("long", Seen::Int(1 << 40)),
        ("float", Seen::Float(1.5)),
        ("double", Seen::Float(-2.25)),
        ("text", text("a\"\0\u{1f600}")),
        ("bytes", Seen::Null),
        ("null", Seen::Null),
        ("none", Seen::Null),
        ("priority", Seen::Int(9)),
        ("JMSCorrelationID", text("c:1\u{1f600}")),
        ("correlation-id", text("c:1\u{1f600}")),
        ("JMSType", text("order")),
        ("type", text("order")),
        ("JMSReplyTo", text("queue://re.ply")),
        ("reply-to", text("queue://re.ply")),
        ("JMSXGroupID", text("g")),
        ("JMSXGroupSeq", Seen::Int(3)),
        ("JMSXUserID", text("me")),
        ("JMSTimestamp", Seen::Int(77)),
        ("JMSMessageID", text("ID:h-1-2-1:1:4:5:6")),
    ] {
        assert_eq!(seen(name), value, "{name}");
    }
    let plain =
        stored(Message { marshalled_properties: Some(map(&[("a", value("b"))])), ..Message::default() });
    assert!(matches!(convert::header(OPENWIRE, &plain.head, "a"), Seen::Text(Cow::Borrowed("b"))));
    for name in [
        "JMSCorrelationID",
        "JMSType",
        "JMSReplyTo",
        "JMSXGroupID",
        "JMSXGroupSeq",
        "JMSXUserID",
        "JMSMessageID",
    ] {
        assert_eq!(convert::header(OPENWIRE, &plain.head, name), Seen::Null, "{name}");
    }
    let other = wharfmq_openwire::MessageId { text_view: Some("x".into()), ..Default::default() };
    let other = stored(Message { message_id: Some(other), ..Message::default() });
    assert_eq!(convert::header(OPENWIRE, &other.head, "JMSMessageID"), text("ID:x"));
    for tag in [STOMP, MQTT5] {
        assert_eq!(convert::header(tag, b"JMSMessageID:x\nJMSTimestamp:1\n", "JMSMessageID"), Seen::Null);
    }
}

fn from(tag: HeadTag, head: &[u8], body: &[u8]) -> Message {
    let body = Bytes::copy_from_slice(body);
    let (id, received) = (MessageId(5_000), Millis(11));
    message(&Foreign { id, tag, head, body: &body, received, qos: Qos::AtLeastOnce })
}

fn show(value: Value<'_>) -> String {
    format!("{value:?}")
}

fn property(message: &Message, name: &str) -> Option<String> {
    let properties = message.marshalled_properties.as_deref()?;
    Map::read(properties).unwrap()?.get(name).unwrap().map(show)
}

fn content_of(message: &Message) -> &Bytes {
    message.content.as_ref().unwrap()
}

#[test]
fn bodies_of_other_protocols() {
    let marked = convert::TEXT_LINE;
    for (tag, head, sent, kind) in [
        (STOMP, marked, SMILE.as_bytes(), MessageKind::Text),
        (STOMP, marked, b"", MessageKind::Text),
        (STOMP, marked, b"\xff", MessageKind::Bytes),
        (STOMP, b"", b"text", MessageKind::Bytes),
        (STOMP, b"", b"", MessageKind::Bytes),
        (MQTT3, b"", "grün\n".as_bytes(), MessageKind::Text),
        (MQTT3, b"", b"", MessageKind::Text),
        (MQTT3, b"", b"\0", MessageKind::Bytes),
        (MQTT5, b"", b"\xff", MessageKind::Bytes),
        (MQTT5, b"\x01\x01", b"\0", MessageKind::Text),
        (MQTT5, b"\x01\x00", b"t", MessageKind::Text),
    ] {
        let message = from(tag, head, sent);
        assert_eq!(message.kind, kind, "{tag:?} {sent:?}");
        let content = content_of(&message);
        match kind {
            MessageKind::Text => {
                let read = body::text(content).unwrap().unwrap();
                assert_eq!(read.decode().unwrap().as_bytes(), sent);
            }
            _ => assert_eq!(content, sent),
        }
        let (back, stored) = (sent, stored(message.clone()));
        assert_eq!(body_of(&stored.head, &stored.content, MapForm::Plain, MOST).unwrap(), back);
    }
}

#[test]
fn maps_and_streams_of_other_protocols() {
    let lines = |form: &str| format!("amq-msg-type:text\ntransformation:{form}\nx:y\n");
    let typed = "{\"map\":{\"entry\":[{\"string\":[\"text\",\"v\"]},{\"string\":\"bool\",\"boolean\":true},\
        {\"string\":\"byte\",\"byte\":-7},{\"string\":\"short\",\"short\":\"8\"},{\"string\":\"int\",\"int\":9},\
        {\"string\":\"long\",\"long\":10},{\"string\":\"float\",\"float\":1.5},{\"string\":\"double\",\"double\":2},\
        {\"string\":\"char\",\"char\":\"c\"},{\"string\":\"bytes\",\"byte-array\":\"CP8=\"},\
        {\"string\":\"null\",\"null\":\"\"},{\"string\":[7,8]}]}}";
    let message = from(STOMP, lines(MAP_JSON).as_bytes(), typed.as_bytes());
    assert_eq!(message.kind, MessageKind::Map);
    assert_eq!((property(&message, "x"), property(&message, TRANSFORMATION)), (Some(show(value("y"))), None));
    let map = body::map(content_of(&message)).unwrap().unwrap();
    for (key, expected) in [
        ("text", value("v")),
        ("bool", Value::Bool(true)),
        ("byte", Value::Byte(-7)),
        ("short", Value::Short(8)),
        ("int", Value::Int(9)),
        ("long", Value::Long(10)),
        ("float", Value::Float(1.5)),
        ("double", Value::Double(2.0)),
        ("char", Value::Char(99)),
        ("bytes", Value::Bytes(b"\x08\xff")),
        ("null", Value::Null),
        ("7", value("8")),
    ] {
        assert_eq!(map.get(key), Ok(Some(expected)), "{key}");
    }
    assert_eq!(map.len(), 12);
    let plain = r#"{"a":1,"b":-3000000000,"c":1.5,"d":true,"e":null,"f":"x","g":18446744073709551615}"#;
    let message = from(STOMP, lines(MAP_JSON).as_bytes(), plain.as_bytes());
    let map = body::map(content_of(&message)).unwrap().unwrap();
    for (key, expected) in [
        ("a", Value::Int(1)),
        ("b", Value::Long(-3_000_000_000)),
        ("c", Value::Double(1.5)),
        ("d", Value::Bool(true)),
        ("e", Value::Null),
        ("f", value("x")),
        ("g", Value::Double(18_446_744_073_709_551_615.0)),
    ] {
        assert_eq!(map.get(key), Ok(Some(expected)), "{key}");
    }
    let row = from(STOMP, lines(STREAM_JSON).as_bytes(), br#"[1,"x",null]"#);
    assert_eq!(
        (row.kind, content_of(&row)),
        (MessageKind::Stream, &stream(&[Value::Int(1), value("x"), Value::Null]))
    );
    for (form, body) in [
        (MAP_JSON, "[]"),
        (MAP_JSON, "{"),
        (MAP_JSON, r#"{"a":[1]}"#),
        (MAP_JSON, r#"{"map":{"entry":[{"string":"k","int":"x"}]}}"#),
        (STREAM_JSON, "{}"),
        ("gzip", "{}"),
    ] {
        let message = from(STOMP, lines(form).as_bytes(), body.as_bytes());
        assert_eq!(message.kind, MessageKind::Text, "{form} {body}");
        assert!(property(&message, TRANSFORMATION).is_some_and(|said| said.len() > 4));
    }
}

#[test]
fn headers_of_other_protocols() {
    let head = "amq-msg-type:text\ncontent-type:text/plain\ncorrelation-id:c\\c1\ntype:order\n\
        reply-to:/queue/re.ply\nJMSXGroupID:g\nJMSXGroupSeq:-1\ncolor:red\ncolor:blue\npriority:1\n\u{1f600}:\\n\n";
    let message = from(STOMP, head.as_bytes(), b"x");
    assert_eq!(message.correlation_id, Some("c:1".into()));
    assert_eq!(message.jms_type, Some("order".into()));
    assert_eq!(message.reply_to, Some(Box::new(Destination::new(DestinationKind::Queue, "re.ply"))));
    assert_eq!((message.group_id.clone(), message.group_sequence), (Some("g".into()), -1));
    assert_eq!(message.timestamp, 11);
    for (name, expected) in [
        ("content-type", Some("text/plain")),
        ("color", Some("red")),
        ("\u{1f600}", Some("\n")),
        ("priority", None),
    ] {
        let expected = expected.map(|text| show(Value::Text(RawText(text.as_bytes()))));
        assert_eq!(property(&message, name), expected, "{name}");
    }
    let properties =
        b"\x03\x00\x01t\x09\x00\x02\xff\x00\x08\x00\x03a/b\x26\x00\x01k\x00\x01v\x26\x00\x01k\x00\x01w";
    let message = from(MQTT5, properties, b"x");
    assert_eq!(message.correlation_id, Some("hex:ff00".into()));
    assert_eq!(message.reply_to, Some(Box::new(Destination::new(DestinationKind::Topic, "a.b"))));
    assert_eq!(property(&message, "k"), Some(show(value("v"))));
    assert_eq!(property(&message, "ActiveMQ.MQTT.QoS"), Some(show(Value::Int(1))));
    assert_eq!(from(STOMP, b"", b"").marshalled_properties, None);
}

#[test]
fn other_protocols_messages_have_identities() {
    let message = from(STOMP, b"", b"x");
    let id = message.message_id.unwrap();
    assert_eq!(id.text_view, Some("ID:wharfmq-5000".into()));
    assert_eq!(id.producer_id, message.producer_id);
    assert_eq!((id.producer_id.as_ref().unwrap().value, id.producer_sequence_id), (4, 904));
}

#[test]
fn properties_have_a_bound() {
    let mut head = BytesMut::new();
    for nth in 0..100 {
        put_header(&mut head, &format!("n{nth}"), &[&"v".repeat(30_000)]);
    }
    let properties = from(STOMP, &head, b"").marshalled_properties.unwrap();
    assert!(properties.len() <= 1 << 20);
    assert_eq!(Map::read(&properties).unwrap().unwrap().iter().filter(Result::is_ok).count(), 34);
}

fn any_text() -> impl Strategy<Value = String> {
    "[a-z:\\\\ \\x00\\né\u{1f600}]{0,6}"
}

proptest! {
    #[test]
    fn text_comes_back(body in any_text(), pairs in prop::collection::btree_map("[b-d]{4,6}", "[a-z:é]{0,5}", 0..5)) {
        let mut head = BytesMut::from(convert::TEXT_LINE);
        for (name, value) in &pairs {
            put_header(&mut head, name, &[value]);
        }
        let message = from(STOMP, &head, body.as_bytes());
        let stored = stored(message.clone());
        prop_assert_eq!(read_head(&stored.head).unwrap().marshalled_properties, message.marshalled_properties);
        prop_assert_eq!(body_text(&stored), body);
        let lines = to_stomp(&stored);
        let lines = lines.strip_prefix("JMSMessageID:ID\\cwharfmq-5000\n").unwrap();
        prop_assert_eq!(lines.as_bytes(), &head[convert::TEXT_LINE.len()..]);
    }

    #[test]
    fn maps_come_back_in_both_forms(pairs in prop::collection::btree_map("[a-z]{1,3}", (any_text(), any::<i32>()), 0..5)) {
        let mut writer = MapWriter::default();
        for (name, (text, number)) in &pairs {
            writer.put_text(name, text);
            writer.put(&format!("{name}1"), &Value::Int(*number));
        }
        let content = writer.finish();
        let jms = jms(MessageKind::Map, content.clone());
        let expected = body::map(&content).unwrap().unwrap();
        for form in [MapForm::Plain, MapForm::Entries] {
            let json = body_of(&jms.head, &jms.content, form, MOST).unwrap();
            let read = parse::map(&json).unwrap();
            let read = body::map(&read).unwrap().unwrap();
            for entry in expected {
                let entry = entry.unwrap();
                prop_assert_eq!(read.get(&entry.key.decode().unwrap()), Ok(Some(entry.value)));
            }
            prop_assert_eq!(read.len(), expected.len());
        }
    }

    #[test]
    fn anything_is_survived(head: Vec<u8>, body: Vec<u8>, code in 23u8..30, tag in 0u8..6) {
        let content = Bytes::from(body);
        let jms = Jms { head: [&[code], &*head].concat().into(), content: content.clone() };
        let _ = body_of(&jms.head, &jms.content, MapForm::Entries, MOST);
        let kind = MessageKind::of(code).unwrap();
        let compressed = code % 2 == 0;
        let stored = stored(Message { kind, compressed, content: Some(content.clone()), ..Message::default() });
        let _ = body_of(&stored.head, &stored.content, MapForm::Plain, MOST);
        to_stomp(&jms);
        for name in ["a", "JMSType", "JMSXUserID", "JMSMessageID"] {
            let _ = convert::header(OPENWIRE, &jms.head, name);
        }
        from(HeadTag(tag), &head, &content);
    }
}

#[test]
fn text_of_java_is_kept_as_it_came() {
    let half = RawText(b"a\xed\xa0\xbd");
    let properties = Some(map(&[("p", Value::Text(half))]));
    let jms_type = Some(Text::from_wire(Bytes::from_static(b"\xed\xa0\xbd")));
    let jms = stored(Message { marshalled_properties: properties, jms_type, ..Message::default() });
    assert_eq!(to_stomp(&jms), "type:\u{fffd}\np:a\u{fffd}\n");
}
