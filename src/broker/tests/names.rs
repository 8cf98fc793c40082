//! Names of connections and their clients: who comes back finds nothing left of the connection before.

use wharfmq_core::{CoreEvent, Gone, Kind, Outcome, Settings, Tags};

use super::kit::*;
use crate::broker::Claim;
use crate::security::Principal;

/// What a connection was told about its names.
fn told(client: &mut Client) -> Vec<String> {
    client.port.refresh(true);
    let events = client.port.events.drain(..);
    events.filter(|event| !matches!(event, CoreEvent::Deliver(_))).map(|event| format!("{event:?}")).collect()
}

fn kicked() -> String {
    format!("{:?}", CoreEvent::Kick(Gone::TakenOver))
}

#[test]
fn who_comes_back_waits_until_the_stale_connection_is_gone() {
    let rig = Rig::memory(Settings::default());
    let (mut stale, mut back) = (rig.client(), rig.client());
    let (name, id) = ("ID:a:1".into(), "client".into());
    assert_eq!(stale.port.claim_connection(&name), Some(Claim::Granted));
    assert!(stale.port.claim_client(&id));
    for body in ["one", "two", "three"] {
        stale.send(&queue("in"), body, SAFE, None);
    }
    let held = stale.consume(&rig.queue("in"), 1, PLENTY);
    let temporary = stale.port.temporary(Kind::Queue, "reply").unwrap();
    stale.port.begin(&"t".into()).unwrap();
    stale.port.settle_in("t", &held, Tags::One(1), Outcome::Accept).unwrap();
    stale.send_in("t", &queue("out"), "never");

    assert_eq!(back.port.claim_connection(&name), Some(Claim::Wait));
    assert!(!back.port.claim_client(&id), "the other still has it");
    assert_eq!((told(&mut stale), told(&mut back)), (vec![kicked()], vec![]));
    stale.port.close();
    assert_eq!(told(&mut back), ["Claimed"]);
    assert!(back.port.claim_client(&id));
    assert!(back.port.reach_temporary(&temporary).is_err());
    let left = rig.entries(&rig.queue("in"));
    assert_eq!(left, ["one", "two", "three"].map(|body| (body.to_owned(), true, 1)), "delivered once");
    assert!(rig.bodies(&rig.queue("out")).is_empty());
    assert_eq!(rig.given("in"), ["one", "two", "three"]);
    stale.port.close();
    assert_eq!(rig.client().port.claim_connection(&name), Some(Claim::Wait), "it is the new one's");
    rig.check();
}

#[test]
fn the_last_of_those_that_wait_is_let_in() {
    let rig = Rig::memory(Settings::default());
    let [mut holder, mut first, mut second] = [rig.client(), rig.client(), rig.client()];
    let name = "ID:a:1".into();
    holder.port.claim_connection(&name).unwrap();
    first.port.claim_connection(&name).unwrap();
    second.port.claim_connection(&name).unwrap();
    assert_eq!(told(&mut first), [kicked()]);
    first.port.oust();
    assert!(holder.port.is_expelled() && !second.port.is_expelled());
    first.port.close();
    holder.port.close();
    assert_eq!(told(&mut second), ["Claimed"]);
    second.port.oust();
    assert!(!second.port.is_expelled(), "it has its name");
}

#[test]
fn another_user_takes_nothing_over() {
    let rig = Rig::memory(Settings::default());
    let name = "ID:a:1".into();
    let [mut holder, mut again, mut other] = ["ann", "ann", "bob"].map(|user| {
        let mut client = rig.client();
        client.port.is_now(Principal { name: user.to_owned() });
        client
    });
    assert_eq!(holder.port.claim_connection(&name), Some(Claim::Granted));
    assert_eq!(other.port.claim_connection(&name), None);
    assert_eq!(again.port.claim_connection(&name), Some(Claim::Wait));
    assert_eq!(told(&mut holder), [kicked()]);
    holder.port.close();
    assert_eq!((told(&mut again), other.port.claim_connection(&name)), (vec!["Claimed".to_owned()], None));
    again.port.close();
    assert_eq!(other.port.claim_connection(&name), Some(Claim::Granted), "nobody has it");
}

#[test]
fn a_client_has_one_connection() {
    let rig = Rig::memory(Settings::default());
    let (mut one, mut other, mut mqtt) = (rig.client(), rig.client(), rig.client());
    let ids = ["a", "b"].map(bytestring::ByteString::from);
    assert!(one.port.claim_client(&ids[0]) && one.port.claim_client(&ids[0]));
    assert!(!other.port.claim_client(&ids[0]));
    assert_eq!(mqtt.port.claim(&ids[0]), Claim::Granted, "these are sessions, with names of their own");
    assert!(one.port.claim_client(&ids[1]), "it changes its mind");
    assert!(other.port.claim_client(&ids[0]) && !other.port.claim_client(&ids[1]));
    other.port.close();
    assert!(one.port.claim_client(&ids[0]));
    assert!(told(&mut one).is_empty() && told(&mut mqtt).is_empty());
}
