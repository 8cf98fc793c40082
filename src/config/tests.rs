//! The loader from outside: text in, settings or problems out.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use wharfmq_base::{ByteSize, Millis};

use super::keys::{SECTIONS, Shape};
use super::settings::{ClientAuth, Groups, Identity, LogFormat, Nack, Overflow, Share, StoreKind};
use super::*;

struct Case {
    folder: TempDir,
    sources: Sources,
}

impl Case {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), sources: Sources::default() }
    }

    fn file(text: &str) -> Self {
        let mut case = Self::new();
        case.sources.file = Some(case.put("wharfmq.toml", text));
        case
    }

    /// With every key that there is, and the files it names.
    fn full() -> Self {
        let case = Self::file(FULL);
        PEMS.iter().for_each(|name| drop(case.put(name, "")));
        case
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        fs::write(&file, text).unwrap();
        file
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.env.push((OsString::from(name), OsString::from(value)));
        self
    }

    fn set(mut self, assignment: &str) -> Self {
        self.sources.set.push(assignment.into());
        self
    }

    fn settings(&self) -> Settings {
        load(&self.sources).unwrap_or_else(|problems| panic!("{problems}")).settings
    }

    /// The problems, the folder's name left out.
    fn problems(&self) -> Vec<String> {
        let problems = load(&self.sources).expect_err("should be refused");
        let folder = format!("{}/", self.folder.path().display());
        problems.0.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
    }

    fn problem(&self) -> String {
        let problems = self.problems();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        problems.into_iter().next().unwrap()
    }
}

#[test]
fn nothing_given() {
    let settings = Case::new().settings();
    let urls: Vec<String> = settings.listeners.iter().map(ToString::to_string).collect();
    assert_eq!(
        urls,
        [
            "mqtt://127.0.0.1:1883",
            "stomp://127.0.0.1:61613",
            "openwire://127.0.0.1:61616",
            "ws://127.0.0.1:61614"
        ]
    );
    assert!(settings.listeners.iter().all(|listener| listener.allow_anonymous && listener.tls.is_none()));
    assert_eq!(settings.data_dir, PathBuf::from("wharfmq-data"));
    assert_eq!(settings.store, StoreKind::Journal);
    assert_eq!(settings.drain_time, Millis(10_000));
    assert_eq!(settings.limits.max_frame, ByteSize(16 << 20));
    assert_eq!(settings.limits.disk_free_min, ByteSize(1 << 30));
    assert_eq!(settings.limits.max_connections, 100_000);
    assert!(settings.limits.memory.0 > 0);
    assert!(settings.addresses.is_empty() && settings.forwards.is_empty() && settings.virtual_topics);
    assert_eq!(settings.limits.destination_memory, Share::Percent(25).of(settings.limits.memory.0));
    assert_eq!(settings.limits.destination_disk, Share::Percent(50));
    assert_eq!(settings.log, Log { level: "info".into(), format: LogFormat::Text });
}

const FULL: &str = r#"
data_dir = "/var/lib/wharfmq"
drain_time = "1m"
[[listener]]
url = "mqtts://0.0.0.0:8883"
tls = "clients"
[[listener]]
url = "stomp://[::1]:0"
[tls.clients]
certificate = "server.pem"
key = "server.key"
client_ca = "clients.pem"
client_auth = "required"
identity = "san-uri"
[store]
kind = "memory"
sync = "always"
[[address]]
match = "queue://orders.>"
max_deliveries = 10
redelivery_delay = "1s"
redelivery_backoff = 2
dead_letter = "queue://DLQ.orders"
expiry = "4d"
max_messages = 1_000_000
max_bytes = "1GiB"
overflow = "drop-oldest"
priority = true
nack = "dead-letter"
lock_timeout = "30s"
expired = "drop"
groups = "strict"
dedup = "5m"
dedup_by = "order-id"
single_active = true
last_value = "symbol"
paused = true
[[address]]
match = "topic://prices.>"
dead_letter = "queue://DLQ.%n.eu"
history = 10
history_age = "10m"
[[forward]]
from = "queue://orders.>"
to = ["queue://audit", "topic://events"]
filter = "region = 'eu'"
[[forward]]
from = "topic://a"
to = "queue://b"
keep = false
[limits]
max_frame = "256MiB"
memory = "1GiB"
destination_disk = "1GiB"
[log]
level = "warn,wharfmq::net=trace"
format = "json"
"#;

const PEMS: [&str; 3] = ["server.pem", "server.key", "clients.pem"];

#[test]
fn a_full_file() {
    let case = Case::full();
    let pems = PEMS.map(|name| case.folder.path().join(name));
    let settings = case.settings();
    assert_eq!(settings.listeners.len(), 2);
    assert_eq!(settings.listeners[0].tls.as_deref(), Some("clients"));
    assert!(!settings.listeners[0].allow_anonymous);
    assert_eq!(settings.listeners[1].to_string(), "stomp://[::1]:0");
    let tls = &settings.tls["clients"];
    assert_eq!([&tls.certificate, &tls.key, tls.client_ca.as_ref().unwrap()], [&pems[0], &pems[1], &pems[2]]);
    assert_eq!((tls.client_auth, tls.identity), (ClientAuth::Required, Identity::SanUri));
    assert_eq!(settings.data_dir, PathBuf::from("/var/lib/wharfmq"));
    assert_eq!(settings.store, StoreKind::Memory);
    assert_eq!(settings.limits.memory, ByteSize(1 << 30));
    assert_eq!(settings.limits.destination_memory, ByteSize((1 << 30) / 100 * 25));
    assert_eq!(settings.limits.destination_disk, Share::Bytes(ByteSize(1 << 30)));
    assert_eq!(settings.log.format, LogFormat::Json);
}

#[test]
fn a_full_file_of_addresses() {
    let settings = Case::full().settings();
    let expected = AddressSettings {
        pattern: "queue://orders.>".into(),
        max_deliveries: Some(10),
        redelivery_delay: Some(Millis(1000)),
        redelivery_backoff: Some(2.0),
        nack: Some(Nack::DeadLetter),
        lock_timeout: Some(Millis(30_000)),
        dead_letter: Some(Grave::Queue("DLQ.orders".into())),
        expired: Some(Grave::Drop),
        expiry: Some(Millis(4 * 86_400_000)),
        max_messages: Some(1_000_000),
        max_bytes: Some(ByteSize(1 << 30)),
        overflow: Some(Overflow::DropOldest),
        priority: Some(true),
        groups: Some(Groups::Strict),
        dedup: Some(Millis(300_000)),
        dedup_by: Some("order-id".into()),
        single_active: Some(true),
        last_value: Some("symbol".into()),
        paused: Some(true),
        history: None,
        history_age: None,
    };
    let topics = AddressSettings {
        pattern: "topic://prices.>".into(),
        dead_letter: Some(Grave::Around("DLQ.".into(), ".eu".into())),
        history: Some(10),
        history_age: Some(Millis(600_000)),
        ..AddressSettings::default()
    };
    assert_eq!(settings.addresses, [expected, topics]);
}

#[test]
fn a_full_file_of_forwards() {
    let settings = Case::full().settings();
    let forward = |from: &str, to: &[&str], filter: Option<&str>, keep| ForwardSettings {
        from: from.into(),
        to: to.iter().map(|name| (*name).into()).collect(),
        filter: filter.map(Into::into),
        keep,
    };
    assert_eq!(
        settings.forwards,
        [
            forward("queue://orders.>", &["queue://audit", "topic://events"], Some("region = 'eu'"), true),
            forward("topic://a", &["queue://b"], None, false),
        ]
    );
}

#[test]
fn all_errors_are_named_with_place_and_nearest_key() {
    let case = Case::file(
        "data_dri = \"x\"\n[limits]\n  max_fram = \"1MiB\"\nmax_connections = \"many\"\nmemory = \"200%\"\n[limts]\n\
         [store]\nmax_frame = \"1MiB\"\n[[listener]]\n",
    );
    let problems = case.problems();
    let starts: Vec<&str> = problems.iter().map(|problem| problem.lines().next().unwrap()).collect();
    assert_eq!(
        starts,
        [
            "wharfmq.toml:1:1: unknown key `data_dri`",
            "wharfmq.toml:3:3: unknown key `max_fram` in [limits]",
            "wharfmq.toml:4:19: `limits.max_connections`: \"many\" is not a whole number",
            "wharfmq.toml:5:10: `limits.memory`: \"200%\" is not a share or size",
            "wharfmq.toml:6:2: unknown key `limts`",
            "wharfmq.toml:8:1: unknown key `max_frame` in [store]",
            "wharfmq.toml:9:1: [[listener]] needs the key `url`",
        ]
    );
    let hints: Vec<&str> = problems.iter().map(|problem| problem.lines().nth(1).unwrap().trim()).collect();
    assert_eq!(hints[0], "did you mean `data_dir`?");
    assert_eq!(hints[1], "did you mean `max_frame`?");
    assert_eq!(hints[4], "did you mean `limits`?");
    assert_eq!(hints[5], "`max_frame` belongs to [limits]");
}

#[test]
fn what_is_not_toml() {
    let problems = Case::file("[limits]\nmax_frame = \n[limits]\n").problems();
    assert!(problems[0].starts_with("wharfmq.toml:2:"), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.starts_with("wharfmq.toml:3:")), "{problems:?}");
    let mut case = Case::new();
    case.sources.file = Some(case.folder.path().join("none.toml"));
    assert!(case.problem().starts_with("none.toml: No such file"));
}

/// One letter of each key changed, in each source: the key is meant in the hint.
#[test]
fn every_mistyped_key_is_recognized() {
    for section in SECTIONS {
        for key in section.keys {
            let wrong = mistype(key.name);
            let header = match section.shape {
                _ if section.name.is_empty() => String::new(),
                Shape::Map => format!("[{}.x]\n", section.name),
                _ => format!("{}\n", section.header()),
            };
            let case = Case::file(&format!("{header}{wrong} = {}\n", key.example));
            let meant = format!("did you mean `{}`?", key.name);
            let place = if header.is_empty() { "wharfmq.toml:1:1: " } else { "wharfmq.toml:2:1: " };
            let found = case.problems().into_iter().find(|problem| problem.contains(&wrong)).unwrap();
            assert!(found.starts_with(place) && found.contains(&meant), "{found}");

            let path = match section.shape {
                _ if section.name.is_empty() => wrong.clone(),
                Shape::Table => format!("{}.{wrong}", section.name),
                Shape::List => format!("{}.0.{wrong}", section.name),
                Shape::Map => format!("{}.x.{wrong}", section.name),
            };
            let problem = Case::new().set(&format!("{path}=1")).problem();
            assert!(problem.starts_with("--set") && problem.contains(&meant), "{problem}");
            let name = format!("WHARFMQ__{}", path.to_uppercase().replace('.', "__"));
            let problem = Case::new().env(&name, "1").problem();
            assert!(
                problem.starts_with(&format!("environment {name}: ")) && problem.contains(&meant),
                "{problem}"
            );
        }
    }
    assert!(Case::new().set("limit.max_frame=1MiB").problem().contains("did you mean `limits.max_frame`?"));
}

fn mistype(name: &str) -> String {
    let middle = name.len() / 2;
    format!("{}q{}", &name[..middle], &name[middle + 1..])
}

#[test]
fn later_beats_earlier() {
    let mut case =
        Case::file("[limits]\nmax_connections = 1\nlogin_timeout = \"1s\"\nmax_frame = \"1MiB\"\n")
            .env("WHARFMQ__LIMITS__MAX_CONNECTIONS", "2")
            .env("WHARFMQ__LIMITS__LOGIN_TIMEOUT", "2s")
            .env("WHARFMQ__LOG__LEVEL", "debug")
            .env("WHARFMQ__DATA_DIR", "/env")
            .env("PATH", "/bin")
            .set("limits.max_connections=3")
            .set("limits.max_connections=4")
            .set("log.level=trace")
            .set("store.kind=journal");
    case.sources.flags = Flags { log: Some("error".into()), memory: true, ..Flags::default() };
    let settings = case.settings();
    assert_eq!(settings.limits.max_frame, ByteSize(1 << 20));
    assert_eq!(settings.limits.login_timeout, Millis(2000));
    assert_eq!(settings.limits.max_connections, 4);
    assert_eq!(settings.data_dir, PathBuf::from("/env"));
    assert_eq!(settings.log.level, "error");
    assert_eq!(settings.store, StoreKind::Memory);
}

#[test]
fn lists_and_names_by_set_and_env() {
    let case = Case::new()
        .set("listener.1.url=stomp://127.0.0.1:0")
        .env("WHARFMQ__LISTENER__0__URL", "mqtt://127.0.0.1:0")
        .set("address.0.match=topic://a.*")
        .set("address.0.priority=true")
        .set("address.0.redelivery_backoff=1.5");
    let settings = case.settings();
    assert_eq!(settings.listeners[1].to_string(), "stomp://127.0.0.1:0");
    assert_eq!(settings.addresses[0].priority, Some(true));
    assert_eq!(settings.addresses[0].redelivery_backoff, Some(1.5));
    assert!(Case::new().set("listener.1.url=mqtt://127.0.0.1").problem().contains("number 0 is missing"));
    assert!(Case::new().set("listener.x.url=mqtt://127.0.0.1").problem().contains("not a number"));
    assert!(Case::new().set("listener.99999999.url=mqtt://127.0.0.1").problem().contains("not a number"));
    assert!(Case::new().set("listener.url=mqtt://127.0.0.1").problem().contains("listener.NUMBER.KEY"));
    assert!(Case::new().set("tls.key=x").problem().contains("tls.NAME.KEY"));
    assert!(Case::new().set("limits.a.max_frame=1").problem().contains("limits.KEY"));
    assert!(Case::new().set("limits.max_connections=many").problem().contains("is not a whole number"));
    assert!(Case::new().set("nonsense").problem().contains("KEY=VALUE"));
}

#[test]
fn listen_replaces_every_listener() {
    let mut case =
        Case::file("[[listener]]\nurl = \"mqtt://0.0.0.0\"\n[[listener]]\nurl = \"stomp://0.0.0.0\"\n");
    case.sources.flags.listen = vec!["auto://127.0.0.1:0".into()];
    assert_eq!(case.settings().listeners.len(), 1);
}

#[test]
fn nothing_is_open_by_accident() {
    let open = "[[listener]]\nurl = \"mqtt://0.0.0.0:1883\"\n";
    let problem = Case::file(open).problem();
    assert!(problem.starts_with("wharfmq.toml:2:7: mqtt://0.0.0.0:1883 would let anyone in"), "{problem}");
    assert!(problem.contains("allow_anonymous = true under [security]"), "{problem}");
    let settings = Case::file(&format!("{open}[security]\nallow_anonymous = true\n")).settings();
    assert!(settings.listeners[0].allow_anonymous);
    let problem = Case::new().set("security.allow_anonymous=false").problems().concat();
    assert!(problem.contains("there are no users"), "{problem}");
    for (allowed, is_open) in
        [("", false), ("allow_anonymous = false\n", false), ("allow_anonymous = true\n", true)]
    {
        let case = Case::file(&format!("{open}[security]\nusers_file = \"u\"\n{allowed}"));
        case.put("u", "");
        assert_eq!(case.settings().listeners[0].allow_anonymous, is_open);
    }
    let problem = Case::file("[security]\nusers_file = \"none\"\n").problem();
    assert!(problem.starts_with("wharfmq.toml:2:14: ") && problem.contains("wharfmq user add"), "{problem}");
}

#[test]
fn only_a_listener_that_asks_every_client_counts_as_closed() {
    let tls = |auth: &str| {
        format!("[tls.default]\ncertificate=\"c\"\nkey=\"c\"\nclient_ca=\"c\"\nclient_auth=\"{auth}\"\n")
    };
    let starts = |url: &str, auth: &str| {
        let case = Case::file(&format!("[[listener]]\nurl=\"{url}\"\n{}", tls(auth)));
        case.put("c", "");
        load(&case.sources).is_ok()
    };
    assert!(starts("mqtts://0.0.0.0", "required"));
    assert!(!starts("mqtts://0.0.0.0", "optional"));
    assert!(!starts("auto://0.0.0.0:1", "required"), "auto takes plain connections, too");
    assert!(!starts("mqtt://0.0.0.0", "required"));
}

#[test]
fn tls_needs_a_certificate() {
    let problem = Case::new().set("listener.0.url=mqtts://127.0.0.1").problem();
    assert!(problem.contains("no section [tls.default]") && problem.contains("--dev-tls"), "{problem}");
    let problem = Case::new().set("listener.0.url=mqtts://127.0.0.1?tls=mine").problem();
    assert!(problem.contains("no section [tls.mine]"), "{problem}");
    let problem = Case::new().set("listener.0.url=mqtt://127.0.0.1?tls=mine").problem();
    assert!(problem.contains("write mqtts://"), "{problem}");
    let problem = Case::file("[tls.default]\ncertificate = \"c\"\nkey = \"k\"\n").problems().concat();
    assert!(problem.contains(":2:15: c: No such file") && problem.contains(":3:7: k: No such"), "{problem}");
    let case = Case::file("[tls.default]\ncertificate = \"c\"\nkey = \"c\"\nclient_auth = \"required\"\n");
    case.put("c", "");
    assert!(case.problem().contains("needs client_ca"));
    assert!(Case::file("[tls]\ncertificate = \"c\"\n").problem().contains("[tls.NAME]"));
    assert!(Case::file("[listener]\nurl = \"mqtt://127.0.0.1\"\n").problem().contains("[[listener]]"));
}

#[test]
fn tls_twins() {
    let case = Case::file("[tls.default]\ncertificate = \"c\"\nkey = \"c\"\n");
    case.put("c", "");
    let urls: Vec<String> = case.settings().listeners.iter().map(ToString::to_string).collect();
    let expected = [
        "mqtt://127.0.0.1:1883",
        "mqtts://127.0.0.1:8883",
        "stomp://127.0.0.1:61613",
        "stomps://127.0.0.1:61612",
        "openwire://127.0.0.1:61616",
        "openwires://127.0.0.1:61617",
        "ws://127.0.0.1:61614",
        "wss://127.0.0.1:61619",
    ];
    assert_eq!(urls, expected);
    let mut dev = Case::new();
    dev.sources.flags.dev_tls = true;
    let settings = dev.settings();
    assert_eq!(settings.listeners.len(), 8);
    assert_eq!(settings.tls["default"].certificate, PathBuf::from("wharfmq-data/dev-tls/server.pem"));
    dev.sources.file = case.sources.file.clone();
    assert!(dev.problem().contains("exclude each other"));
}

#[test]
fn bounds() {
    for (assignment, part) in [
        ("limits.max_frame=512MiB", "outside 1KiB to 256MiB"),
        ("limits.max_frame=1", "outside 1KiB to 256MiB"),
        ("limits.max_frame_before_login=1", "outside 1KiB to 256MiB"),
        ("limits.login_timeout=1ms", "outside 100 ms"),
        ("limits.max_connections=0", "refuse all"),
        ("limits.max_connections=-1", "not a whole number"),
        ("limits.memory=1MiB", "outside 16MiB to more"),
        ("limits.destination_memory=1KiB", "outside 1MiB to more"),
        ("limits.destination_memory=0%", "is not a share or size"),
        ("limits.destination_disk=1KiB", "outside 1MiB to more"),
        ("limits.destination_disk=101%", "is not a share or size"),
        ("virtual_topics=maybe", "is not a boolean"),
        ("log.level=loud", "`loud` is not a log level"),
        ("log.format=xml", "one of text json"),
        ("store.kind=postgres", "does not keep messages in PostgreSQL yet"),
        ("store.sync=never", "one of always"),
        ("listener.0.url=amqp://127.0.0.1", "does not speak amqp yet"),
    ] {
        let problem = Case::new().set(assignment).problem();
        assert!(problem.contains(part), "{assignment}: {problem}");
    }
    for (line, part) in [
        ("match = \"orders\"", "does not begin with queue://"),
        ("match = \"queue://a.>.b\"", "`>` can only come last"),
        ("match = \"queue://a*\"", "whole levels"),
        ("match = \"queue://a\"\n[[address]]\nmatch = \"queue://a\"", "has settings already"),
    ] {
        let problem = Case::file(&format!("[[address]]\n{line}\n")).problem();
        assert!(problem.contains(part), "{line}: {problem}");
    }
}

/// Each is refused where it stands, by its key and with what it may be.
#[test]
fn every_policy_value_out_of_range() {
    let cases = [
        ("max_deliveries = 256", "`max_deliveries` goes from 0 to 255"),
        ("max_deliveries = -1", "-1 is not a whole number"),
        ("redelivery_delay = \"25h\"", "`redelivery_delay` goes from 0ms to 1d"),
        ("redelivery_delay = 5", "5 is not a duration"),
        ("redelivery_backoff = 0.5", "`redelivery_backoff` goes from 1.0 to 1000"),
        ("redelivery_backoff = 1000.5", "`redelivery_backoff` goes from 1.0 to 1000"),
        ("redelivery_backoff = nan", "`redelivery_backoff` goes from 1.0 to 1000"),
        ("nack = \"drop\"", "one of retry dead-letter discard"),
        ("lock_timeout = \"999ms\"", "`lock_timeout` goes from 1s to 30d"),
        ("lock_timeout = \"31d\"", "`lock_timeout` goes from 1s to 30d"),
        ("dead_letter = \"topic://x\"", "`dead_letter`: `topic://x` is neither queue://NAME"),
        ("dead_letter = \"queue://\"", "neither queue://NAME"),
        ("dead_letter = \"queue://a.*\"", "neither queue://NAME"),
        ("dead_letter = \"queue://%n\"", "not alone"),
        ("expired = \"queue://%n.%n\"", "`%n` may stand once in NAME"),
        ("expired = \"nowhere\"", "`expired`: `nowhere` is neither queue://NAME"),
        ("expiry = \"0s\"", "`expiry` is at least 1ms"),
        ("max_messages = 0", "`max_messages` is at least 1"),
        ("max_bytes = 0", "`max_bytes` is at least 1B"),
        ("overflow = \"wait\"", "one of block reject drop-oldest dead-letter"),
        ("priority = 9", "9 is not a boolean"),
        ("groups = \"fifo\"", "one of sticky strict none"),
        ("dedup = \"500ms\"", "`dedup` goes from 1s to 7d"),
        ("dedup = \"8d\"", "`dedup` goes from 1s to 7d"),
        ("dedup_by = \"\"", "`dedup_by` is the name of a header, of 1 to 255 bytes"),
        ("single_active = 1", "1 is not a boolean"),
        ("last_value = \"a\\nb\"", "`last_value` is the name of a header"),
        ("paused = \"yes\"", "is not a boolean"),
        ("history = 0", "`history` goes from 1 to 100000"),
        ("history = 100_001", "`history` goes from 1 to 100000"),
        ("history_age = \"0s\"", "`history_age` goes from 1s to 30d"),
        ("history_age = \"31d\"", "`history_age` goes from 1s to 30d"),
    ];
    for (line, part) in cases {
        let problem = Case::file(&format!("[[address]]\nmatch = \"topic://a\"\n{line}\n")).problem();
        let (key, _) = line.split_once(" = ").unwrap();
        let column = key.len() + " = ".len() + 1;
        assert!(problem.starts_with(&format!("wharfmq.toml:3:{column}: ")), "{line}: {problem}");
        assert!(problem.contains(part) && problem.contains(key), "{line}: {problem}");
    }
    let in_policy = schema::Address::SECTION.keys.iter().filter(|key| key.name != "match");
    for key in in_policy {
        assert!(cases.iter().any(|(line, _)| line.split_once(" = ").unwrap().0 == key.name), "{}", key.name);
    }
    for key in ["history = 1", "history_age = \"1s\""] {
        let problem = Case::file(&format!("[[address]]\nmatch = \"queue://a\"\n{key}\n")).problem();
        assert!(problem.contains("is for topics"), "{problem}");
    }
    let case =
        Case::file("[[address]]\nmatch = \"queue://a\"\nmax_deliveries = 255\nlock_timeout = \"30d\"\n");
    assert_eq!(case.settings().addresses[0].max_deliveries, Some(255));
}

#[test]
fn forwards_are_checked() {
    let many = format!("from = \"queue://a\"\nto = {:?}", vec!["queue://b"; 101]);
    for (lines, part) in [
        ("from = \"orders\"\nto = \"queue://b\"", "wharfmq.toml:2:8: `orders` does not begin with queue://"),
        ("from = \"queue://a\"\nto = []", "wharfmq.toml:3:6: `to` names 1 to 100"),
        (&many, "wharfmq.toml:3:6: `to` names 1 to 100"),
        ("from = \"queue://a\"\nto = [\"queue://b.>\"]", "wharfmq.toml:3:6: `queue://b.>` has a wildcard"),
        ("from = \"queue://a\"\nto = \"queue://a\"", "forwarded to itself"),
        (
            "from = \"queue://a\"\nto = 5",
            "wharfmq.toml:3:6: `forward.0.to`: 5 is not a text or list of texts",
        ),
        ("from = \"queue://a\"", "needs the key `to`"),
    ] {
        let problem = Case::file(&format!("[[forward]]\n{lines}\n")).problem();
        assert!(problem.contains(part), "{lines}: {problem}");
    }
    let case = Case::new().set("forward.0.from=queue://a").set("forward.0.to=[\"queue://b\", \"topic://c\"]");
    assert_eq!(case.settings().forwards[0].to, ["queue://b", "topic://c"]);
}

#[test]
fn a_small_frame_bounds_the_one_before_login() {
    let settings = Case::new().set("limits.max_frame=32KiB").settings();
    assert_eq!(settings.limits.max_frame_before_login, ByteSize(32 << 10));
}

#[test]
fn two_listeners_on_one_place() {
    let case = Case::new().set("listener.0.url=mqtt://127.0.0.1:9").set("listener.1.url=stomp://127.0.0.1:9");
    assert!(case.problem().contains("listens there already"));
    Case::new().set("listener.0.url=mqtt://127.0.0.1:0").set("listener.1.url=mqtt://127.0.0.1:0").settings();
}

#[test]
fn what_comes_later_is_refused_and_said() {
    for (text, place) in
        [("[[acl]]\ndestination = \"topic://x\"\n", "1:3"), ("[store]\nencryption_key_file = \"k\"\n", "2:1")]
    {
        let problem = Case::file(text).problem();
        assert!(
            problem.starts_with(&format!("wharfmq.toml:{place}: this version does not have ")),
            "{problem}"
        );
    }
    assert!(Case::new().set("acl.0.user=x").problem().contains("does not have access rules"));
    assert!(Case::new().env("WHARFMQ__ACL__0__USER", "x").problem().contains("does not have access rules"));
}

#[test]
fn show_says_origins_and_loads_to_the_same() {
    let case = Case::file(
        "data_dir = \"/d\\u0007\"\n[limits]\nmax_connections = 7\nmemory = \"1GiB\"\n[[address]]\nmatch = \"queue://a\"\n\
         overflow = \"reject\"\n",
    )
    .env("WHARFMQ__LOG__LEVEL", "debug")
    .set("limits.max_frame=1MiB")
    .set("address.1.match=queue://b");
    let loaded = load(&case.sources).unwrap();
    let text = show(&loaded);
    let has = |line: &str| {
        assert!(text.replace(&*case.folder.path().to_string_lossy(), "").contains(line), "{text}")
    };
    has("max_connections = 7  # /wharfmq.toml:3:19");
    has("level = \"debug\"  # environment WHARFMQ__LOG__LEVEL");
    has("max_frame = \"1MiB\"  # --set limits.max_frame=1MiB");
    has("max_frame_before_login = \"64KiB\"  # default");
    has("url = \"mqtt://127.0.0.1:1883\"  # default");
    let again = Case::file(&text);
    assert_eq!(again.settings(), loaded.settings);
}

#[test]
fn show_of_made_certificates_loads_to_the_same() {
    let mut case = Case::new();
    case.sources.flags =
        Flags { dev_tls: true, data_dir: Some(case.folder.path().to_owned()), ..Flags::default() };
    dev_tls::make(case.folder.path()).unwrap();
    let loaded = load(&case.sources).unwrap();
    let again = Case::file(&show(&loaded)).settings();
    assert_eq!(Settings { dev_tls: true, ..again }, loaded.settings);
}

#[test]
fn dev_certificates_are_made_once_and_renewed() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let files = dev_tls::make(folder.path()).unwrap();
    let ca = fs::read(&files.ca).unwrap();
    let server = fs::read(&files.certificate).unwrap();
    for key in [&files.key, &files.ca_key] {
        assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    }
    dev_tls::make(folder.path()).unwrap();
    assert_eq!(fs::read(&files.ca).unwrap(), ca);
    assert_ne!(fs::read(&files.certificate).unwrap(), server);
}
