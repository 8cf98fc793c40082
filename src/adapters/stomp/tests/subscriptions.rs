use super::*;

#[test]
fn a_topic_fans_out() {
    let bench = Bench::new();
    let mut sender = bench.stomp(Version::V1_2);
    let mut clients: Vec<_> = (0..20).map(|_| bench.stomp(Version::V1_1)).collect();
    for client in &mut clients {
        client.subscribe("1", "/topic/plant.*.temp", "");
        client.subscribe("2", "/topic/plant.>", "");
        client.subscribe("3", "/topic/other", "");
    }
    sender.send("/topic/plant.a.temp", "k:v\n", "1");
    sender.send("/topic/plant.a", "", "2");
    for client in &mut clients {
        let got = client.frames();
        let seen: Vec<_> = got.iter().map(|got| (got.get("subscription").unwrap(), got.text())).collect();
        assert_eq!(seen, [("1", "1"), ("2", "1"), ("2", "2")]);
        assert_eq!((got[0].get("k"), got[0].get("destination")), (Some("v"), Some("/topic/plant.a.temp")));
        assert_eq!(got[0].get("message-id"), got[1].get("message-id"));
        client.say("UNSUBSCRIBE\nid:2\n\n\0");
    }
    sender.send("/topic/plant.a", "", "3");
    assert!(clients.iter_mut().all(|client| client.frames().is_empty()));
}

#[test]
fn no_local_leaves_out_ones_own() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    let mut other = bench.stomp(Version::V1_2);
    client.subscribe("1", "/topic/a", "activemq.noLocal:true\n");
    client.send("/topic/a", "", "own");
    other.send("/topic/a", "", "other");
    assert_eq!(client.bodies(), ["other"]);
}

#[test]
fn version_1_0_needs_no_ids() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_0);
    client.say("SUBSCRIBE\ndestination:/queue/a\nack:client\n\n\0SEND\ndestination:/queue/a\n\nx\0");
    let got = client.frames();
    assert_eq!((got[0].get("subscription"), got[0].text()), (None, "x"));
    client.say(format!("ACK\nmessage-id:{}\n\n\0", got[0].get("message-id").unwrap()));
    client.say("UNSUBSCRIBE\ndestination:/queue/a\nreceipt:u\n\n\0SEND\ndestination:/queue/a\n\ny\0");
    assert_eq!(client.frames().len(), 1);
    client.say("SUBSCRIBE\ndestination:/queue/a\nbrowser:true\n\n\0");
    let got = client.frames();
    assert_eq!((got.len(), got[0].text(), got[1].get("browser")), (2, "y", Some("end")));
}

#[test]
fn competing_consumers_and_priorities() {
    let bench = Bench::new();
    let mut sender = bench.stomp(Version::V1_2);
    let mut low = bench.stomp(Version::V1_2);
    let mut high = bench.stomp(Version::V1_2);
    low.subscribe("1", "/queue/a", "ack:client\n");
    high.subscribe("1", "/queue/a", "ack:client\nactivemq.priority:5\nactivemq.prefetchSize:3\n");
    for n in 0..5 {
        sender.send("/queue/a", "", &n.to_string());
    }
    assert_eq!((high.bodies().concat(), low.bodies().concat()), ("012".into(), "34".into()));
    let mut only = bench.stomp(Version::V1_2);
    only.subscribe("1", "/queue/b", "activemq.exclusive:true\n");
    low.subscribe("2", "/queue/b", "");
    for n in 0..4 {
        sender.send("/queue/b", "", &n.to_string());
    }
    assert_eq!((only.bodies().concat(), low.bodies().concat()), ("0123".into(), String::new()));
}

#[test]
fn durable_subscriptions_wait_for_their_client() {
    let bench = Bench::new();
    let connect = "CONNECT\naccept-version:1.2\nclient-id:me\n\n\0";
    let durable = "activemq.subscriptionName:news\nack:client\n";
    let mut sender = bench.stomp(Version::V1_2);
    let mut client = bench.stomp_as(connect);
    client.subscribe("1", "/topic/a.>", durable);
    sender.send("/topic/a.b", "persistent:true\n", "1");
    let got = client.frames();
    assert_eq!((got[0].text(), got[0].get("destination")), ("1", Some("/topic/a.b")));
    client.say("ACK\nid:0-1\n\n\0");
    let mut second = bench.stomp_as(connect);
    second.subscribe("1", "/topic/a.>", durable);
    assert!(second.error().get("message").unwrap().contains("in use"));
    client.hang_up();
    sender.send("/topic/a.b", "persistent:true\n", "2");
    sender.send("/topic/a.c", "", "3");
    let mut client = bench.stomp_as(connect);
    client.subscribe("1", "/topic/a.>", durable);
    assert_eq!(client.bodies().concat(), "23");
    client.say("UNSUBSCRIBE\nactivemq.subscriptionName:news\nreceipt:u\n\n\0");
    assert_eq!(client.frames().len(), 1);
    sender.send("/topic/a.b", "persistent:true\n", "4");
    client.subscribe("1", "/topic/a.>", durable);
    assert!(client.frames().is_empty(), "it began anew");
    client.say("UNSUBSCRIBE\nid:1\n\n\0");
    sender.send("/topic/a.b", "", "5");
    client.subscribe("1", "/topic/other", durable);
    sender.send("/topic/a.b", "", "6");
    sender.send("/topic/other", "", "7");
    assert_eq!(client.bodies().concat(), "7", "another topic makes it another subscription");
    client.say("UNSUBSCRIBE\nactivemq.subscriptionName:none\n\n\0");
    assert!(client.error().get("message").unwrap().contains("no durable subscription"));
}

#[test]
fn a_browser_takes_nothing() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    let body = "x".repeat(10_000);
    for _ in 0..100 {
        client.send("/queue/a:b", "", &body);
    }
    bench.pass(1);
    for _ in 0..2 {
        client.subscribe("look", "/queue/a\\cb", "browser:true\nack:client\n");
        let got = client.frames();
        assert_eq!(got.len(), 101, "more than fits at once follows");
        assert!(got[..100].iter().all(|got| got.text() == body && got.get("ack").is_none()));
        let end = &got[100];
        assert_eq!((end.get("browser"), end.get("subscription")), (Some("end"), Some("look")));
        assert_eq!((end.get("destination"), end.text()), (Some("/queue/a:b"), ""));
        client.say("UNSUBSCRIBE\nid:look\n\n\0");
    }
    client.subscribe("1", "/queue/a\\cb", "");
    assert_eq!(client.frames().len(), 100);
}

#[test]
fn expired_messages_are_not_delivered() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.send("/queue/a", &format!("expires:{}\n", START + 50), "late");
    client.send("/queue/a", &format!("expires:{}\n", START + 5_000), "in time");
    client.send("/queue/a", "expires:0\n", "any time");
    bench.pass(100);
    client.subscribe("1", "/queue/a", "");
    let got = client.await_frames(2);
    assert_eq!(got.iter().map(Got::text).collect::<Vec<_>>(), ["in time", "any time"]);
    assert_eq!(got[0].get("expires"), Some(&*(START + 5_000).to_string()));
}

#[test]
fn deliveries_of_an_ended_subscription_reach_nobody() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    client.send("/queue/a", "", "x");
    client.say(
        "SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\0UNSUBSCRIBE\nid:1\n\n\0\
         SUBSCRIBE\nid:1\ndestination:/queue/b\n\n\0",
    );
    assert!(client.frames().is_empty());
    client.subscribe("2", "/queue/a", "");
    let got = client.frames();
    assert_eq!((got.len(), got[0].get("redelivered")), (1, None), "it was never sent before");
}
