//! The command line as it is typed: the real program, its output and its exit codes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod cli {
    mod client;
    mod config;
    mod migration;
    mod usage;
    mod user;

    use std::process::{Command, Output};

    /// What a run of the program came to.
    pub(crate) struct Run {
        pub(crate) code: i32,
        pub(crate) out: String,
        pub(crate) err: String,
    }

    /// The program with these arguments, split at blanks, in an environment that says nothing to it.
    pub(crate) fn command(arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharfmq"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WHARFMQ__") {
                command.env_remove(name);
            }
        }
        command.args(arguments.split_whitespace());
        command
    }

    pub(crate) fn run(arguments: &str) -> Run {
        command(arguments).output().unwrap().into()
    }

    impl From<Output> for Run {
        fn from(output: Output) -> Self {
            Self {
                code: output.status.code().unwrap(),
                out: String::from_utf8(output.stdout).unwrap(),
                err: String::from_utf8(output.stderr).unwrap(),
            }
        }
    }

    impl Run {
        /// Asserts that it ended with `code` and said each part on standard error.
        #[track_caller]
        pub(crate) fn failed(&self, code: i32, parts: &[&str]) {
            assert_eq!(self.code, code, "{}", self.err);
            for part in parts {
                assert!(self.err.contains(part), "no `{part}` in: {}", self.err);
            }
        }

        /// Asserts that it ended well and said each part on standard output.
        #[track_caller]
        pub(crate) fn said(&self, parts: &[&str]) {
            assert_eq!(self.code, 0, "{}", self.err);
            for part in parts {
                assert!(self.out.contains(part), "no `{part}` in: {}", self.out);
            }
        }
    }
}
