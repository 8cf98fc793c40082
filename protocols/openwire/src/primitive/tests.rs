#![allow(clippy::indexing_slicing)]

use bytes::{BufMut, BytesMut};
use proptest::prelude::*;

use super::*;

/// The properties of a message of the reference implementation, in all versions.
const PROPERTIES: &[u8] = b"\0\0\0\x0a\
    \0\x04pNul\x09\0\x04a\xc0\x80b\
    \0\x05pByte\x02\xf9\
    \0\x05pLong\x06\0\0\x01\0\0\0\0\0\
    \0\x05pBool\x01\x01\
    \0\x04pStr\x09\0\x11h\xc3\xa9llo \xe2\x82\xac \xed\xa0\xbd\xed\xb8\x80\
    \0\x06pFloat\x08\x3f\xc0\0\0\
    \0\x07pDouble\x07\xc0\x02\0\0\0\0\0\0\
    \0\x05pNull\0\
    \0\x04pInt\x05\xff\xfe\xee\x90\
    \0\x06pShort\x04\x0b\xb8";

/// Properties with a list, a character and a map.
const NESTED: &[u8] = b"\0\0\0\x03\
    \0\x04list\x0c\0\0\0\x02\x01\x01\x07\x3f\xf8\0\0\0\0\0\0\
    \0\x03chr\x09\0\x01c\
    \0\x03map\x0b\0\0\0\x02\
        \0\x01l\x0c\0\0\0\x03\x09\0\x01x\x06\0\0\0\0\0\0\0\x02\0\
        \0\x01n\x05\0\0\0\x05";

fn text(text: &'static str) -> Value<'static> {
    Value::Text(RawText(text.as_bytes()))
}

#[test]
fn golden_properties() {
    let map = Map::read(PROPERTIES).unwrap().unwrap();
    assert_eq!((map.len(), map.is_empty()), (10, false));
    for (name, value) in [
        ("pNul", Value::Text(RawText(b"a\xc0\x80b"))),
        ("pByte", Value::Byte(-7)),
        ("pLong", Value::Long(1 << 40)),
        ("pBool", Value::Bool(true)),
        ("pStr", Value::Text(RawText(b"h\xc3\xa9llo \xe2\x82\xac \xed\xa0\xbd\xed\xb8\x80"))),
        ("pFloat", Value::Float(1.5)),
        ("pDouble", Value::Double(-2.25)),
        ("pNull", Value::Null),
        ("pInt", Value::Int(-70_000)),
        ("pShort", Value::Short(3_000)),
    ] {
        assert_eq!(map.get(name), Ok(Some(value)), "{name}");
    }
    assert_eq!(map.get("pOther"), Ok(None));
    let mut writer = MapWriter::default();
    for entry in map {
        let entry = entry.unwrap();
        assert!(writer.put(&entry.key.decode().unwrap(), &entry.value));
    }
    assert_eq!(writer.finish(), PROPERTIES);
}

#[test]
fn nested_values_are_passed_over_and_copied() {
    let map = Map::read(NESTED).unwrap().unwrap();
    let entries: Vec<_> = map.iter().map(Result::unwrap).collect();
    assert_eq!(
        entries.iter().map(|entry| entry.value).collect::<Vec<_>>(),
        [Value::List(2), text("c"), Value::Map(2)]
    );
    let mut inner = entries[0].inner;
    assert_eq!(inner.value(), Ok(Value::Bool(true)));
    assert_eq!(inner.value(), Ok(Value::Double(1.5)));
    let mut inner = entries[2].inner;
    assert!(inner.key().unwrap().is("l"));
    assert_eq!(inner.value(), Ok(Value::List(3)));
    assert_eq!(inner.skip(&Value::List(3)), Ok(()));
    assert!(inner.key().unwrap().is("n"));
    assert_eq!((inner.value(), inner.is_empty()), (Ok(Value::Int(5)), true));

    let mut writer = MapWriter::default();
    entries.iter().for_each(|entry| writer.copy(entry));
    assert_eq!(writer.finish(), NESTED);
}

#[test]
fn maps_that_hold_nothing() {
    assert_eq!(Map::read(b""), Ok(None));
    assert_eq!(Map::read(b"\xff\xff\xff\xff"), Ok(None));
    let empty = Map::read(b"\0\0\0\0").unwrap().unwrap();
    assert!(empty.is_empty() && empty.iter().next().is_none());
    assert_eq!(MapWriter::default().finish().as_ref(), b"\0\0\0\0");
}

#[test]
fn of_a_repeated_name_the_last_counts() {
    let mut writer = MapWriter::default();
    assert!(writer.put("a", &Value::Int(1)) && writer.put_text("é", "x") && writer.put("a", &Value::Int(2)));
    let bytes = writer.finish();
    let map = Map::read(&bytes).unwrap().unwrap();
    assert_eq!(map.get("a"), Ok(Some(Value::Int(2))));
    assert_eq!(map.get("é"), Ok(Some(text("x"))));
}

#[test]
fn names_of_any_sign_are_found() {
    let name = "\0\u{1f600}";
    let mut writer = MapWriter::default();
    assert!(writer.put(name, &Value::Bool(true)));
    let bytes = writer.finish();
    assert_eq!(Map::read(&bytes).unwrap().unwrap().get(name), Ok(Some(Value::Bool(true))));
    let plain = b"\0\0\0\x01\0\x04\xf0\x9f\x98\x80\0";
    assert_eq!(Map::read(plain).unwrap().unwrap().get("\u{1f600}"), Ok(Some(Value::Null)));
}

#[test]
fn text_is_long_by_its_units() {
    for (text, code) in [
        ("A".repeat(8_190), 9),
        ("A".repeat(8_191), 13),
        ("€".repeat(8_190), 9),
        ("\u{1f600}".repeat(4_095), 9),
        ("\u{1f600}".repeat(4_096), 13),
    ] {
        let mut out = BytesMut::new();
        write_value(&Value::Text(RawText(&mutf8::encode(&text))), &mut out);
        assert_eq!(out[0], code);
        let mut reader = Reader::new(&out);
        let Ok(Value::Text(read)) = reader.value() else { panic!("no text") };
        assert_eq!(read.decode().unwrap(), text);
        assert!(reader.is_empty());
    }
    // Either is read at any length.
    assert_eq!(Reader::new(b"\x0d\0\0\0\x01x").value(), Ok(text("x")));
    assert_eq!(Reader::new(b"\x0d\xff\xff\xff\xff").value(), Ok(Value::Null));
}

#[test]
fn a_key_has_a_bound() {
    let mut writer = MapWriter::default();
    assert!(!writer.put_text(&"k".repeat(65_536), "v") && writer.is_empty());
    assert!(!writer.put_text(&"\0".repeat(32_768), "v") && writer.is_empty());
    assert!(writer.put_text(&"k".repeat(65_535), "v"));
    assert!(!writer.put("m", &Value::Map(1)) && !writer.put("l", &Value::List(1)));
    assert!(writer.put("m", &Value::Map(0)));
    let size = writer.size();
    assert_eq!(writer.finish().len(), size);
}

#[test]
fn counts_and_lengths_are_not_believed() {
    use Malformed::{Count, Negative, Truncated, Type};
    for (bytes, error) in [
        (&b""[..], Truncated),
        (b"\x0e", Type(14)),
        (b"\xff", Type(255)),
        (b"\x05\0\0\0", Truncated),
        (b"\x09\xff\xffx", Truncated),
        (b"\x0a\x7f\xff\xff\xff", Truncated),
        (b"\x0a\xff\xff\xff\xff", Negative),
        (b"\x0a\x80\0\0\0", Negative),
        (b"\x0d\x7f\xff\xff\xff", Truncated),
        (b"\x0d\x80\0\0\0", Negative),
        (b"\x0c\x7f\xff\xff\xff\0\0\0", Count),
        (b"\x0c\xff\xff\xff\xff", Negative),
        (b"\x0b\x7f\xff\xff\xff\0\0\0", Count),
        (b"\x0b\0\0\0\x02\0\0\0\0\0", Count),
        (b"\x0b\x80\0\0\0", Negative),
    ] {
        assert_eq!(Reader::new(bytes).value(), Err(error), "{bytes:x?}");
    }
    assert_eq!(Reader::new(b"\x0b\xff\xff\xff\xff").value(), Ok(Value::Null));
    for bytes in [&b"\x7f\xff\xff\xff\0\x01a\0"[..], b"\0\0\0\x02\0\x01a\0"] {
        assert_eq!(Map::read(bytes), Err(Count), "{bytes:x?}");
    }
    assert_eq!(Map::read(b"\x80\0\0\0"), Err(Negative));
    assert_eq!(Map::read(b"\0\0"), Err(Truncated));
    assert!(Map::read(b"\0\0\0\x01\0\x09a\0\0\0").unwrap().unwrap().get("a").is_err());
}

/// A list in a list and so on, `depth` of them.
fn nested(depth: usize, code: &[u8]) -> Vec<u8> {
    [code.repeat(depth), vec![0]].concat()
}

#[test]
fn nesting_has_a_bound() {
    for code in [&b"\x0c\0\0\0\x01"[..], b"\x0b\0\0\0\x01\0\0"] {
        for (depth, expected) in [
            (1, Ok(())),
            (DEPTH_MAX, Ok(())),
            (DEPTH_MAX + 1, Err(Malformed::Depth)),
            (1 << 20, Err(Malformed::Depth)),
        ] {
            let bytes = nested(depth, code);
            let mut reader = Reader::new(&bytes);
            let value = reader.value().unwrap();
            assert_eq!(reader.skip(&value), expected, "{depth}");
        }
    }
}

#[test]
fn many_levels_side_by_side_are_no_depth() {
    let inner = nested(DEPTH_MAX - 1, b"\x0c\0\0\0\x01");
    let mut bytes = b"\x0c\0\0\0\x64".to_vec();
    (0..100).for_each(|_| bytes.extend(&inner));
    let mut reader = Reader::new(&bytes);
    let value = reader.value().unwrap();
    assert_eq!(reader.skip(&value), Ok(()));
    assert!(reader.is_empty());
}

#[test]
fn every_truncation_is_an_error_and_no_more_than_that() {
    for whole in [PROPERTIES, NESTED] {
        for len in 1..whole.len() {
            let read = Map::read(&whole[..len]);
            let failed = match read {
                Ok(Some(map)) => map.iter().any(|entry| entry.is_err()) && map.get("none").is_err(),
                other => other.is_err(),
            };
            assert!(failed, "{len}");
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Tree {
    Leaf(u8, Vec<u8>),
    Map(Vec<(String, Self)>),
    List(Vec<Self>),
}

impl Tree {
    fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Leaf(code, bytes) => {
                out.put_u8(*code);
                out.put_slice(bytes);
            }
            Self::Map(entries) => {
                write_value(&Value::Map(entries.len() as u32), out);
                for (key, value) in entries {
                    assert!(write_key(key, out));
                    value.write(out);
                }
            }
            Self::List(values) => {
                write_value(&Value::List(values.len() as u32), out);
                values.iter().for_each(|value| value.write(out));
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let start = reader.rest();
        Ok(match reader.value()? {
            Value::Map(count) => Self::Map(
                (0..count)
                    .map(|_| Ok((reader.key()?.decode()?.into_owned(), Self::read(reader)?)))
                    .collect::<Result<_, _>>()?,
            ),
            Value::List(count) => {
                Self::List((0..count).map(|_| Self::read(reader)).collect::<Result<_, _>>()?)
            }
            value => {
                let used = &start[..start.len() - reader.rest().len()];
                let mut again = BytesMut::new();
                write_value(&value, &mut again);
                assert_eq!(again, used);
                Self::Leaf(used[0], used[1..].to_vec())
            }
        })
    }
}

fn leaf() -> impl Strategy<Value = Tree> {
    let sized = |code: u8, size| {
        prop::collection::vec(any::<u8>(), size).prop_map(move |bytes| Tree::Leaf(code, bytes))
    };
    prop_oneof![
        Just(Tree::Leaf(0, Vec::new())),
        (0u8..2).prop_map(|truth| Tree::Leaf(1, vec![truth])),
        sized(2, 1),
        sized(3, 2),
        sized(4, 2),
        sized(5, 4),
        sized(6, 8),
        sized(8, 4).prop_filter("NaN", |leaf| !matches!(leaf, Tree::Leaf(_, bytes)
            if f32::from_be_bytes(bytes[..].try_into().unwrap()).is_nan())),
        "[a-z\\x00é\u{1f600}]{0,9}".prop_map(|text| {
            let text = mutf8::encode(&text);
            Tree::Leaf(9, [&(text.len() as u16).to_be_bytes(), &*text].concat())
        }),
        prop::collection::vec(any::<u8>(), 0..9)
            .prop_map(|bytes| Tree::Leaf(10, [&(bytes.len() as u32).to_be_bytes(), &*bytes].concat())),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    leaf().prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(("[a-z\\x00é\u{1f600}]{0,4}", inner.clone()), 0..6).prop_map(Tree::Map),
            prop::collection::vec(inner, 0..6).prop_map(Tree::List),
        ]
    })
}

proptest! {
    #[test]
    fn values_come_back(tree in tree()) {
        let mut out = BytesMut::new();
        tree.write(&mut out);
        let mut reader = Reader::new(&out);
        prop_assert_eq!(Tree::read(&mut reader).unwrap(), tree);
        prop_assert!(reader.is_empty());
        let mut reader = Reader::new(&out);
        let value = reader.value().unwrap();
        reader.skip(&value).unwrap();
        prop_assert!(reader.is_empty());
        for len in 0..out.len() {
            let mut reader = Reader::new(&out[..len]);
            let read = reader.value().and_then(|value| reader.skip(&value));
            prop_assert!(read.is_err());
        }
    }

    #[test]
    fn anything_is_survived(bytes: Vec<u8>, name in "[a-c]{0,2}") {
        let mut reader = Reader::new(&bytes);
        while let Ok(value) = reader.value() {
            if reader.skip(&value).is_err() {
                break;
            }
        }
        if let Ok(Some(map)) = Map::read(&bytes) {
            let _ = map.get(&name);
            prop_assert!(map.iter().count() <= map.len());
        }
    }

    #[test]
    fn a_changed_byte_is_survived(at in 0..NESTED.len(), byte: u8) {
        let mut bytes = NESTED.to_vec();
        bytes[at] = byte;
        if let Ok(Some(map)) = Map::read(&bytes) {
            map.iter().for_each(drop);
        }
    }
}
