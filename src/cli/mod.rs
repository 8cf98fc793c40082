//! The command line: what was asked for, done, and the exit code that tells how it went.

mod args;
mod client;
mod config;
mod logging;
mod serve;
mod user;

use std::ffi::OsString;
use std::fmt;
use std::process::ExitCode;

use clap::Parser;

use crate::config::Problems;
use args::{Cli, Command};

/// Why a command did not do what it was asked for.
#[derive(Debug)]
enum Failure {
    /// What was asked for makes no sense, or the configuration is wrong: exit code 2.
    Usage(String),
    /// It went wrong: exit code 1.
    Run(String),
}

impl Failure {
    const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Run(_) => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(what) | Self::Run(what)) = self;
        f.write_str(what)
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Usage(problems.to_string())
    }
}

/// Does what the process was started for.
pub fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os()))
}

/// Does what `arguments` ask for, the program's name first, and returns the exit code: 0, 1 for a
/// failure at run time, 2 for wrong usage or configuration.
fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Where the terminal is gone there is nobody to tell.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    let done = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(options) => serve::serve(options),
        Command::Config { command } => config::run(command),
        Command::User { command } => user::run(command),
        Command::Send(options) => client::send(&options),
        Command::Receive(options) => client::receive(&options),
    };
    match done {
        Ok(()) => 0,
        Err(failure) => {
            eprintln!("wharfmq: {failure}");
            failure.code()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
