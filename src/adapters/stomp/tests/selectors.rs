use super::*;

/// Sends messages of three colors, weights 0 to 8.
fn send_nine(client: &mut Client<'_>, to: &str, more: &str) {
    for n in 0..9 {
        let color = ["red", "green", "blue"][n % 3];
        client.send(to, &format!("color:{color}\nweight:{n}\ntype:t{n}\n{more}"), &n.to_string());
    }
}

fn selector(text: &str) -> String {
    format!("selector:{}\n", text.replace(':', "\\c"))
}

#[test]
fn a_topic_subscription_gets_what_it_selects() {
    let bench = Bench::new();
    let mut sender = bench.stomp(Version::V1_2);
    let mut client = bench.stomp(Version::V1_2);
    for (id, text) in [
        ("1", "color = 'red' AND weight > 2"),
        ("2", "JMSType IN ('t1', 't4') OR JMSPriority = 9"),
        ("3", "color IS NULL"),
        ("4", " "),
    ] {
        client.subscribe(id, "/topic/a.>", &selector(text));
    }
    send_nine(&mut sender, "/topic/a.b", "");
    sender.send("/topic/a", "priority:9\n", "9");
    let got = client.frames();
    let of = |id| {
        let of = got.iter().filter(|got| got.get("subscription") == Some(id));
        of.map(Got::text).collect::<String>()
    };
    assert_eq!([of("1"), of("2"), of("3"), of("4")], ["36", "149", "9", "0123456789"]);
    client.say("UNSUBSCRIBE\nid:4\n\n\0UNSUBSCRIBE\nid:1\n\n\0");
    send_nine(&mut sender, "/topic/a.b", "");
    assert_eq!(client.bodies().concat(), "14");
}

#[test]
fn many_publications_at_once_reach_whoever_selects_them() {
    let bench = Bench::new();
    let mut sender = bench.stomp(Version::V1_2);
    let mut clients: Vec<_> = (0..30).map(|_| bench.stomp(Version::V1_1)).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.subscribe("own", "/topic/jobs", &selector(&format!("worker = '{n}'")));
        client.subscribe("tenth", "/topic/jobs", &selector("step = 0"));
    }
    let frames: String = (0..300)
        .map(|n| format!("SEND\ndestination:/topic/jobs\nworker:{}\nstep:{}\n\n{n}\0", n % 30, n % 100))
        .collect();
    sender.say(frames);
    for (n, client) in clients.iter_mut().enumerate() {
        let got = client.frames();
        let own = got.iter().filter(|got| got.get("subscription") == Some("own")).map(|got| got.text());
        let expected: Vec<_> = (0..10).map(|round| (round * 30 + n).to_string()).collect();
        assert_eq!(own.collect::<Vec<_>>(), expected);
        let tenth = got.iter().filter(|got| got.get("subscription") == Some("tenth")).map(Got::text);
        assert_eq!(tenth.collect::<Vec<_>>(), ["0", "100", "200"]);
    }
}

#[test]
fn consumers_of_a_queue_get_what_they_select() {
    let bench = Bench::new();
    let mut sender = bench.stomp(Version::V1_2);
    send_nine(&mut sender, "/queue/q", "");
    let mut red = bench.stomp(Version::V1_2);
    red.subscribe("1", "/queue/q", &selector("color = 'red'"));
    assert_eq!(red.bodies().concat(), "036");
    let mut heavy = bench.stomp(Version::V1_2);
    heavy.subscribe("1", "/queue/q", &selector("weight BETWEEN 5 AND 7"));
    assert_eq!(heavy.bodies().concat(), "57");
    sender.send("/queue/q", "color:red\nweight:1\n", "new");
    assert_eq!((red.bodies().concat(), heavy.bodies().concat()), ("new".into(), String::new()));
    let mut rest = bench.stomp(Version::V1_2);
    rest.subscribe("1", "/queue/q", "");
    assert_eq!(rest.bodies().concat(), "1248");
}

#[test]
fn a_durable_subscription_keeps_what_it_selects() {
    let bench = Bench::new();
    let connect = "CONNECT\naccept-version:1.2\nclient-id:me\n\n\0";
    let durable = "activemq.subscriptionName:news\n";
    let mut sender = bench.stomp(Version::V1_2);
    let mut client = bench.stomp_as(connect);
    let red = format!("{durable}{}", selector("color = 'red'"));
    client.subscribe("1", "/topic/n", &red);
    send_nine(&mut sender, "/topic/n", "persistent:true\n");
    assert_eq!(client.bodies().concat(), "036");
    client.hang_up();
    send_nine(&mut sender, "/topic/n", "persistent:true\n");
    let mut client = bench.stomp_as(connect);
    client.subscribe("1", "/topic/n", &red);
    assert_eq!(client.bodies().concat(), "036", "the same again is the same subscription");
    client.say("UNSUBSCRIBE\nid:1\n\n\0");
    send_nine(&mut sender, "/topic/n", "persistent:true\n");
    client.subscribe("1", "/topic/n", &format!("{durable}{}", selector("color <> 'red'")));
    assert!(client.bodies().is_empty(), "another selector makes it another subscription");
    send_nine(&mut sender, "/topic/n", "");
    assert_eq!(client.bodies().concat(), "124578");
    client.say("UNSUBSCRIBE\nid:1\n\n\0");
    client.subscribe("1", "/topic/n", durable);
    send_nine(&mut sender, "/topic/n", "");
    assert_eq!(client.bodies().concat(), "012345678");
}

#[test]
fn a_durable_subscription_leaves_out_what_its_client_sends() {
    let bench = Bench::new();
    let connect = "CONNECT\naccept-version:1.2\nclient-id:me\n\n\0";
    let mut client = bench.stomp_as(connect);
    let mut other = bench.stomp(Version::V1_2);
    client.subscribe("1", "/topic/n", "activemq.subscriptionName:a\nactivemq.noLocal:true\n");
    client.subscribe("2", "/topic/n", "activemq.subscriptionName:b\n");
    client.subscribe("3", "/topic/n", "activemq.subscriptionName:c\nactivemq.noLocal:true\n");
    client.send("/topic/n", "", "own");
    client.say("BEGIN\ntransaction:t\n\n\0");
    client.send("/topic/n", "transaction:t\n", "later");
    client.say("COMMIT\ntransaction:t\n\n\0");
    other.send("/topic/n", "", "other");
    let got = client.frames();
    let seen: Vec<_> = got.iter().map(|got| (got.get("subscription").unwrap(), got.text())).collect();
    let expected = [("2", "own"), ("2", "later"), ("1", "other"), ("2", "other"), ("3", "other")];
    assert_eq!(seen, expected);
    client.hang_up();
    let mut client = bench.stomp_as(connect);
    client.send("/topic/n", "", "before");
    client.subscribe("1", "/topic/n", "activemq.subscriptionName:a\nactivemq.noLocal:true\n");
    assert_eq!(client.bodies(), ["before"], "a connection that has no such subscription is another's");
}

#[test]
fn a_browser_shows_what_it_selects() {
    let bench = Bench::new();
    let mut client = bench.stomp(Version::V1_2);
    for _ in 0..200 {
        send_nine(&mut client, "/queue/q", "");
    }
    bench.pass(1);
    let browse = |client: &mut Client<'_>, text: &str| {
        client.subscribe("look", "/queue/q", &format!("browser:true\n{}", selector(text)));
        let got = client.frames();
        client.say("UNSUBSCRIBE\nid:look\n\n\0");
        assert_eq!(got.last().unwrap().get("browser"), Some("end"));
        got.len() - 1
    };
    assert_eq!(browse(&mut client, "weight = 3"), 200);
    assert_eq!(browse(&mut client, "weight = 30"), 0, "it ends where nothing is chosen");
    assert_eq!(browse(&mut client, "JMSRedelivered = FALSE"), 1_800);
}

#[test]
fn a_selector_that_is_wrong_is_refused() {
    let bench = Bench::new();
    let deep = format!("{}x{}", "(".repeat(1_000), ")".repeat(1_000));
    for text in ["color =", "color = 'red", "color = 'a' 'b'", "()", "hyphenated_props:a-b = 1", &deep] {
        for to in ["/topic/a", "/queue/a"] {
            let mut client = bench.stomp(Version::V1_2);
            client.subscribe("1", to, &format!("receipt:r\n{}", selector(text)));
            let error = client.error();
            let message = error.get("message").unwrap();
            assert!(message.starts_with("SUBSCRIBE: selector"), "{message}");
            assert_eq!(error.get("receipt-id"), Some("r"));
        }
    }
    let mut client = bench.stomp(Version::V1_2);
    client.send("/topic/a", "", "the broker goes on");
    assert!(client.frames().is_empty());
}

#[test]
fn properties_of_mqtt_publishers_are_selected_by() {
    use crate::adapters::mqtt::{MqttOptions, MqttSession};
    let bench = Bench::new();
    let options = std::sync::Arc::new(MqttOptions::default());
    let mut publisher = bench.client(MqttSession::new(options));
    publisher.say(b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02me");
    publisher.take();
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/topic/m", &selector("color = 'red' AND weight > 5"));
    for weight in [b'3', b'7'] {
        publisher.say(
            [
                b"\x30\x1e\x00\x01m\x19\x26\x00\x05color\x00\x03red\x26\x00\x06weight\x00\x01",
                &[weight][..],
                &[weight],
            ]
            .concat(),
        );
    }
    assert_eq!(client.bodies(), ["7"]);
    client.subscribe("2", "/topic/m", &selector("JMSDeliveryMode = 'NON_PERSISTENT' AND color IS NULL"));
    publisher.say(b"\x30\x05\x00\x01m\x00x");
    assert_eq!(client.bodies(), ["x"]);
}

#[test]
fn a_selector_holds_for_all_that_a_destination_names() {
    let bench = Bench::new();
    let mut sender = bench.stomp(Version::V1_2);
    send_nine(&mut sender, "/queue/a.1", "");
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("1", "/queue/a.*,/topic/t", &selector("color = 'red'"));
    send_nine(&mut sender, "/queue/a.2", "");
    send_nine(&mut sender, "/topic/t", "");
    assert_eq!(client.bodies().concat(), "036036036");
    client.say("UNSUBSCRIBE\nid:1\n\n\0");
    client.subscribe("2", "/queue/a.1?consumer.selector=weight%20=%208", "");
    assert_eq!(client.bodies().concat(), "8");
}
