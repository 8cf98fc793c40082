//! Starts the broker with its settings and runs it until it is told to stop: the one place that knows
//! every part.

mod adapters;
mod destinations;
mod resolve;
mod statistics;
mod users;

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use tracing::info;
use wharfmq_base::Lsn;
use wharfmq_store::{Journal, JournalOptions, Log, MemoryLog};

use self::adapters::Adapters;
use self::destinations::Shares;
use self::users::Roll;
use crate::adapters::convert;
use crate::broker::{Broker, Options, Topology, TxLimits};
use crate::config::entries::Instance;
use crate::config::settings::{SharedChoice, StoreKind};
use crate::config::{Loaded, Problem, Problems, Settings};
use crate::net::{Hub, Server, reload_certificates};
use crate::runtime::{Clock, Notice, Stop, handle_signals, notify, raise_open_files};

/// What a queue may always take: a disk that is full at the start may have room again later.
const SHARE_MIN: u64 = 1 << 20;

/// What made the broker fail, in words for the operator.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Runs the broker. Returns after a clean stop, or with what made it fail.
///
/// # Errors
/// Settings that cannot be carried out, a store that cannot be opened, listeners that cannot be
/// opened, and a store that failed while the broker ran.
pub fn run(settings: Settings) -> Result<(), Failure> {
    let began = Instant::now();
    raise_open_files();
    let clock = Clock::system();
    let broker = open_broker(&settings, clock)?;
    statistics::publish(&broker, &settings);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve(&settings, &broker, clock, began));
    drop(runtime);
    match broker.log().durable().failure() {
        Some(failure) => Err(format!("the store has failed: {failure}").into()),
        None => {
            broker.stop()?;
            served
        }
    }
}

/// Names what is wrong with a configuration that only the parts know which it is for.
///
/// # Errors
/// A selector that cannot be read, with the place where it is written; and what is wrong in the users file.
pub fn check(loaded: &Loaded) -> Result<(), Problems> {
    let mut problems = Vec::new();
    for (n, forward) in loaded.settings.forwards.iter().enumerate() {
        if let Some(Err(why)) = forward.filter.as_deref().map(destinations::selector) {
            let at = loaded.entries.origin("forward", &Instance::Number(n), "filter");
            problems.push(Problem::new(at, format!("`filter`: {why}")));
        }
    }
    if let Some(why) = loaded.settings.users_file.as_deref().and_then(users::fault) {
        problems.push(Problem::new(loaded.entries.origin("security", &Instance::Only, "users_file"), why));
    }
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

async fn serve(
    settings: &Settings,
    broker: &Arc<Broker>,
    clock: Clock,
    began: Instant,
) -> Result<(), Failure> {
    let stop = Stop::new();
    let adapters = Arc::new(Adapters::new(Arc::clone(broker), settings));
    let hub = Hub::new(adapters, resolve::limits(settings), clock, Arc::clone(&stop));
    let users = Roll::read(settings, broker)?;
    let server = Server::open(resolve::listeners(settings)?, hub)?;
    let profiles = server.tls().to_vec();
    let reload = move || {
        reload_certificates(&profiles, true);
        users.reload();
    };
    handle_signals(Arc::clone(&stop), reload)?;
    stop_on_failure(Arc::clone(broker.log()), stop)?;
    info!("ready in {} ms: {server}", began.elapsed().as_millis());
    notify(Notice::Ready);
    server.run().await;
    Ok(())
}

/// A log that has failed can confirm nothing any more: clients are better off elsewhere.
fn stop_on_failure(log: Arc<dyn Log>, stop: Arc<Stop>) -> Result<(), Failure> {
    let watch = move || {
        if !log.durable().wait(Lsn(u64::MAX)) {
            stop.stop();
        }
    };
    std::thread::Builder::new().name("log-watch".into()).spawn(watch)?;
    Ok(())
}

/// Opens the log, and the broker over it.
fn open_broker(settings: &Settings, clock: Clock) -> Result<Arc<Broker>, Failure> {
    let (log, shares) = open_log(settings)?;
    let options = Options {
        log,
        settings: destinations::addresses(&settings.addresses, shares, settings.mqtt.max_queued_messages)?,
        view: convert::header,
        topology: Topology {
            virtual_topics: settings.virtual_topics,
            forwards: destinations::forwards(&settings.forwards)?,
            shared_sticky: settings.mqtt.shared_choice == SharedChoice::Sticky,
        },
        memory: settings.limits.memory.0,
        transactions: TxLimits {
            ops: settings.limits.max_transaction_messages as usize,
            bytes: usize::try_from(settings.limits.max_transaction_bytes.0).unwrap_or(usize::MAX),
            timeout: settings.limits.transaction_timeout,
        },
        clock: Arc::new(move || clock.now()),
    };
    let (broker, recovered, messages) = Broker::open(options)?;
    if let Some((bytes, file)) = recovered.cut {
        tracing::warn!(
            "the log ended in {bytes} bytes that a crash had cut off; they are kept in {}",
            file.display()
        );
    }
    if messages > 0 {
        info!("{messages} messages found in {}", settings.data_dir.display());
    }
    Ok(broker)
}

/// The log, and how much of it one queue may take.
fn open_log(settings: &Settings) -> Result<(Arc<dyn Log>, Shares), Failure> {
    let limits = &settings.limits;
    let volatile = limits.destination_memory.0.max(SHARE_MIN);
    if settings.store == StoreKind::Memory {
        return Ok((Arc::new(MemoryLog::new()), Shares { volatile, stored: volatile }));
    }
    let dir = &settings.data_dir;
    std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let options = JournalOptions { disk_free_min: limits.disk_free_min.0, ..JournalOptions::new(dir) };
    let journal = Journal::open(options)?;
    let room = journal.room().map_err(|error| format!("{}: {error}", dir.display()))?;
    let stored = limits.destination_disk.of(room).0.max(SHARE_MIN);
    Ok((Arc::new(journal), Shares { volatile, stored }))
}
