//! Who comes in by login and passcode.

use super::*;
use crate::broker::Peer;
use crate::security::testing::users;

fn said(
    on: &TestBroker,
    anonymous: bool,
    certificate: Option<&str>,
    headers: &str,
) -> (String, Option<String>) {
    let certificate = certificate.map(str::to_owned);
    let peer = Peer { addr: ([127, 0, 0, 1], 1).into(), listener: "test", certificate, anonymous };
    let mut client = on.client_of(peer, StompSession::new(StompOptions::default()));
    let connect = format!("CONNECT\naccept-version:1.2\nhost:x\n{headers}\n\0\n");
    let mut out = client.send(on, connect.as_bytes());
    if out.is_empty() {
        out = client.wait(on, |out| !out.is_empty());
    }
    let text = String::from_utf8(out).unwrap();
    assert_eq!(client.session.is_open(), text.starts_with("CONNECTED\n"), "{text}");
    assert_eq!(client.closed.is_some(), text.starts_with("ERROR\n"), "{text}");
    (text, client.port.principal().map(|principal| principal.name.clone()))
}

#[test]
fn login_and_passcode() {
    let bench = Bench::new();
    let on = &bench.0;
    on.broker.set_users(users(&[("ada", "pencil")])).unwrap();
    for anonymous in [true, false] {
        for _ in 0..2 {
            let (text, user) = said(on, anonymous, None, "login:ada\npasscode:pencil\n");
            assert!(text.starts_with("CONNECTED\n") && text.contains("version:1.2"), "{text}");
            assert_eq!(user.as_deref(), Some("ada"));
        }
        for wrong in [
            "login:ada\npasscode:Pencil\n",
            "login:eve\npasscode:pencil\n",
            "login:ada\n",
            "passcode:pencil\n",
        ] {
            let (text, user) = said(on, anonymous, None, wrong);
            assert!(text.contains("message:login or passcode is wrong"), "{text}");
            assert_eq!(user, None);
        }
        for none in ["", "login:\npasscode:\n"] {
            let (text, _) = said(on, anonymous, None, none);
            assert_eq!(text.starts_with("CONNECTED\n"), anonymous, "{text}");
            assert_eq!(text.contains("message:not authorized"), !anonymous, "{text}");
        }
    }
    assert_eq!(said(on, false, Some("pump-7"), "").1.as_deref(), Some("pump-7"));
}

#[test]
fn without_users_login_and_passcode_are_not_looked_at() {
    let bench = Bench::new();
    assert!(said(&bench.0, true, None, "login:ada\npasscode:x\n").0.starts_with("CONNECTED\n"));
    assert!(said(&bench.0, false, None, "login:ada\npasscode:x\n").0.contains("not authorized"));
}

#[test]
fn frames_that_come_with_connect_wait_for_the_answer() {
    let bench = Bench::new();
    bench.0.broker.set_users(users(&[("ada", "pencil")])).unwrap();
    let mut client = bench.0.client(StompSession::new(StompOptions::default()));
    let frames = "CONNECT\naccept-version:1.2\nhost:x\nlogin:ada\npasscode:pencil\n\n\0\
        SEND\ndestination:/queue/q\nreceipt:r1\n\nx\0";
    let mut out = client.send(&bench.0, frames.as_bytes());
    let has = |out: &[u8]| String::from_utf8_lossy(out).contains("receipt-id:r1");
    if !has(&out) {
        out.extend(client.wait(&bench.0, has));
    }
    assert!(out.starts_with(b"CONNECTED\n"));
}
