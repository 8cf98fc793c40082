//! Who may import whom. Cargo keeps crates apart; modules of the root crate are kept apart here.

use super::source::{Source, assert_clean, place, sources};

/// A part of the tree, and what it may name.
struct Layer {
    folder: &'static str,
    /// Of ours: crates and modules of the root.
    ours: &'static [&'static str],
    /// Of others, among those that are only for some: see [`SPECIAL`].
    special: &'static [&'static str],
    instead: &'static str,
}

/// Crates that not everybody may use.
const SPECIAL: &[&str] = &[
    "tokio",
    "tokio_util",
    "tokio_rustls",
    "tokio_tungstenite",
    "rustls",
    "clap",
    "socket2",
    "rustix",
    "mio",
];

const LAYERS: &[Layer] = &[
    Layer {
        folder: "protocols/mqtt/src",
        ours: &["wharfmq_mqtt"],
        special: &[],
        instead: "a codec knows bytes only: what it needs comes in as an argument",
    },
    Layer {
        folder: "protocols/openwire/src",
        ours: &["wharfmq_openwire"],
        special: &[],
        instead: "a codec knows bytes only: what it needs comes in as an argument",
    },
    Layer {
        folder: "protocols/stomp/src",
        ours: &["wharfmq_stomp"],
        special: &[],
        instead: "a codec knows bytes only: what it needs comes in as an argument",
    },
    Layer {
        folder: "src/base",
        ours: &["wharfmq_base"],
        special: &[],
        instead: "base stands on nothing of ours",
    },
    Layer {
        folder: "src/core",
        ours: &["wharfmq_core", "wharfmq_base"],
        special: &[],
        instead: "the core has no runtime, no sockets and no clock: `now` comes in, effects go out",
    },
    Layer {
        folder: "src/store",
        ours: &["wharfmq_store", "wharfmq_base"],
        special: &["rustix"],
        instead: "the store knows records as bytes: what they mean is the core's affair",
    },
    Layer {
        folder: "src/broker",
        ours: &["crate::broker", "crate::security", "wharfmq_core", "wharfmq_store", "wharfmq_base"],
        special: &[],
        instead: "the broker offers `Port`; adapters and sockets come to it",
    },
    Layer {
        folder: "src/adapters",
        ours: &[
            "crate::adapters",
            "crate::broker",
            "crate::security",
            "wharfmq_core",
            "wharfmq_base",
            "wharfmq_mqtt",
            "wharfmq_openwire",
            "wharfmq_stomp",
        ],
        special: &[],
        instead: "an adapter is synchronous and does everything through `broker::Port`",
    },
    Layer {
        folder: "src/net",
        ours: &[
            "crate::net",
            "crate::adapters",
            "crate::broker",
            "crate::runtime",
            "crate::security",
            "wharfmq_core",
            "wharfmq_base",
        ],
        special: SPECIAL,
        instead: "the driver knows sessions by their trait only; configuration comes in as its own types",
    },
    Layer {
        folder: "src/security",
        ours: &["crate::security", "wharfmq_base"],
        special: &[],
        instead: "security knows names and passwords: whoever asks brings them along",
    },
    Layer {
        folder: "src/runtime",
        ours: &["crate::runtime", "wharfmq_core", "wharfmq_base"],
        special: &["tokio", "tokio_util", "rustix"],
        instead: "the runtime's parts know nothing of what runs on them",
    },
    Layer {
        folder: "src/config",
        ours: &["crate::config", "wharfmq_base"],
        special: &["rustix"],
        instead: "configuration says what was written; `serve` turns it into what each part takes",
    },
];

/// What one file may name beyond its layer, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    // The clock makes the `Now` that ports take; the port itself it does not know.
    ("src/runtime/clock.rs", "crate::broker"),
];

#[test]
fn nobody_imports_what_lies_above() {
    let mut found = Vec::new();
    for source in sources() {
        for layer in LAYERS.iter().filter(|layer| source.is_in(layer.folder)) {
            for (line, name) in names(&source).filter(|(_, name)| !is_allowed(layer, name)) {
                if EXCEPTIONS.contains(&(&source.path, &name)) {
                    continue;
                }
                found.push(place(&source, line, &format!("`{name}`: {}", layer.instead)));
            }
        }
    }
    assert_clean(&found, "Imports against the order of the parts:");
}

#[test]
fn every_layer_is_there() {
    let sources = sources();
    for layer in LAYERS {
        assert!(sources.iter().any(|source| source.is_in(layer.folder)), "no file in {}", layer.folder);
    }
}

/// The crates and modules that a file names outside tests, with the line.
fn names(source: &Source) -> impl Iterator<Item = (usize, String)> + '_ {
    source.shipped.lines().enumerate().flat_map(|(number, line)| {
        let found: Vec<_> = paths(line).map(|name| (number, name)).collect();
        found
    })
}

/// `crate::x`, or the first part of any other path.
fn paths(line: &str) -> impl Iterator<Item = String> + '_ {
    line.match_indices("::").filter_map(move |(at, _)| {
        let start = line[..at].rfind(|c: char| !is_word(c)).map_or(0, |before| before + 1);
        let first = &line[start..at];
        if line[..start].ends_with("::") {
            return None;
        }
        let second: String = line[at + 2..].chars().take_while(|c| is_word(*c)).collect();
        Some(if first == "crate" { format!("crate::{second}") } else { first.to_owned() })
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_allowed(layer: &Layer, name: &str) -> bool {
    // Within a crate of its own, `crate::` is at home.
    let own_crate = !layer.ours.iter().any(|ours| ours.starts_with("crate::"));
    if name.starts_with("crate::") {
        return own_crate || layer.ours.contains(&name);
    }
    if name.starts_with("wharfmq_") {
        return layer.ours.contains(&name);
    }
    !SPECIAL.contains(&name) || layer.special.contains(&name)
}

#[test]
fn paths_are_found() {
    let found: Vec<String> = paths("use crate::net::Hub; tokio::spawn(a.b::<std::io::Error>())").collect();
    assert_eq!(found, ["crate::net", "tokio", "b", "std"]);
}
