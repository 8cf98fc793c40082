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
fn what_its_queue_delays_is_its_own_job() {
    let bench = Bench::new();
    for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
        let mut client = bench.stomp(version);
        let queue = format!("/queue/{version}");
        client.subscribe("q", &queue, "");
        client.send(&queue, "AMQ_SCHEDULED_DELAY:1000\n", "late");
        bench.pass(1_000);
        let got = one(&mut client);
        assert_eq!(got.get("scheduledJobId"), got.get("message-id"));
        client.send(&queue, "", "plain");
        assert_eq!(one(&mut client).get("scheduledJobId"), None);
    }
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
    for nothing in ["AMQ_SCHEDULED_DELAY:0", "AMQ_SCHEDULED_REPEAT:5", "AMQ_SCHEDULED_PERIOD:0"] {
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

#[test]
fn several_destinations_are_scheduled_together() {
    let bench = Bench::new();
    let mut client = listener(&bench);
    client.send("/queue/q,/topic/t", "AMQ_SCHEDULED_DELAY:1000\nreceipt:r\n", "x");
    assert_eq!(one(&mut client).get("receipt-id"), Some("r"));
    bench.pass(1_000);
    let got = client.await_frames(2);
    let jobs: Vec<_> = got.iter().map(|frame| frame.get("scheduledJobId").unwrap()).collect();
    assert_eq!(jobs[0], jobs[1]);
}

/// Says something to the scheduler; what comes beside the receipt.
fn manage(client: &mut Client<'_>, headers: &str, count: usize) -> Vec<Got> {
    client.send("/topic/ActiveMQ.Scheduler.Management", &format!("{headers}receipt:m\n"), "");
    let mut got = client.await_frames(1 + count);
    let receipt = got.iter().position(|frame| frame.command == Command::Receipt).unwrap();
    got.remove(receipt);
    assert_eq!(got.len(), count, "{got:?}");
    got
}

/// What the scheduler shows, in the order in which it was scheduled.
fn shown(client: &mut Client<'_>, headers: &str, count: usize) -> Vec<Got> {
    client.subscribe("r", "/queue/replies", "");
    let action = format!("AMQ_SCHEDULER_ACTION:BROWSE\nreply-to:/queue/replies\n{headers}");
    let got = manage(client, &action, count);
    client.say("UNSUBSCRIBE\nid:r\n\n\0");
    got
}

#[test]
fn the_scheduler_shows_what_it_will_send() {
    let bench = Bench::new();
    let mut client = listener(&bench);
    client.send("/queue/q", "AMQ_SCHEDULED_CRON:0 12 * * *\n", "noon");
    client.send(
        "/topic/t",
        "AMQ_SCHEDULED_DELAY:500\nAMQ_SCHEDULED_PERIOD:70\nAMQ_SCHEDULED_REPEAT:3\n",
        "x",
    );
    let got = shown(&mut client, "", 2);
    let headers = |got: &Got| {
        let names = ["original-destination", "scheduledTime", "AMQ_SCHEDULED_DELAY", "AMQ_SCHEDULED_PERIOD"];
        let names = names.into_iter().chain(["AMQ_SCHEDULED_REPEAT", "AMQ_SCHEDULED_CRON"]);
        names.map(|name| got.get(name).unwrap_or("-").to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((headers(&got[0]).as_str(), got[0].text()), ("/queue/q 43200000 - - 0 0 12 * * *", "noon"));
    assert_eq!((headers(&got[1]).as_str(), got[1].text()), ("/topic/t 1000500 500 70 3 -", "x"));
    let within = |start: u64, end: u64| format!("ACTION_START_TIME:{start}\nACTION_END_TIME:{end}\n");
    assert_eq!(shown(&mut client, &within(0, 1_000_500), 1)[0].text(), "x");
    assert_eq!(shown(&mut client, &within(1_000_501, 50_000_000), 1)[0].text(), "noon");
    // It was only shown.
    bench.pass(500);
    assert_eq!(one(&mut client).text(), "x");
}

#[test]
fn what_was_scheduled_is_taken_back() {
    let bench = Bench::new();
    let mut client = listener(&bench);
    for body in ["a", "b", "c", "d"] {
        client.send("/queue/q", "AMQ_SCHEDULED_PERIOD:100\nAMQ_SCHEDULED_REPEAT:5\n", body);
    }
    let got = shown(&mut client, "", 4);
    let job = got[1].get("scheduledJobId").unwrap();
    manage(&mut client, &format!("AMQ_SCHEDULER_ACTION:REMOVE\nscheduledJobId:{job}\n"), 0);
    bench.pass(100);
    let mut bodies: Vec<_> = client.await_frames(3).iter().map(|frame| frame.text().to_owned()).collect();
    bodies.sort();
    assert_eq!(bodies, ["a", "c", "d"]);
    let early = format!("ACTION_START_TIME:0\nACTION_END_TIME:{}\n", START + 199);
    manage(&mut client, &format!("AMQ_SCHEDULER_ACTION:REMOVEALL\n{early}"), 0);
    assert_eq!(shown(&mut client, "", 3).len(), 3);
    // In one read: what is before it and what is after it.
    let send = |body| format!("SEND\ndestination:/queue/q\nAMQ_SCHEDULED_PERIOD:100\n\n{body}\0");
    let remove =
        "SEND\ndestination:/topic/ActiveMQ.Scheduler.Management\nAMQ_SCHEDULER_ACTION:REMOVEALL\n\n\0";
    client.say(format!("{}{remove}{}", send("before"), send("e")));
    bench.pass(100);
    assert_eq!(one(&mut client).text(), "e");
    bench.pass(10_000);
    assert!(client.frames().is_empty());
}

#[test]
fn what_the_scheduler_does_not_do() {
    let bench = Bench::new();
    for (headers, words) in [
        ("AMQ_SCHEDULER_ACTION:LIST", "AMQ_SCHEDULER_ACTION is BROWSE, REMOVE or REMOVEALL"),
        ("AMQ_SCHEDULER_ACTION:BROWSE", "BROWSE needs reply-to"),
        ("AMQ_SCHEDULER_ACTION:BROWSE\nreply-to:/queue/a,/queue/b", "reply-to has to name one destination"),
        ("AMQ_SCHEDULER_ACTION:REMOVE", "REMOVE needs scheduledJobId"),
        ("AMQ_SCHEDULER_ACTION:REMOVE\nscheduledJobId:ID:x", "scheduledJobId is not one of this broker's"),
        (
            "AMQ_SCHEDULER_ACTION:REMOVEALL\nACTION_END_TIME:5",
            "ACTION_START_TIME and ACTION_END_TIME belong together",
        ),
        (
            "AMQ_SCHEDULER_ACTION:REMOVEALL\nACTION_START_TIME:x\nACTION_END_TIME:5",
            "ACTION_START_TIME is not a time",
        ),
        ("AMQ_SCHEDULER_ACTION:REMOVEALL\ntransaction:t", "takes part in no transaction"),
    ] {
        let mut client = bench.stomp(Version::V1_2);
        client.send("/topic/ActiveMQ.Scheduler.Management", &format!("{headers}\n"), "");
        let error = client.error();
        let message = error.get("message").unwrap().to_owned();
        assert!(message.contains(words), "{headers}: {message}");
    }
}
