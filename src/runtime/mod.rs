//! What a server process needs around its broker: the time, an orderly stop, its supervisor.

mod clock;
mod files;
mod notify;
mod signals;
mod stop;

pub use clock::Clock;
pub use files::raise_open_files;
pub use notify::{Notice, notify};
pub use signals::handle_signals;
pub use stop::{Phase, Stop, StopWatch};
pub use wharfmq_base::LogLimit;
