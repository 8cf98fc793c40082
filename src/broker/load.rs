//! Averages of what happens per minute, over one, five and fifteen minutes.

/// The spans of the averages, in minutes, and how their topics end.
pub(super) const SPANS: [(f64, &str); 3] = [(1.0, "1min"), (5.0, "5min"), (15.0, "15min")];

/// What is averaged, as its topics name it.
pub(super) const LOADS: [&str; 9] = [
    "messages/received",
    "messages/sent",
    "publish/dropped",
    "publish/received",
    "publish/sent",
    "bytes/received",
    "bytes/sent",
    "sockets",
    "connections",
];

/// Totals of the process that the averages are made of, in the order of [`LOADS`].
pub(super) type Sample = [u64; LOADS.len()];

/// The averages: each sample moves them towards what happened since the one before, the more the longer
/// that took.
#[derive(Debug, Default)]
pub(super) struct Averages {
    last: Sample,
    means: [[f64; SPANS.len()]; LOADS.len()],
}

impl Averages {
    /// Takes in the totals after `ms` milliseconds.
    pub(super) fn add(&mut self, totals: &Sample, ms: u64) {
        if ms == 0 {
            return;
        }
        let minutes = ms as f64 / 60_000.0;
        for ((means, total), last) in self.means.iter_mut().zip(totals).zip(&mut self.last) {
            let rate = total.saturating_sub(*last) as f64 / minutes;
            *last = *total;
            for (mean, (span, _)) in means.iter_mut().zip(SPANS) {
                *mean = rate + (-minutes / span).exp() * (*mean - rate);
            }
        }
    }

    /// Calls `f` with each average: what, over which span, how many per minute.
    pub(super) fn each(&self, mut f: impl FnMut(&'static str, &'static str, f64)) {
        for (what, means) in LOADS.iter().zip(&self.means) {
            for (mean, (_, span)) in means.iter().zip(SPANS) {
                f(what, span, *mean);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(averages: &Averages, wanted: &str) -> Vec<String> {
        let mut found = Vec::new();
        averages.each(|what, _, mean| {
            if what == wanted {
                found.push(format!("{mean:.2}"));
            }
        });
        found
    }

    #[test]
    fn a_steady_rate_is_approached_by_the_shortest_span_first() {
        let mut averages = Averages::default();
        // 100 connections in ten seconds are 600 a minute.
        averages.add(&[0, 0, 0, 0, 0, 0, 0, 0, 100], 10_000);
        assert_eq!(of(&averages, "connections"), ["92.11", "19.67", "6.63"]);
        for n in 2..=1_000 {
            averages.add(&[0, 0, 0, 0, 0, 0, 0, 0, n * 100], 10_000);
        }
        assert_eq!(of(&averages, "connections"), ["600.00", "600.00", "599.99"]);
        assert_eq!(of(&averages, "sockets"), ["0.00", "0.00", "0.00"]);
    }

    #[test]
    fn silence_lets_them_fall_and_no_time_changes_nothing() {
        let mut averages = Averages::default();
        averages.add(&[60; LOADS.len()], 60_000);
        let before = of(&averages, "bytes/sent");
        averages.add(&[99; LOADS.len()], 0);
        assert_eq!(of(&averages, "bytes/sent"), before);
        averages.add(&[60; LOADS.len()], 3_600_000);
        assert_eq!(of(&averages, "bytes/sent"), ["0.00", "0.00", "0.07"]);
    }
}
