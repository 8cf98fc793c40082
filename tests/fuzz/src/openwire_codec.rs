//! OpenWire: reader and writer against each other.

use bytes::{Bytes, BytesMut};
use wharfmq_openwire::primitive::{Map, Reader};
use wharfmq_openwire::{
    Decoder, Encoder, Format, Message, Proposal, Structure, body, frame_len, negotiate, read_head, write_head,
};

const FRAME_MAX: usize = 1 << 20;
/// More than any of these inputs can hold, and less than a bomb.
const INFLATED_MAX: usize = 1 << 20;

/// What one side of a connection sends: a byte that chooses the format, then frames. What can be read is
/// written again, and must then say the same.
pub fn openwire_decode(data: &[u8]) {
    let Some((&how, frames)) = data.split_first() else { return };
    let format = format_of(how);
    let mut input = Decoder::new(format);
    let (mut encoder, mut decoder) = (Encoder::new(format), Decoder::new(format));
    let mut rest = Bytes::copy_from_slice(frames);
    while let Some(frame) = next(&mut rest) {
        let Ok(read) = input.decode(&frame) else { return };
        assert_eq!(again(&read, &mut encoder, &mut decoder), read);
        in_other_formats(&read, format);
        look_into(&read);
    }
}

/// The versions in turn, in every encoding, with and without a cache.
fn format_of(how: u8) -> Format {
    Format {
        version: how % 12 + 1,
        tight: how & 0x80 != 0,
        stack_traces: how & 0x40 != 0,
        cache: if how & 0x20 != 0 { 1_024 } else { 0 },
    }
}

/// The body of the next frame: as long as it says, or what there is.
fn next(rest: &mut Bytes) -> Option<Bytes> {
    let len = frame_len(rest, FRAME_MAX).ok()??;
    let frame = rest.split_to(len.min(rest.len()));
    (frame.len() > 4).then(|| frame.slice(4..))
}

fn again(read: &Structure, encoder: &mut Encoder, decoder: &mut Decoder) -> Structure {
    let mut out = BytesMut::new();
    encoder.encode(read, &mut out);
    assert_eq!(frame_len(&out, usize::MAX), Ok(Some(out.len())));
    decoder.decode(&out.freeze().slice(4..)).expect("what was written can be read")
}

/// What another version does not have is lost once, and nothing after that.
fn in_other_formats(read: &Structure, format: Format) {
    for other in [
        Format { tight: !format.tight, ..format },
        Format { version: 1, ..format },
        Format { version: 12, stack_traces: true, cache: 0, ..format },
    ] {
        let fresh = |read: &Structure| again(read, &mut Encoder::new(other), &mut Decoder::new(other));
        let once = fresh(read);
        assert_eq!(fresh(&once), once);
    }
}

/// What the broker looks at.
fn look_into(read: &Structure) {
    match read {
        Structure::WireFormatInfo(info) => {
            let Ok(theirs) = Proposal::read(info) else { return };
            let ours =
                Proposal { version: 12, tight: true, cache: true, cache_size: 1_024, ..Proposal::default() };
            let format = negotiate(&ours, &theirs);
            assert!((1..=12).contains(&format.version) && format.cache <= 1_024);
            assert_eq!(format, negotiate(&theirs, &ours));
            assert!(Proposal::read(&theirs.write()).is_ok());
        }
        Structure::Message(message) => look_into_message(message),
        Structure::MessageDispatch(dispatch) => {
            if let Some(message) = &dispatch.message {
                look_into_message(message);
            }
        }
        _ => {}
    }
}

fn look_into_message(message: &Message) {
    let mut head = BytesMut::new();
    write_head(message, &mut head);
    let known = read_head(&head.freeze()).expect("a head that was written can be read");
    assert_eq!(
        (known.kind, &known.message_id, &known.content),
        (message.kind, &message.message_id, &message.content)
    );
    if let Some(Ok(Some(map))) = message.marshalled_properties.as_deref().map(Map::read) {
        map.iter()
            .flatten()
            .for_each(|entry| assert_eq!(map.get("x").is_ok(), map.iter().all(|e| e.is_ok()), "{entry:?}"));
    }
    let Some(content) = &message.content else { return };
    let _ = body::text(content);
    let _ = body::map(content).map(|map| map.map(|map| map.iter().count()));
    let mut values: Reader<'_> = body::stream(content);
    while !values.is_empty() && values.value().is_ok() {}
    if let Ok(inflated) = body::inflated(message.kind, content, INFLATED_MAX) {
        assert!(inflated.len() <= INFLATED_MAX);
    }
}
