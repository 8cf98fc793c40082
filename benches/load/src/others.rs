//! Subscriptions of clients that the load does not reach.

use crate::fault::Result;
use crate::mqtt::Dialect;
use crate::stream::{Dial, Stream};

/// Subscriptions of one client.
pub(crate) const EACH: usize = 1_000;
/// Subscriptions of one packet.
const PACKET: usize = 100;

/// Opens connections with `count` subscriptions in all: of ten, eight are exact, one has a wildcard in the middle
/// and one at both ends.
pub(crate) fn subscribe(dial: &Dial, dialect: Dialect<'_>, run: u32, count: usize) -> Result<Vec<Stream>> {
    let mut held = Vec::new();
    for client in 0..count.div_ceil(EACH) {
        let mut stream = dial.open()?;
        dialect.connect(&mut stream, &format!("load-{run:08x}-o{client}"))?;
        let first = client * EACH;
        let filters: Vec<_> = (first..count.min(first + EACH)).map(|nth| filter(client, nth)).collect();
        for filters in filters.chunks(PACKET) {
            dialect.subscribe_all(&mut stream, filters.iter().map(String::as_str), 0)?;
        }
        held.push(stream);
    }
    Ok(held)
}

fn filter(client: usize, nth: usize) -> String {
    match nth % 10 {
        0 => format!("fleet/{client}/+/{nth}"),
        1 => format!("+/{client}/device{nth}/#"),
        _ => format!("fleet/{client}/device{nth}/state"),
    }
}
