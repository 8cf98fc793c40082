//! The STOMP clients under which the broker is killed.

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;

use super::ledger::{Consumed, Transaction};
use super::{Id, Progress, body, parse};
use crate::support::stomp::frame_bytes;
use crate::support::{PATIENCE, Stomp};

const QUEUE: &str = "/queue/crash";
const WINDOW: usize = 32;
const TRANSACTION: u32 = 5;
const END: &str = "end 0";

/// Sends until the connection breaks; gives what was confirmed by a receipt.
pub(super) fn produce(address: SocketAddr, sender: String, progress: &Progress) -> Vec<Id> {
    let mut client = Stomp::connect(address);
    progress.connected();
    let mut confirmed = Vec::new();
    for sent in 0.. {
        let id = (sender.clone(), sent);
        if send(&mut client, &id, &[("receipt", &sent.to_string())]).is_err() {
            break;
        }
        if (sent as usize) < confirmed.len() + WINDOW {
            continue;
        }
        if !receipt(&mut client, |n| confirmed.push((sender.clone(), n.parse().unwrap()))) {
            break;
        }
        progress.confirmed();
    }
    while receipt(&mut client, |n| confirmed.push((sender.clone(), n.parse().unwrap()))) {}
    confirmed
}

/// Commits one transaction after the other until the connection breaks.
pub(super) fn transact(address: SocketAddr, sender: String, progress: &Progress) -> Vec<Transaction> {
    let mut client = Stomp::connect(address);
    progress.connected();
    let mut transactions: Vec<Transaction> = Vec::new();
    let broken = |client: &mut Stomp, bytes: &[u8]| client.stream.write_all(bytes).is_err();
    for number in 0.. {
        let name = number.to_string();
        let ids: Vec<Id> = (0..TRANSACTION).map(|n| (sender.clone(), number * TRANSACTION + n)).collect();
        let mut bytes = frame_bytes("BEGIN", &[("transaction", &name)], b"");
        for id in &ids {
            let headers = [("destination", QUEUE), ("persistent", "true"), ("transaction", &name)];
            bytes.extend(frame_bytes("SEND", &headers, body(id).as_bytes()));
        }
        bytes.extend(frame_bytes("COMMIT", &[("transaction", &name), ("receipt", &name)], b""));
        transactions.push((ids, false));
        if broken(&mut client, &bytes) || !receipt(&mut client, |_| ()) {
            break;
        }
        transactions.last_mut().unwrap().1 = true;
        progress.confirmed();
    }
    transactions
}

/// Consumes and acknowledges until the connection breaks.
pub(super) fn consume(address: SocketAddr, progress: &Progress) -> Consumed {
    run_consumer(address, progress, |_| false)
}

/// Consumes and acknowledges until the queue is empty.
pub(super) fn drain(address: SocketAddr) -> Consumed {
    let mut client = Stomp::connect(address);
    client.send(QUEUE, END);
    client.disconnect();
    let mut drained = run_consumer(address, &Progress::default(), |text| text == END);
    let end = parse(END);
    drained.delivered.retain(|id| *id != end);
    drained.acked.retain(|id| *id != end);
    drained
}

/// Ends when the connection breaks, or once all is confirmed up to the message that `is_last` names.
fn run_consumer(address: SocketAddr, progress: &Progress, is_last: impl Fn(&str) -> bool) -> Consumed {
    let mut client = Stomp::connect(address);
    client.subscribe_with("0", QUEUE, "client-individual", &[("activemq.prefetchSize", "50")]);
    progress.connected();
    let mut consumed = Consumed::default();
    let mut waiting: HashMap<String, Id> = HashMap::new();
    let mut last_seen = false;
    while !(last_seen && waiting.is_empty()) {
        let Some(frame) = client.receive_or_broken() else { break };
        match frame.command.as_str() {
            "MESSAGE" => {
                let text = frame.text();
                last_seen |= is_last(text);
                consumed.delivered.push(parse(text));
                let ack = frame.header("ack").to_owned();
                waiting.insert(ack.clone(), parse(text));
                let bytes = frame_bytes("ACK", &[("id", &ack), ("receipt", &ack)], b"");
                if client.stream.write_all(&bytes).is_err() {
                    // What was confirmed before the end may still be unread.
                    continue;
                }
            }
            "RECEIPT" => {
                consumed.acked.push(waiting.remove(frame.header("receipt-id")).unwrap());
                progress.confirmed();
            }
            _ => panic!("{frame:?}"),
        }
    }
    consumed
}

fn send(client: &mut Stomp, id: &Id, more: &[(&str, &str)]) -> std::io::Result<()> {
    let mut headers = vec![("destination", QUEUE), ("persistent", "true")];
    headers.extend(more);
    client.stream.write_all(&frame_bytes("SEND", &headers, body(id).as_bytes()))
}

/// Reads one receipt; `false` when the connection is broken.
fn receipt(client: &mut Stomp, mut note: impl FnMut(&str)) -> bool {
    match client.receive_or_broken() {
        Some(frame) => {
            assert_eq!(frame.command, "RECEIPT", "{frame:?}");
            note(frame.header("receipt-id"));
            true
        }
        None => false,
    }
}

impl Stomp {
    /// The next frame of any kind, held ones first; `None` when the connection is broken.
    pub(super) fn receive_or_broken(&mut self) -> Option<crate::support::stomp::Frame> {
        self.pop_held().or_else(|| self.next_within(PATIENCE))
    }
}
