//! Help, version, and what is refused before anything starts.

use super::run;

#[test]
fn help_teaches() {
    for help in ["--help", "-h", "help"] {
        run(help).said(&["Examples:", "config check", "--dev-tls", "Exit codes", "send", "receive"]);
    }
    run("send --help").said(&["wharfmq send topic://", "--qos", "--url"]);
    run("receive --help").said(&["--count", "--timeout", "--json"]);
    run("user --help").said(&["add", "passwd", "remove", "list", "SIGHUP"]);
    run("config --help").said(&["check", "explain", "show"]);
}

#[test]
fn help_names_only_what_exists() {
    let help = run("--help").out;
    for later in ["browse", "tail", "audit", "import", "bench", "where"] {
        assert!(!help.lines().any(|line| line.trim_start().starts_with(&format!("{later} "))), "{later}");
        assert_eq!(run(later).code, 2, "{later}");
    }
}

#[test]
fn version() {
    run("--version").said(&[&format!("wharfmq {}\n", env!("CARGO_PKG_VERSION"))]);
}

#[test]
fn wrong_usage_ends_with_2() {
    run("--nonsense").failed(2, &["--nonsense"]);
    run("config").failed(2, &["Usage"]);
    run("--memory --data-dir x").failed(2, &["cannot be used with"]);
    run("serve --memory --data-dir x").failed(2, &["cannot be used with"]);
    run("send").failed(2, &["<DESTINATION>"]);
}

#[test]
fn serve_refuses_a_wrong_configuration() {
    for serve in ["", "serve"] {
        run(&format!("{serve} --listen mqtt://0.0.0.0:0"))
            .failed(2, &["let anyone in", "allow_anonymous = true"]);
        run(&format!("{serve} --listen amqp://127.0.0.1:0")).failed(2, &["does not speak amqp yet"]);
        run(&format!("{serve} --listen mqtts://127.0.0.1:0"))
            .failed(2, &["needs a certificate", "--dev-tls"]);
        run(&format!("{serve} --set limits.max_fram=1MiB")).failed(2, &["did you mean `max_frame`?"]);
        run(&format!("{serve} --log loud --log-format xml"))
            .failed(2, &["`loud` is not", "one of text json"]);
        run(&format!("{serve} --config /nonexistent.toml")).failed(2, &["/nonexistent.toml: No such file"]);
    }
}
