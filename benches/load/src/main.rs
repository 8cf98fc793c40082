//! Drives a broker with prepared messages and tells what came of them.
//!
//! Everything a message costs here is a few stores into a prepared block of bytes, a share of one `write` and
//! one `read`, and a look at 24 bytes of its payload, so that the broker and not this program is the limit.
//! Nothing is shared with the broker's own codecs: what is counted here is an outsider's count.

#[cfg(target_os = "linux")]
mod args;
#[cfg(target_os = "linux")]
mod clock;
#[cfg(target_os = "linux")]
mod engine;
#[cfg(target_os = "linux")]
mod fault;
#[cfg(target_os = "linux")]
mod flow;
#[cfg(target_os = "linux")]
mod fsync;
#[cfg(target_os = "linux")]
mod idle;
#[cfg(target_os = "linux")]
mod later;
#[cfg(target_os = "linux")]
mod ledger;
#[cfg(target_os = "linux")]
mod link;
#[cfg(target_os = "linux")]
mod mqtt;
#[cfg(target_os = "linux")]
mod others;
#[cfg(target_os = "linux")]
mod poll;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod relay;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod scenario;
#[cfg(target_os = "linux")]
mod stamp;
#[cfg(target_os = "linux")]
mod stomp;
#[cfg(target_os = "linux")]
mod stream;
#[cfg(target_os = "linux")]
mod template;
#[cfg(target_os = "linux")]
mod wire;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    match scenario::run(<args::Args as clap::Parser>::parse()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("wharfmq-load: {fault}");
            std::process::ExitCode::FAILURE
        }
    }
}

/// Times come from `/proc` and readiness from epoll.
#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("wharfmq-load runs on Linux only");
    std::process::ExitCode::FAILURE
}
