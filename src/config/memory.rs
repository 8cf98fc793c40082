//! How much memory the process may use.

use std::fs;
use std::path::Path;

use wharfmq_base::ByteSize;

/// What is taken where neither a limit nor the machine's size can be read.
const FALLBACK: ByteSize = ByteSize(1 << 30);

/// The limit of the process's cgroup, or the memory of the machine where that is less or no limit is set.
pub(super) fn available() -> ByteSize {
    let read = |path: &Path| fs::read_to_string(path).ok();
    smallest(&read).unwrap_or(FALLBACK)
}

fn smallest(read: &dyn Fn(&Path) -> Option<String>) -> Option<ByteSize> {
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| total(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().flat_map(|line| limits_of(line, read));
    limits.chain(machine).min().map(ByteSize)
}

/// `MemTotal` of /proc/meminfo, which counts in KiB.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The limits along the path of one line of /proc/self/cgroup, `ID:CONTROLLERS:PATH`: each ancestor's binds.
fn limits_of(line: &str, read: &dyn Fn(&Path) -> Option<String>) -> Vec<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (root, file) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.max"),
        _ if controllers.split(',').any(|one| one == "memory") => {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    // A line break or `..` cannot stand in a path that the kernel wrote for a group it lets us see into.
    let below = Path::new(path.trim_start_matches('/'));
    // `max` does not parse and so is no limit.
    below
        .ancestors()
        .filter_map(|at| read(&Path::new(root).join(at).join(file))?.trim().parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: &[(&str, &str)]) -> Option<ByteSize> {
        let files: Vec<_> = files.iter().map(|(path, text)| (Path::new(*path).to_owned(), *text)).collect();
        smallest(&|path| files.iter().find(|(name, _)| name == path).map(|(_, text)| (*text).to_owned()))
    }

    const MACHINE: (&str, &str) = ("/proc/meminfo", "MemFree: 1 kB\nMemTotal:       2048 kB\n");

    #[test]
    fn the_machine_without_a_limit() {
        assert_eq!(with(&[MACHINE]), Some(ByteSize(2 << 20)));
        let unlimited = ("/sys/fs/cgroup/a/memory.max", "max\n");
        assert_eq!(with(&[MACHINE, ("/proc/self/cgroup", "0::/a\n"), unlimited]), Some(ByteSize(2 << 20)));
        assert_eq!(with(&[]), None);
    }

    #[test]
    fn the_tightest_group_binds() {
        let group = ("/proc/self/cgroup", "0::/a/b\n");
        let outer = ("/sys/fs/cgroup/a/memory.max", "1000\n");
        let inner = ("/sys/fs/cgroup/a/b/memory.max", "5000\n");
        assert_eq!(with(&[MACHINE, group, outer, inner]), Some(ByteSize(1000)));
        let old = ("/proc/self/cgroup", "4:cpu:/x\n7:memory:/docker/1\n");
        let limit = ("/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "4096");
        assert_eq!(with(&[MACHINE, old, limit]), Some(ByteSize(4096)));
    }

    #[test]
    fn here() {
        assert!(available().0 > 1 << 20);
    }
}
