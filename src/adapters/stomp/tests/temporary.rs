//! Temporary destinations.

use super::*;

/// A client with a request under way, and what a server reads as its reply-to.
fn asked<'a>(bench: &'a Bench, own: &str) -> (Client<'a>, Client<'a>, String) {
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("mine", own, "");
    let mut server = bench.stomp(Version::V1_1);
    server.subscribe("1", "/queue/requests", "");
    client.send("/queue/requests", &format!("reply-to:{own}\ncorrelation-id:7\n"), "?");
    let request = server.frames().remove(0);
    assert_eq!((request.text(), request.get("correlation-id")), ("?", Some("7")));
    let reply_to = request.get("reply-to").unwrap().to_owned();
    (client, server, reply_to)
}

#[test]
fn requests_and_replies() {
    let bench = Bench::new();
    for (own, remote) in [
        ("/temp-queue/a/b.c", "/remote-temp-queue/$temp.1.f4240.a/b.c"),
        ("/temp-topic/news", "/remote-temp-topic/$temp.3.f4240.news"),
    ] {
        let (mut client, mut server, reply_to) = asked(&bench, own);
        assert_eq!(reply_to, remote);
        server.send(&reply_to, &format!("reply-to:{reply_to}\nreceipt:r\n"), "!");
        assert_eq!(server.frames()[0].get("receipt-id"), Some("r"));
        let got = client.frames().remove(0);
        assert_eq!((got.text(), got.get("destination"), got.get("reply-to")), ("!", Some(own), Some(own)));
        assert_eq!((got.get("subscription"), got.get("original-destination")), (Some("mine"), None));
        client.send(own, "", "to myself");
        client.send(&reply_to, "", "by the other name");
        assert_eq!(client.bodies(), ["to myself", "by the other name"]);
        client.hang_up();
        server.send(&reply_to, "receipt:late\n", "too late");
        let error = server.error();
        assert!(error.get("message").unwrap().contains("is gone"), "{error:?}");
        server.hang_up();
        let name = remote.rsplit_once("temp.").unwrap().1;
        let class = wharfmq_core::record::Class::Queue;
        assert!(bench.0.broker.queues().find(class, &format!("$temp.{name}").into()).is_none());
    }
}

#[test]
fn they_are_made_by_whatever_comes_first() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.send("temp-queue://later", "receipt:r\n", "1");
    client.frames();
    client.subscribe("1", "/temp-queue/later", "ack:client-individual\n");
    assert_eq!(client.bodies(), ["1"]);
    client.say("UNSUBSCRIBE\nid:1\n\n\0");
    client.subscribe("2", "/temp-queue/later", "ack:client-individual\n");
    let got = client.await_frames(1).remove(0);
    assert_eq!((got.text(), got.get("redelivered")), ("1", Some("true")), "it outlives its consumers");
    client.say("UNSUBSCRIBE\nid:2\n\n\0");
    client.subscribe("look", "/temp-queue/later", "browser:true\n");
    let got = client.frames();
    let ends = got.last().unwrap();
    assert_eq!((ends.get("browser"), ends.get("destination")), (Some("end"), Some("/temp-queue/later")));
}

#[test]
fn nobody_else_receives() {
    let bench = Bench::new();
    let (mut client, _server, reply_to) = asked(&bench, "/temp-queue/mine");
    let name = reply_to.strip_prefix("/remote-temp-queue/").unwrap();
    for destination in [reply_to.clone(), format!("/queue/{name}"), "/queue/$temp.1.>".into()] {
        for more in ["", "browser:true\n"] {
            let mut thief = bench.stomp(Version::V1_2);
            thief.subscribe("1", &destination, more);
            let error = thief.error();
            assert!(error.get("message").unwrap().contains("only the connection"), "{destination} {error:?}");
        }
    }
    let mut all = bench.stomp(Version::V1_2);
    all.subscribe("1", "/queue/>", "");
    all.subscribe("2", "/topic/>", "");
    all.subscribe("3", "/temp-queue/mine", "");
    client.send("/temp-queue/mine", "", "secret");
    client.send("/temp-topic/mine", "", "secret");
    assert!(all.frames().is_empty());
    assert_eq!(client.bodies(), ["secret"]);
    let mut durable = bench.stomp_as("CONNECT\naccept-version:1.2\nclient-id:me\n\n\0");
    durable.subscribe("1", "/topic/$temp.>", "activemq.subscriptionName:s\n");
    assert!(durable.error().get("message").unwrap().contains("only the connection"));
    durable.hang_up();
    let mut durable = bench.stomp_as("CONNECT\naccept-version:1.2\nclient-id:me\n\n\0");
    durable.subscribe("1", "/temp-topic/t", "activemq.subscriptionName:s\n");
    assert!(durable.error().get("message").unwrap().contains("ends with its connection"));
}

#[test]
fn what_waits_in_them_goes_with_their_connection() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.send("/temp-queue/a", "persistent:true\n", "1");
    client.subscribe("1", "/temp-queue/a", "ack:client\n");
    client.send("/temp-queue/b", "", "2");
    assert_eq!(client.bodies(), ["1"]);
    assert_eq!(bench.0.broker.queues().len(), 2);
    client.hang_up();
    assert_eq!(bench.0.broker.queues().len(), 0);
    assert_eq!(bench.0.broker.counters().totals().dropped_temporary, 2);
}

#[test]
fn a_connection_may_have_so_many() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    for n in 0..1_000 {
        client.send("/queue/a", &format!("reply-to:/temp-topic/{n}\n"), "");
    }
    client.send("/temp-topic/999", "receipt:r\n", "");
    assert_eq!(client.frames().len(), 1);
    client.send("/temp-queue/1000", "", "");
    assert!(client.error().get("message").unwrap().contains("1000"));
}

#[test]
fn a_transaction_for_one_that_is_gone_fails() {
    let bench = Bench::new();
    let (client, mut server, reply_to) = asked(&bench, "/temp-queue/mine");
    server.say("BEGIN\ntransaction:x\n\n\0");
    server.send(&reply_to, "transaction:x\n", "!");
    server.send("/queue/log", "transaction:x\n", "answered");
    client.hang_up();
    server.say("COMMIT\ntransaction:x\nreceipt:c\n\n\0");
    let error = server.error();
    assert!(error.text().contains("is gone"), "{error:?}");
    let mut other = bench.stomp(Version::V1_2);
    other.subscribe("1", "/queue/log", "");
    assert!(other.frames().is_empty(), "nothing of it happened");
}
