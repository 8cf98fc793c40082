use super::*;

/// Lets a client subscribe to both places of the tests.
fn listener(bench: &Bench) -> Client<'_> {
    let mut client = bench.stomp(Version::V1_2);
    client.subscribe("q", "/queue/q", "");
    client.subscribe("t", "/topic/t", "");
    client
}

fn one(client: &mut Client<'_>) -> Got {
    let mut got = client.await_frames(1);
    assert_eq!(got.len(), 1, "{got:?}");
    got.remove(0)
}

#[test]
fn a_delay_on_a_topic() {
    let bench = Bench::new();
    let mut client = listener(&bench);
    client.send("/topic/t", "AMQ_SCHEDULED_DELAY:1000\nreceipt:r\n", "x");
    assert_eq!(one(&mut client).get("receipt-id"), Some("r"));
    bench.pass(999);
    assert!(client.frames().is_empty());
    bench.pass(1);
    let got = one(&mut client);
    assert_eq!((got.get("destination"), got.text()), (Some("/topic/t"), "x"));
    assert_eq!(got.get("timestamp"), Some((START + 1_000).to_string().as_str()));
}

#[test]
fn a_message_says_which_job_sent_it_and_nothing_of_its_schedule() {
    let bench = Bench::new();
    let mut client = listener(&bench);
    let headers = "AMQ_SCHEDULED_DELAY:500\nAMQ_SCHEDULED_PERIOD:100\nAMQ_SCHEDULED_REPEAT:2\n\
                   scheduledJobId:forged\ncolour:red\n";
    client.send("/queue/q", headers, "x");
    let mut seen = Vec::new();
    for pause in [500, 100, 100] {
        bench.pass(pause);
        let got = one(&mut client);
        assert!(!got.headers.iter().any(|(name, _)| name.starts_with("AMQ_SCHEDULED")), "{got:?}");
        assert_eq!((got.get("colour"), got.text()), (Some("red"), "x"));
        seen.push((got.get("scheduledJobId").unwrap().to_owned(), got.get("message-id").unwrap().to_owned()));
    }
    assert!(seen.iter().all(|(job, _)| *job == seen[0].0 && job.starts_with("ID:wharfmq-")), "{seen:?}");
    let ids: std::collections::HashSet<_> = seen.iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), 3);
    bench.pass(1_000_000);
    assert!(client.frames().is_empty());
}

#[test]
fn a_cron_entry_in_any_version() {
    let bench = Bench::new();
    for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
        let mut client = bench.stomp(version);
        let queue = format!("/queue/{version}");
        client.subscribe("1", &queue, "");
        client.send(&queue, "AMQ_SCHEDULED_CRON:*/30 * * * *\n", "x");
        bench.pass(30 * 60_000);
        assert!(one(&mut client).get("scheduledJobId").unwrap().starts_with("ID:wharfmq-"));
    }
}

#[test]
fn schedules_in_a_transaction() {
    let bench = Bench::new();
    let mut client = listener(&bench);
    for (name, end) in [("a", "ABORT"), ("b", "COMMIT")] {
        client.say(format!("BEGIN\ntransaction:{name}\n\n\0"));
        client.send("/topic/t", &format!("transaction:{name}\nAMQ_SCHEDULED_DELAY:1000\n"), name);
        client.say(format!("{end}\ntransaction:{name}\n\n\0"));
    }
    bench.pass(1_000);
    assert_eq!(one(&mut client).text(), "b");
    assert!(client.frames().is_empty());
}

#[test]
fn what_asks_for_nothing_is_sent_at_once() {
    let bench = Bench::new();
    let mut client = listener(&bench);
    for nothing in
        ["AMQ_SCHEDULED_DELAY:0", "AMQ_SCHEDULED_REPEAT:5", "AMQ_SCHEDULED_CRON: ", "AMQ_SCHEDULED_PERIOD:0"]
    {
        client.send("/topic/t", &format!("{nothing}\n"), "x");
        client.send("/queue/q", &format!("{nothing}\n"), "y");
        let got = client.await_frames(2);
        assert!(got.iter().all(|frame| frame.get("scheduledJobId").is_none()), "{got:?}");
    }
}

#[test]
fn what_cannot_be_scheduled() {
    let bench = Bench::new();
    for (headers, words) in [
        ("AMQ_SCHEDULED_DELAY:-1", "AMQ_SCHEDULED_DELAY is a number of milliseconds from 0 to"),
        ("AMQ_SCHEDULED_PERIOD:soon", "AMQ_SCHEDULED_PERIOD is a number of milliseconds from 0 to"),
        ("AMQ_SCHEDULED_PERIOD:999999999999", "AMQ_SCHEDULED_PERIOD is a number of milliseconds from 0 to"),
        (
            "AMQ_SCHEDULED_PERIOD:1\nAMQ_SCHEDULED_REPEAT:1001",
            "AMQ_SCHEDULED_REPEAT is a number from 0 to 1000",
        ),
        ("AMQ_SCHEDULED_REPEAT:-2", "AMQ_SCHEDULED_REPEAT is a number from 0 to 1000"),
        ("AMQ_SCHEDULED_DELAY:1\nAMQ_SCHEDULED_REPEAT:-1", "needs AMQ_SCHEDULED_PERIOD"),
        ("AMQ_SCHEDULED_CRON:* * * * *\nAMQ_SCHEDULED_REPEAT:-1", "leave one of them out"),
        ("AMQ_SCHEDULED_CRON: ", "AMQ_SCHEDULED_CRON: it has to have five fields"),
        ("AMQ_SCHEDULED_CRON:* * * *", "AMQ_SCHEDULED_CRON: it has to have five fields"),
        ("AMQ_SCHEDULED_CRON:0 25 * * *", "AMQ_SCHEDULED_CRON: the hour has to be"),
        ("AMQ_SCHEDULED_CRON:0 0 30 2 *", "AMQ_SCHEDULED_CRON: there is no such time"),
    ] {
        let mut client = bench.stomp(Version::V1_2);
        client.send("/topic/t", &format!("{headers}\n"), "x");
        let error = client.error();
        let message = error.get("message").unwrap().to_owned();
        assert!(message.contains(words), "{headers}: {message}");
    }
}
