//! The committed inputs of the fuzz targets, replayed through the targets themselves.

use std::fs;
use std::path::Path;

#[path = "../../tests/fuzz/src/lib.rs"]
mod targets;

fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut inputs = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let data = fs::read(&path).unwrap();
        if let Err(panic) = std::panic::catch_unwind(|| target(&data)) {
            eprintln!("input {}", path.display());
            std::panic::resume_unwind(panic);
        }
        inputs += 1;
    }
    assert!(inputs > 0, "nothing in {}", folder.display());
}

#[test]
fn packets() {
    replay("mqtt_decode", targets::decode);
}

#[test]
fn first_packets() {
    replay("mqtt_connect", targets::connect);
}

#[test]
fn names_and_filters() {
    replay("mqtt_topic", targets::topic);
}

#[test]
fn sessions() {
    replay("mqtt_session", targets::session);
}

#[test]
fn openwire_frames() {
    replay("openwire_decode", targets::openwire_decode);
}

#[test]
fn openwire_sessions() {
    replay("openwire_session", targets::openwire_session);
}
