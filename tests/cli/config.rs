//! `wharfmq config`.

use std::fs;

use super::{Run, command, run};

#[test]
fn check_names_every_error_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("w.toml");
    let name = file.display().to_string();
    fs::write(
        &file,
        "[limits]\nmax_fram = \"1MiB\"\nmax_connections = 0\n[[listener]]\nurl = \"mqtt://0.0.0.0\"\n",
    )
    .unwrap();
    let at = |place: &str| format!("{name}:{place}: ");
    run(&format!("config check {name}")).failed(
        2,
        &[
            "3 errors",
            &at("2:1"),
            "did you mean `max_frame`?",
            &at("3:19"),
            &at("5:7"),
            "allow_anonymous = true",
        ],
    );
    fs::write(&file, "[limits\n").unwrap();
    run(&format!("config check {name}")).failed(2, &["1 error in", &at("1:8")]);
    fs::write(&file, "[limits]\nmax_frame = \"1MiB\"\n").unwrap();
    run(&format!("config check {name}")).said(&[&format!("{name}: no errors")]);
    let run: Run =
        command(&format!("config check {name}")).env("WHARFMQ__NONSENSE", "1").output().unwrap().into();
    run.said(&["no errors"]);
}

#[test]
fn check_reads_selectors() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("w.toml");
    let name = file.display().to_string();
    let forward = "[[forward]]\nfrom = \"queue://a\"\nto = \"queue://b\"\nfilter = ";
    fs::write(&file, format!("{forward}\"region = \"\n")).unwrap();
    run(&format!("config check {name}")).failed(2, &["1 error in", &format!("{name}:4:10: `filter`: ")]);
    run(&format!("serve --memory --config {name}")).failed(2, &[&format!("{name}:4:10: `filter`: ")]);
    fs::write(&file, format!("{forward}\"region = 'eu'\"\n")).unwrap();
    run(&format!("config check {name}")).said(&["no errors"]);
}

#[test]
fn explain() {
    run("config explain limits.max_frame").said(&[
        "limits.max_frame",
        "\"16MiB\"",
        "WHARFMQ__LIMITS__MAX_FRAME",
        "--set",
    ]);
    run("config explain").said(&["[limits]", "[[listener]]", "[tls.NAME]", "address.match"]);
    run("config explain limits.memmory").failed(2, &["did you mean `limits.memory`?"]);
    run("config explain store.encryption_key_file")
        .failed(2, &["does not have encryption of the journal yet"]);
}

#[test]
fn show_is_a_file_that_means_the_same() {
    let mut command =
        command("config show --set limits.max_connections=9 --listen stomp://127.0.0.1:0 --log debug");
    let shown: Run = command.env("WHARFMQ__LIMITS__MAX_FRAME", "2MiB").output().unwrap().into();
    shown.said(&[
        "max_connections = 9  # --set limits.max_connections=9",
        "max_frame = \"2MiB\"  # environment WHARFMQ__LIMITS__MAX_FRAME",
        "url = \"stomp://127.0.0.1:0\"  # --listen stomp://127.0.0.1:0",
        "level = \"debug\"  # --log debug",
        "drain_time = \"10s\"  # default",
    ]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shown.toml");
    fs::write(&file, &shown.out).unwrap();
    run(&format!("config check {}", file.display())).said(&["no errors"]);
}
