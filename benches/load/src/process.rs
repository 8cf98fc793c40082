//! What a broker's processes cost, read from `/proc`.

use std::collections::HashSet;
use std::fs;

/// The processes that make up a broker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe {
    pids: Vec<u32>,
    children: bool,
}

impl Probe {
    /// `children`: counts all descendants too.
    pub(crate) fn new(pids: &[u32], children: bool) -> Self {
        Self { pids: pids.to_vec(), children }
    }

    /// User and system time of all threads so far, in seconds; `None` if there is no process to ask.
    pub(crate) fn cpu_seconds(&self) -> Option<f64> {
        let ticks: Vec<u64> = self.all().iter().filter_map(|&pid| Some(Stat::of(pid)?.ticks)).collect();
        (!ticks.is_empty())
            .then(|| ticks.iter().sum::<u64>() as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Resident memory in KiB; `None` if there is no process to ask.
    pub(crate) fn rss_kib(&self) -> Option<u64> {
        let sizes: Vec<u64> = self.all().iter().filter_map(|&pid| rss_kib(pid)).collect();
        (!sizes.is_empty()).then(|| sizes.iter().sum())
    }

    fn all(&self) -> Vec<u32> {
        let mut found = self.pids.clone();
        if !self.children {
            return found;
        }
        let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(|pid| Some((pid, Stat::of(pid)?.parent)))
            .collect();
        let mut known: HashSet<u32> = found.iter().copied().collect();
        let mut at = 0;
        while let Some(&parent) = found.get(at) {
            at += 1;
            let next = parents.iter().filter(|(pid, of)| *of == parent && known.insert(*pid));
            found.extend(next.map(|(pid, _)| pid));
        }
        found
    }
}

/// Seconds of processor time this program has taken.
pub(crate) fn own_cpu_seconds() -> f64 {
    let taken = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    taken.tv_sec as f64 + taken.tv_nsec as f64 / 1e9
}

struct Stat {
    parent: u32,
    ticks: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// proc(5): the name is in parentheses and may hold anything; after it come state, ppid, and as 12th and
    /// 13th utime and stime.
    fn parse(stat: &str) -> Option<Self> {
        let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self { parent: u32::try_from(number(1)?).ok()?, ticks: number(11)? + number(12)? })
    }
}

fn rss_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_is_skipped() {
        let stat = Stat::parse("7 (a) b) S 3 7 7 0 -1 4 114 0 0 0 50 25 0 0 20 0 1 0 1 2 3");
        assert_eq!(stat.map(|stat| (stat.parent, stat.ticks)), Some((3, 75)));
    }

    #[test]
    fn sees_itself() {
        let probe = Probe::new(&[std::process::id()], true);
        assert!(probe.cpu_seconds().is_some() && probe.rss_kib() > Some(100));
        assert!(Probe::new(&[], true).rss_kib().is_none());
    }
}
