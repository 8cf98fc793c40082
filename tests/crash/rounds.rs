//! What the tests of one promise each share: clients under which the broker is killed, and taking out what it
//! holds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Write;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use super::{Id, Progress, Random, parse};
use crate::support::stomp::{Frame, frame_bytes};
use crate::support::{Broker, Stomp};

const WINDOW: usize = 16;
const END: &str = "end 0";

/// A client of one round: it says when it is connected, and ends when the connection breaks.
pub(super) type Client<'a> = Box<dyn FnOnce(SocketAddr, &Progress) + Send + 'a>;

/// Lets the clients loose, kills the broker when they have seen some confirmations, `most` at the most, and starts
/// it again.
pub(super) fn killed(mut broker: Broker, random: &mut Random, most: u64, clients: Vec<Client<'_>>) -> Broker {
    let address = broker.stomp();
    let progress = Progress::default();
    let aim = 1 + random.below(most);
    let pause = Duration::from_micros(random.below(3_000));
    let count = clients.len() as u64;
    let setup = thread::scope(|scope| {
        let progress = &progress;
        let clients: Vec<_> =
            clients.into_iter().map(|client| scope.spawn(move || client(address, progress))).collect();
        let late = progress.wait(&mut broker, count, aim);
        thread::park_timeout(pause);
        // Before anything may fail: what the clients do ends only with the broker.
        let setup = broker.kill();
        assert_eq!(late, None);
        clients.into_iter().for_each(|client| client.join().unwrap());
        setup
    });
    setup.start()
}

/// Sends the frames that `message` gives for the numbers from 0, a window of them ahead of their receipts; gives
/// the numbers whose receipt came. Each frame asks for its number as the receipt.
pub(super) fn produce(
    address: SocketAddr,
    progress: &Progress,
    mut message: impl FnMut(u32) -> Option<Vec<u8>>,
) -> Vec<u32> {
    let mut client = Stomp::connect(address);
    progress.connected();
    let mut confirmed = Vec::new();
    let mut more = true;
    let mut next = 0;
    loop {
        while more && (next as usize) < confirmed.len() + WINDOW {
            let bytes = message(next);
            next += 1;
            more = bytes.is_some_and(|bytes| client.stream.write_all(&bytes).is_ok());
        }
        let Some(frame) = client.receive_or_broken() else { return confirmed };
        assert_eq!(frame.command, "RECEIPT", "{frame:?}");
        confirmed.push(frame.header("receipt-id").parse().unwrap());
        progress.confirmed();
    }
}

/// A SEND that asks for a receipt.
pub(super) fn send(to: &str, number: u32, more: &[(&str, &str)], body: &str) -> Vec<u8> {
    let number = number.to_string();
    let mut headers = vec![("destination", to), ("receipt", number.as_str())];
    headers.extend(more);
    frame_bytes("SEND", &headers, body.as_bytes())
}

/// What a consumer says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ack,
    Nack,
    /// To the dead letters at once.
    Refuse,
}

/// A message as one consumer saw it.
pub(super) struct Taken {
    pub(super) frame: Frame,
    /// At which step of the connection it came.
    pub(super) came: usize,
    /// What was said of it and at which step.
    pub(super) said: Option<(Verdict, usize)>,
    /// Whether a receipt came for that.
    pub(super) settled: bool,
}

impl Taken {
    pub(super) fn id(&self) -> Id {
        parse(self.frame.text())
    }

    pub(super) fn is_acked(&self) -> bool {
        self.settled && matches!(self.said, Some((Verdict::Ack, _)))
    }
}

/// A connection that consumes from there.
pub(super) fn consumer(address: SocketAddr, from: &str) -> Stomp {
    let mut client = Stomp::connect(address);
    client.subscribe_with("0", from, "client-individual", &[("activemq.prefetchSize", "20")]);
    client
}

/// Takes messages until the connection breaks. It holds up to so many, then says of any of them what `judge` says.
pub(super) fn consume(
    mut client: Stomp,
    progress: &Progress,
    hold: usize,
    random: &mut Random,
    mut judge: impl FnMut(&Frame) -> Verdict,
) -> Vec<Taken> {
    progress.connected();
    let mut taken: Vec<Taken> = Vec::new();
    let mut held = VecDeque::new();
    let mut step = 0;
    while let Some(frame) = client.receive_or_broken() {
        step += 1;
        if frame.command == "RECEIPT" {
            taken[frame.header("receipt-id").parse::<usize>().unwrap()].settled = true;
            progress.confirmed();
            continue;
        }
        assert_eq!(frame.command, "MESSAGE", "{frame:?}");
        held.push_back(taken.len());
        taken.push(Taken { frame, came: step, said: None, settled: false });
        while held.len() > hold {
            step += 1;
            let at = usize::try_from(random.below(held.len() as u64)).unwrap();
            let number = held.remove(at).unwrap();
            let verdict = judge(&taken[number].frame);
            taken[number].said = Some((verdict, step));
            // Where it fails, what was confirmed before may still be unread.
            let _ = client.stream.write_all(&settlement(&taken[number].frame, verdict, &number.to_string()));
        }
    }
    taken
}

fn settlement(frame: &Frame, verdict: Verdict, receipt: &str) -> Vec<u8> {
    let command = if verdict == Verdict::Ack { "ACK" } else { "NACK" };
    let mut headers = vec![("id", frame.header("ack")), ("receipt", receipt)];
    if verdict == Verdict::Refuse {
        headers.push(("requeue", "false"));
    }
    frame_bytes(command, &headers, b"")
}

/// Takes everything out of a queue.
pub(super) fn drain(address: SocketAddr, queue: &str) -> Vec<Frame> {
    let mut client = consumer(address, queue);
    drain_by(&mut client, queue, &[])
}

/// Takes everything that the client's subscription has. It is over when a message of its own, sent there with these
/// headers, is the only one that comes.
pub(super) fn drain_by(client: &mut Stomp, to: &str, more: &[(&str, &str)]) -> Vec<Frame> {
    let mut drained: Vec<Frame> = Vec::new();
    loop {
        let before = drained.len();
        client.send_with(to, more, END);
        loop {
            let frame = client.receive();
            if frame.text() == END {
                // Its receipt is also that of all before it.
                client.ack(&frame);
                break;
            }
            client.frame("ACK", &[("id", frame.header("ack"))], b"");
            drained.push(frame);
        }
        if drained.len() == before {
            return drained;
        }
    }
}

/// What must come out of one queue: everything confirmed, and nothing again whose acknowledgement was confirmed.
#[derive(Default)]
pub(super) struct Book {
    confirmed: BTreeSet<Id>,
    came: BTreeMap<Id, u32>,
    acked: BTreeSet<Id>,
}

impl Book {
    pub(super) fn confirmed(&mut self, sender: &str, numbers: &[u32]) {
        self.confirmed.extend(numbers.iter().map(|n| (sender.to_owned(), *n)));
    }

    /// What a consumer saw until the crash.
    pub(super) fn took(&mut self, taken: &[Taken]) {
        for one in taken {
            self.came(one.id());
        }
        self.acked.extend(taken.iter().filter(|one| one.is_acked()).map(Taken::id));
    }

    /// What was taken out, each acknowledged with success.
    pub(super) fn drained(&mut self, frames: &[Frame]) {
        for frame in frames {
            let id = parse(frame.text());
            self.came(id.clone());
            self.acked.insert(id);
        }
    }

    fn came(&mut self, id: Id) {
        assert!(!self.acked.contains(&id), "{id:?} came after its acknowledgement was confirmed");
        *self.came.entry(id).or_default() += 1;
    }

    pub(super) fn is_confirmed(&self, id: &Id) -> bool {
        self.confirmed.contains(id)
    }

    pub(super) fn missing(&self) -> Vec<&Id> {
        self.confirmed.iter().filter(|id| !self.came.contains_key(*id)).collect()
    }

    /// Everything has been drained.
    pub(super) fn check(&self) {
        let missing = self.missing();
        assert!(
            missing.is_empty(),
            "confirmed and lost, {}: {:?}",
            missing.len(),
            &missing[..missing.len().min(20)]
        );
        println!("{} confirmed, {} came", self.confirmed.len(), self.came.values().sum::<u32>());
    }
}
