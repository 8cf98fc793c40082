//! What the broker is told of its process, to say of itself below `$SYS`.

use crate::broker::{Broker, System};
use crate::config::Settings;

/// As Mosquitto's value, which begins with the name of the program.
const VERSION: &str = concat!("wharfmq version ", env!("CARGO_PKG_VERSION"));

/// Has the broker publish its statistics, unless the settings turn them off.
pub(super) fn publish(broker: &Broker, settings: &Settings) {
    broker.publish_statistics(System { interval: settings.mqtt.sys_interval, version: VERSION, memory });
}

/// Bytes that the process has in memory, and the most it ever had; 0 where the system does not tell.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    (kilobytes(&status, "VmRSS:") * 1_024, kilobytes(&status, "VmHWM:") * 1_024)
}

fn kilobytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_lines_of_the_system() {
        let status = "Name:\tx\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n";
        assert_eq!((kilobytes(status, "VmRSS:"), kilobytes(status, "VmHWM:")), (10_240, 20_480));
        assert_eq!(kilobytes("VmRSS:\tmany kB\n", "VmRSS:"), 0);
        assert_eq!(kilobytes("", "VmRSS:"), 0);
    }
}
