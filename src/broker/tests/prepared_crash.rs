//! Loss of power around prepared transactions: each is whole, and stands where it was promised to stand.

use std::collections::BTreeSet;

use proptest::prelude::*;
use wharfmq_core::{Outcome, Settings, Tags, Token};
use wharfmq_store::sim::SimDisk;

use super::kit::*;
use crate::broker::Xid;

/// How a transaction was ended, if it was, and the token of that.
type End = Option<(bool, u64)>;

struct Branch {
    xid: Xid,
    prepared: u64,
    end: End,
    sent: Vec<String>,
    settled: Vec<String>,
}

/// Where all the messages are after the crash.
struct Found {
    arrived: BTreeSet<String>,
    left: BTreeSet<String>,
    given: BTreeSet<String>,
    prepared: Vec<Xid>,
}

impl Found {
    fn of(rig: &Rig) -> Self {
        let set = |names: &[&str]| names.iter().flat_map(|name| rig.bodies(&rig.queue(name))).collect();
        let given = rig.given("in").into_iter().collect();
        Self { arrived: set(&["out", "too"]), left: set(&["in"]), given, prepared: rig.broker.prepared() }
    }

    fn check(&self, branch: &Branch, confirmed: &BTreeSet<u64>) {
        let has = |of: &BTreeSet<String>, bodies: &[String]| {
            let count = bodies.iter().filter(|body| of.contains(*body)).count();
            assert!(count == 0 || count == bodies.len(), "half of {:?}: {bodies:?}", branch.xid);
            count > 0
        };
        let is_prepared = self.prepared.contains(&branch.xid);
        let (sent, left) = (has(&self.arrived, &branch.sent), has(&self.left, &branch.settled));
        let given = has(&self.given, &branch.settled);
        if !branch.settled.is_empty() {
            assert_eq!(left, !sent, "{:?}: the acknowledgements go with the sends", branch.xid);
            assert_eq!(given, left && !is_prepared, "{:?}: who gets the messages", branch.xid);
        }
        assert!(!(sent && is_prepared), "{:?} has happened and is prepared", branch.xid);
        match branch.end {
            Some((commits, token)) if confirmed.contains(&token) => {
                assert_eq!((is_prepared, sent), (false, commits), "{:?} was ended", branch.xid);
            }
            Some((false, _)) => assert!(!sent, "{:?} was rolled back", branch.xid),
            Some((true, _)) if confirmed.contains(&branch.prepared) => assert!(is_prepared || sent),
            None if confirmed.contains(&branch.prepared) => assert!(is_prepared, "{:?} is lost", branch.xid),
            _ => {}
        }
    }
}

fn step(rig: &Rig, client: &mut Client, branches: &mut Vec<Branch>, token: u64, (what, n): (u8, u8)) {
    client.turn(rig);
    match what % 5 {
        0..2 => {
            let number = branches.len() as u8;
            let held = client.port.consumers[0].clone();
            client.port.begin(&"t".into()).unwrap();
            let (mut sent, mut settled) = (Vec::new(), Vec::new());
            for part in 0..=n % 4 {
                // Large enough that segments are left behind.
                let body = format!("{number:03}.{part}{}", "-".repeat(500));
                client.send_in("t", &queue(if part % 2 == 0 { "out" } else { "too" }), &body);
                sent.push(body);
            }
            for _ in 0..n % 3 {
                let Some(delivery) = client.deliveries.pop_front() else { break };
                settled.push(body_of(&delivery));
                client.port.settle_in("t", &held, Tags::One(delivery.tag), Outcome::Accept).unwrap();
            }
            let xid = Xid::new(0, vec![number], vec![]).unwrap();
            if client.port.prepare("t", &xid, Some(Token(token))).is_ok() {
                branches.push(Branch { xid, prepared: token, end: None, sent, settled });
            } else {
                let _ = client.port.abort("t");
            }
        }
        2 | 3 => {
            let commits = what % 5 == 2;
            let Some(branch) = branches.iter_mut().filter(|b| b.end.is_none()).nth(usize::from(n % 3)) else {
                return;
            };
            let confirm = Some(Token(token));
            let ended = if commits {
                client.commit_prepared(rig, &branch.xid, confirm)
            } else {
                client.port.rollback_prepared(&branch.xid, confirm)
            };
            if ended.is_ok() {
                branch.end = Some((commits, token));
            }
        }
        _ if n % 2 == 0 => drop(rig.broker.checkpoint()),
        _ => rig.broker.keep(),
    }
}

fn run(seed: u64, steps: &[(u8, u8)], crash: u64) {
    let disk = SimDisk::new(seed);
    let rig = Rig::sim(&disk, Settings::default());
    let mut client = rig.client();
    for name in ["in", "out", "too"] {
        rig.queue(name);
    }
    for n in 0..40 {
        client.stage(&queue("in"), &format!("in{n:02}"), SAFE, Some(n));
    }
    client.flush();
    client.settle_down(&rig);
    client.confirms.clear();
    client.consume(&rig.queue("in"), 1, PLENTY);
    let mut branches = Vec::new();
    disk.crash_after(crash);
    for (token, one) in steps.iter().enumerate() {
        step(&rig, &mut client, &mut branches, token as u64, *one);
    }
    if seed.is_multiple_of(2) {
        client.turn_until(&rig, "confirmations or the crash", |client| {
            client.port.is_settled() || client.port.failure().is_some()
        });
    }
    let confirmed: BTreeSet<u64> = client.confirmed().into_iter().collect();
    drop(client);
    let mut disk = disk.reboot();
    rig.abandon();
    for _ in 0..2 {
        let rig = Rig::sim(&disk, Settings::default());
        let found = Found::of(&rig);
        branches.iter().for_each(|branch| found.check(branch, &confirmed));
        rig.check();
        // A second crash right away changes nothing.
        disk = disk.reboot();
        rig.abandon();
    }
    let rig = Rig::sim(&disk, Settings::default());
    let mut client = rig.client();
    for xid in rig.broker.prepared() {
        client.commit_prepared(&rig, &xid, None).unwrap();
        let sent = &branches.iter().find(|branch| branch.xid == xid).unwrap().sent;
        let there = Found::of(&rig).arrived;
        assert!(sent.iter().all(|body| there.contains(body)), "{xid:?} can be carried out");
    }
    rig.check();
    drop(client);
    rig.abandon();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_was_promised_holds(
        seed in any::<u64>(),
        steps in prop::collection::vec(any::<(u8, u8)>(), 1..60),
        crash in 0u64..250,
    ) {
        run(seed, &steps, crash);
    }
}
