//! `[[forward]]`: what is passed on.

use super::destinations::{check_name, check_pattern};
use super::entries::{Entries, Instance};
use super::problem::Problem;
use super::schema::Forward;
use super::settings::ForwardSettings;

/// Sections there may be: every new destination is compared with each.
const FORWARDS_MAX: usize = 1_000;
/// Destinations of one section.
const TARGETS_MAX: usize = 100;

/// Checks all forwards. What a filter means is known only to those who apply it.
pub(super) fn resolve(
    written: Vec<Forward>,
    entries: &Entries,
    problems: &mut Vec<Problem>,
) -> Vec<ForwardSettings> {
    let mut wrong = |n: usize, key: &'static str, what: String| {
        problems.push(Problem::new(entries.origin("forward", &Instance::Number(n), key), what));
    };
    if written.len() > FORWARDS_MAX {
        wrong(FORWARDS_MAX, "from", format!("there may be {FORWARDS_MAX} sections [[forward]]"));
    }
    for (n, forward) in written.iter().enumerate() {
        if let Err(what) = check_pattern(&forward.from) {
            wrong(n, "from", what);
        }
        if !(1..=TARGETS_MAX).contains(&forward.to.0.len()) {
            wrong(n, "to", format!("`to` names 1 to {TARGETS_MAX} destinations"));
        }
        for what in forward.to.0.iter().filter_map(|name| check_name(name).err()) {
            wrong(n, "to", what);
        }
        if forward.to.0.contains(&forward.from) {
            wrong(n, "to", format!("`{}` would be forwarded to itself", forward.from));
        }
    }
    let settings = |forward: Forward| ForwardSettings {
        from: forward.from,
        to: forward.to.0,
        filter: forward.filter,
        keep: forward.keep,
    };
    written.into_iter().map(settings).collect()
}
