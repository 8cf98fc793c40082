//! JMS applications: the program of `jms/` over ActiveMQ's client, one test for each of its classes;
//! `against-activemq` there runs the same on ActiveMQ.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::broker::files;
use crate::support::clients::{Client, run};
use crate::support::{Broker, Setup};

const SETTINGS: &str = include_str!("jms/settings.toml");
const LISTEN: &str = "openwire://127.0.0.1:0";
const INSTALL: &str = "install the JMS client and a JDK with tests/support/install-clients";

macro_rules! topics {
    ($($test:ident $class:literal)+) => {
        $(
            #[test]
            fn $test() {
                all_cases_pass($class);
            }
        )+
    };
}

topics! {
    queues "Queues"
    topics "Topics"
    acks "Acks"
    transactions "Transactions"
    redelivery "Redelivery"
    branches "Branches"
    returning "Returning"
    bodies "Bodies"
    producers "Producers"
    errors "Errors"
    connections "Connections"
    options "Options"
    differences "Differences"
    advisories "Advisories"

    durable "Durable"
    temporary "Temporary"
    browsers "Browsers"
    pull "Pull"
    selectors "Selectors"
    groups "Groups"
    exclusive "Exclusive"
    composite "Composite"
    wildcards "Wildcards"
    virtual_topics "VirtualTopics"
    scheduled "Scheduled"
    no_local "NoLocal"
    priority "Priority"
    expiry "Expiry"
    history "History"
    control "Control"
    failover "Failover"
}

/// Runs a class of cases, or one case, against a broker of its own.
#[track_caller]
fn all_cases_pass(cases: &str) {
    let broker = start();
    let ended = program("Main", &broker, &[cases]).ended(Duration::from_secs(170));
    assert_eq!(ended.code, Some(0), "{cases}:\n{}{}", ended.out, ended.err);
}

/// A broker as the program expects it.
pub(crate) fn start() -> Broker {
    Setup::new().listen(LISTEN).config(SETTINGS).start()
}

/// Starts a class of the program that has a `main`, with the URL of the broker and further arguments.
pub(crate) fn program(class: &str, broker: &Broker, arguments: &[&str]) -> Client {
    let mut command = java(class);
    command.arg(format!("tcp://{}", broker.address("openwire"))).args(arguments);
    run(&mut command)
}

/// The command that runs a class of the program.
pub(crate) fn java(class: &str) -> Command {
    let mut classpath = compiled().into_os_string();
    classpath.push(":");
    classpath.push(jars());
    let mut command = Command::new("java");
    command.args(["-Xmx1G", "-XX:TieredStopAtLevel=1", "-cp"]).arg(classpath).arg(class);
    command
}

/// Where the classes are. They are compiled once, by the first process that needs these sources.
fn compiled() -> PathBuf {
    let sources = files(&source_dir(), ".java");
    let mut hasher = DefaultHasher::new();
    sources.iter().for_each(|file| fs::read(file).unwrap().hash(&mut hasher));
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jms-classes");
    fs::create_dir_all(&all).unwrap();
    let classes = all.join(format!("{:016x}", hasher.finish()));
    let lock = File::create(all.join("lock")).unwrap();
    lock.lock().unwrap();
    if !classes.exists() {
        // Under its name only when it is whole.
        let unfinished = all.join("unfinished");
        compile(&sources, &unfinished);
        fs::rename(unfinished, &classes).unwrap();
    }
    classes
}

fn compile(sources: &[PathBuf], into: &Path) {
    let mut command = Command::new("javac");
    command.args(["-encoding", "UTF-8", "-cp", &jars(), "-d"]).arg(into).args(sources);
    let ended = command.output().unwrap_or_else(|error| panic!("javac: {error}; {INSTALL}"));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "javac does not compile tests/interop/jms:\n{said}");
}

/// The class path of ActiveMQ's client.
fn jars() -> String {
    let list = include_str!("jms/jars.txt").lines();
    let jars: Vec<_> = list.map(|jar| Path::new("/usr/share/java").join(jar)).collect();
    if let Some(missing) = jars.iter().find(|jar| !jar.exists()) {
        panic!("{} is missing; {INSTALL}", missing.display());
    }
    jars.iter().map(|jar| jar.display().to_string()).collect::<Vec<_>>().join(":")
}

fn source_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/jms")
}
