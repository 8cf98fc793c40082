//! Queues by pattern: listed, and told of when they are made.

use wharfmq_core::{CoreEvent, Kind, Pattern, Settings, SubTag};

use super::kit::*;
use crate::broker::Refused;

fn queues(text: &str) -> Pattern {
    Pattern::parse(Kind::Queue, text).unwrap()
}

#[test]
fn what_is_made_is_told_to_those_who_watch() {
    let rig = Rig::memory(Settings::default());
    let mut watcher = rig.client();
    rig.queue("a.1");
    rig.queue("b.1");
    watcher.port.watch_queues(&queues("a.*"), SubTag(7)).unwrap();
    watcher.port.watch_queues(&queues("a.>"), SubTag(8)).unwrap();
    let listed: Vec<_> = watcher.port.queues_matching(&queues("a.*"));
    assert_eq!(listed.iter().map(|cell| &*cell.name).collect::<Vec<_>>(), ["a.1"]);
    let told = |watcher: &mut Client| {
        watcher.port.refresh(true);
        let events = watcher.port.events.drain(..);
        let made = events.filter_map(|event| match event {
            CoreEvent::Made(sub, cell) => Some((sub.0, cell.name.to_string())),
            _ => None,
        });
        made.collect::<Vec<_>>()
    };
    for name in ["a.2", "b.2", "a.2", "a.2.x", "$a.2"] {
        rig.queue(name);
    }
    let made = |sub, name: &str| (sub, name.to_owned());
    assert_eq!(told(&mut watcher), [made(7, "a.2"), made(8, "a.2"), made(8, "a.2.x")]);
    watcher.port.unwatch(SubTag(8));
    rig.queue("a.3");
    rig.queue("a.3.x");
    assert_eq!(told(&mut watcher), [made(7, "a.3")]);
    watcher.port.close();
    rig.queue("a.4");
    assert!(told(&mut watcher).is_empty());
}

#[test]
fn none_is_missed_while_queues_are_made() {
    let rig = Rig::memory(Settings::default());
    let makers = std::thread::scope(|scope| {
        let maker = scope.spawn(|| (0..200).for_each(|n| drop(rig.queue(&format!("q.{n}")))));
        let mut clients: Vec<_> = (0..20)
            .map(|_| {
                let mut client = rig.client();
                client.port.watch_queues(&queues("q.>"), SubTag(1)).unwrap();
                let listed = client.port.queues_matching(&queues("q.>"));
                (client, listed)
            })
            .collect();
        maker.join().unwrap();
        clients.iter_mut().for_each(|(client, listed)| {
            client.port.refresh(true);
            for event in client.port.events.drain(..) {
                let CoreEvent::Made(_, cell) = event else { continue };
                if !listed.iter().any(|known| known.id == cell.id) {
                    listed.push(cell);
                }
            }
        });
        clients
    });
    assert!(makers.iter().all(|(_, known)| known.len() == 200));
}

#[test]
fn watches_have_a_limit() {
    let rig = Rig::memory(Settings::default());
    let mut client = rig.client();
    for n in 0..1_000 {
        client.port.watch_queues(&queues(&format!("{n}.>")), SubTag(n)).unwrap();
    }
    assert_eq!(client.port.watch_queues(&queues("x.>"), SubTag(0)), Err(Refused::TooManyWatches));
    client.port.unwatch(SubTag(3));
    assert_eq!(client.port.watch_queues(&queues("x.>"), SubTag(0)), Ok(()));
}
