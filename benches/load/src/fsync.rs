//! What a disk asks for a durable write: the floor under every confirmed message.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use serde::Serialize;

use crate::args::Fsync;
use crate::clock::Clock;
use crate::fault::{Doing, Result};
use crate::process::own_cpu_seconds;
use crate::report::{Latency, histogram, print_json};

#[derive(Debug, Serialize)]
struct Synced {
    mode: &'static str,
    bytes: usize,
    latency_us: Option<Latency>,
    /// Processor time of one synced write, most of it the kernel's.
    cpu_us: f64,
}

/// Overwrites a file in place, so that no block is allocated and no length changes while it is measured.
pub(crate) fn run(mode: &Fsync, json: bool) -> Result<()> {
    let path = mode.dir.join(format!("fsync-{}.tmp", std::process::id()));
    let doing = || format!("write {}", path.display());
    let file = OpenOptions::new().create_new(true).write(true).open(&path).doing(doing)?;
    let (count, block) = (mode.count.clamp(1, 100_000), vec![b'x'; mode.size.clamp(1, 1 << 20)]);
    let synced = || -> Result<_> {
        for at in 0..count {
            file.write_all_at(&block, (at * block.len()) as u64).doing(doing)?;
        }
        file.sync_all().doing(doing)?;
        let (clock, mut times, before) = (Clock::start(), histogram()?, own_cpu_seconds());
        for at in 0..count {
            let start = clock.now();
            file.write_all_at(&block, (at * block.len()) as u64).doing(doing)?;
            file.sync_data().doing(doing)?;
            times.saturating_record(clock.now() - start);
        }
        Ok((Latency::of(&times), (own_cpu_seconds() - before) * 1e6 / count as f64))
    };
    let done = synced();
    std::fs::remove_file(&path).doing(|| format!("remove {}", path.display()))?;
    let (latency_us, cpu_us) = done?;
    let report = Synced { mode: "fsync", bytes: block.len(), latency_us, cpu_us };
    match &report.latency_us {
        Some(Latency { p50, p99, max, .. }) if !json => {
            let bytes = report.bytes;
            println!(
                "fsync: {bytes} bytes p50 {p50:.0} p99 {p99:.0} max {max:.0} µs, {cpu_us:.0} µs of CPU each"
            );
        }
        _ => print_json(&report),
    }
    Ok(())
}
