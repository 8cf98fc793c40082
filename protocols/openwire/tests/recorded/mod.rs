//! The recorded sessions.
//!
//! A file of `captures/` has its version, encoding and cache in its name. Each line is a frame: the number
//! of the connection, the direction, and the bytes in hexadecimal digits.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use wharfmq_openwire::Format;

/// One frame: connection, direction, bytes.
pub(crate) type Line = (u32, String, Bytes);

pub(crate) struct Capture {
    pub(crate) name: String,
    pub(crate) stack_traces: bool,
    pub(crate) lines: Vec<Line>,
}

/// What was agreed on before the second frame of each direction.
pub(crate) fn format_of(capture: &Capture) -> Format {
    let parts: Vec<&str> = capture.name.split('-').collect();
    let [version, encoding, cache, _] = parts[..] else { panic!("{}", capture.name) };
    Format {
        version: version.trim_start_matches('v').parse().unwrap(),
        tight: encoding == "tight",
        stack_traces: capture.stack_traces,
        cache: if cache == "cache" { 1_024 } else { 0 },
    }
}

/// All captures, by name.
pub(crate) fn captures() -> Vec<Capture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 80, "{} captures", files.len());
    files.iter().map(|file| read(file)).collect()
}

fn read(file: &Path) -> Capture {
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let stack_traces = lines.next().unwrap() == "stack-traces true";
    let line = |line: &str| {
        let mut parts = line.split(' ');
        let connection = parts.next().unwrap().parse().unwrap();
        let direction = parts.next().unwrap().to_owned();
        (connection, direction, unhex(parts.next().unwrap()))
    };
    let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
    Capture { name, stack_traces, lines: lines.map(line).collect() }
}

fn unhex(digits: &str) -> Bytes {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { panic!("an odd number of digits") };
    pairs.iter().map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
