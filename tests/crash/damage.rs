//! Files that a crash tore or something else damaged.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::support::broker::files;
use crate::support::{Setup, Stomp};

const MESSAGES: usize = 50;

/// A data directory with that many messages, left behind by a crash; its only segment, and where the
/// written part of it ends.
fn crashed() -> (Setup, PathBuf, u64) {
    let broker = Setup::new().start();
    let mut client = Stomp::connect(broker.stomp());
    for n in 0..MESSAGES {
        client.send("/queue/a", format!("{n:0>500}"));
    }
    let setup = broker.kill();
    let segments = files(&setup.data_dir(), ".segment");
    let [segment] = &segments[..] else { panic!("{segments:?}") };
    let content = fs::read(segment).unwrap();
    let end = content.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    assert!(end > MESSAGES * 500, "{end}");
    (setup, segment.clone(), end as u64)
}

/// Starts and takes all messages, which must be the first so many.
#[track_caller]
fn assert_holds(setup: Setup, messages: usize) -> String {
    let broker = setup.start();
    let mut client = Stomp::connect(broker.stomp());
    client.subscribe("0", "/queue/a", "client-individual");
    for n in 0..messages {
        assert_eq!(client.take().text(), format!("{n:0>500}"));
    }
    client.nothing();
    client.send("/queue/a", "and it goes on");
    assert_eq!(client.take().text(), "and it goes on");
    let log = broker.log();
    broker.stop();
    log
}

fn overwrite(file: &Path, at: u64, bytes: &[u8]) {
    OpenOptions::new().write(true).open(file).unwrap().write_all_at(bytes, at).unwrap();
}

#[test]
fn an_untouched_log_is_whole() {
    let (setup, ..) = crashed();
    let log = assert_holds(setup, MESSAGES);
    assert!(!log.contains("cut off"), "{log}");
}

#[test]
fn a_torn_tail_is_cut_and_kept() {
    let (setup, segment, end) = crashed();
    OpenOptions::new().write(true).open(&segment).unwrap().set_len(end - 100).unwrap();
    let log = assert_holds(setup.clone(), MESSAGES - 1);
    assert!(log.contains("cut off") && log.contains(".cut"), "{log}");
    assert_eq!(files(&setup.data_dir(), ".cut").len(), 1);
}

#[test]
fn a_garbled_tail_is_cut_and_kept() {
    let (setup, segment, end) = crashed();
    overwrite(&segment, end - 60, &[0xA5; 30]);
    let log = assert_holds(setup.clone(), MESSAGES - 1);
    assert!(log.contains("cut off") && log.contains(".cut"), "{log}");
}

#[test]
fn garbage_after_the_tail_is_cut_and_kept() {
    let (setup, segment, end) = crashed();
    overwrite(&segment, end.next_multiple_of(8) + 64, &[0xA5; 3_000]);
    assert_holds(setup, MESSAGES);
}

#[test]
fn damage_in_the_middle_stops_the_start() {
    let (setup, segment, end) = crashed();
    overwrite(&segment, end / 2, &[0xA5; 4]);
    let before = fs::read(&segment).unwrap();
    let (code, log) = setup.refuses_to_start();
    assert_eq!(code, Some(1), "{log}");
    let name = segment.file_name().unwrap().to_str().unwrap();
    assert!(log.contains(name) && log.contains("damaged"), "{log}");
    // What may have to be restored is left as it was found.
    assert!(fs::read(&segment).unwrap() == before);
}

#[test]
fn a_damaged_head_stops_the_start() {
    let (setup, segment, _) = crashed();
    overwrite(&segment, 0, &[0xA5; 4096]);
    let (code, log) = setup.refuses_to_start();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains(segment.file_name().unwrap().to_str().unwrap()), "{log}");
}
