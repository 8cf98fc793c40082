//! What a run found, as one line for people or one JSON object.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Latencies in microseconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) samples: u64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

impl Latency {
    /// From a histogram of nanoseconds; `None` if it is empty.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let at = |quantile| micros(histogram.value_at_quantile(quantile));
        (!histogram.is_empty()).then(|| Self {
            samples: histogram.len(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: micros(histogram.max()),
        })
    }
}

/// The account of one run. Rates are of the measured window; what was lost is counted over the whole run.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) mode: String,
    /// Messages that `rate` counts: confirmed ones for a queue, deliveries otherwise.
    pub(crate) messages: u64,
    pub(crate) seconds: f64,
    pub(crate) rate: f64,
    pub(crate) confirmed_rate: f64,
    pub(crate) delivered_rate: f64,
    /// User and system time of all threads of the broker, until the last message was through.
    pub(crate) cpu_us_per_message: Option<f64>,
    /// Processors that the broker kept busy in the measured window.
    pub(crate) broker_cores: Option<f64>,
    pub(crate) load_cpu_us_per_message: f64,
    pub(crate) rss_kib: Option<u64>,
    /// From sending to arrival; in an open loop from when the message was due.
    pub(crate) latency_us: Option<Latency>,
    /// From sending to the acknowledgement or receipt.
    pub(crate) ack_latency_us: Option<Latency>,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) reordered: u64,
    /// Messages that are not of this run, not of their length, or not meant for their receiver.
    pub(crate) foreign: u64,
    pub(crate) unconfirmed: u64,
    /// Acknowledgements of what was not outstanding.
    pub(crate) bad_acks: u64,
}

impl Report {
    pub(crate) fn print(&self, json: bool) {
        if json {
            print_json(self);
        } else {
            println!("{}", self.line());
        }
    }

    fn line(&self) -> String {
        let mut line = format!(
            "{}: {:.0} messages/s ({} in {:.2} s)",
            self.mode, self.rate, self.messages, self.seconds
        );
        if let (Some(cpu), Some(cores)) = (self.cpu_us_per_message, self.broker_cores) {
            line += &format!(", broker {cpu:.2} µs of CPU each ({cores:.2} cores)");
        }
        if let Some(rss) = self.rss_kib {
            line += &format!(", {:.1} MiB", rss as f64 / 1024.0);
        }
        for (name, latency) in [("latency", &self.latency_us), ("acknowledged in", &self.ack_latency_us)] {
            if let Some(Latency { p50, p99, p999, max, .. }) = latency {
                line += &format!(", {name} p50 {p50:.0} p99 {p99:.0} p99.9 {p999:.0} max {max:.0} µs");
            }
        }
        let faults = [
            ("lost", self.lost),
            ("doubled", self.doubled),
            ("reordered", self.reordered),
            ("foreign", self.foreign),
            ("unconfirmed", self.unconfirmed),
            ("bad acknowledgements", self.bad_acks),
        ];
        for (name, count) in faults.into_iter().filter(|(_, count)| *count > 0) {
            line += &format!(", {count} {name}");
        }
        line
    }
}

pub(crate) fn print_json(value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => println!("{text}"),
        Err(error) => eprintln!("wharfmq-load: {error}"),
    }
}

pub(crate) fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}

/// An empty histogram of nanoseconds up to ten minutes with three digits.
pub(crate) fn histogram() -> crate::fault::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 600_000_000_000, 3)
        .or_else(|error| crate::fault::Fault::broken(error.to_string()))
}
