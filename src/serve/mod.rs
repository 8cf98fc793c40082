//! Starts the broker with its settings and runs it until it is told to stop: the one place that knows
//! every part.

mod adapters;
mod resolve;

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use tracing::info;
use wharfmq_base::Lsn;
use wharfmq_store::{Journal, JournalOptions, Log, MemoryLog};

use self::adapters::Adapters;
use crate::adapters::convert;
use crate::broker::{Broker, Options, TxLimits};
use crate::config::Settings;
use crate::config::settings::StoreKind;
use crate::net::{Hub, Server, reload_certificates};
use crate::runtime::{Clock, Notice, Stop, handle_signals, notify, raise_open_files};

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

async fn serve(
    settings: &Settings,
    broker: &Arc<Broker>,
    clock: Clock,
    began: Instant,
) -> Result<(), Failure> {
    let stop = Stop::new();
    let adapters = Arc::new(Adapters::new(Arc::clone(broker), settings));
    let hub = Hub::new(adapters, resolve::limits(settings), clock, Arc::clone(&stop));
    let server = Server::open(resolve::listeners(settings)?, hub)?;
    let profiles = server.tls().to_vec();
    handle_signals(Arc::clone(&stop), move || reload_certificates(&profiles, true))?;
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
    let options = Options {
        log: open_log(settings)?,
        settings: resolve::addresses(&settings.addresses)?,
        view: convert::header,
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

fn open_log(settings: &Settings) -> Result<Arc<dyn Log>, Failure> {
    if settings.store == StoreKind::Memory {
        return Ok(Arc::new(MemoryLog::new()));
    }
    let dir = &settings.data_dir;
    std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let options =
        JournalOptions { disk_free_min: settings.limits.disk_free_min.0, ..JournalOptions::new(dir) };
    Ok(Arc::new(Journal::open(options)?))
}
