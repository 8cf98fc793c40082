//! What every WharfMQ crate shares: ranked locks, the memory pool, places in the log, units.
//!
//! A leaf crate: it depends on nothing of ours and knows nothing of brokers.

mod lock;
mod log_limit;
mod memory;
mod network;
mod place;
mod units;

pub use lock::{RankedGuard, RankedMutex, rank};
pub use log_limit::LogLimit;
pub use memory::{Lease, MemoryPool, Pressure};
pub use network::Network;
pub use place::{Location, Lsn};
pub use units::{ByteSize, Millis, ParseUnitError, parse_duration, write_duration};
