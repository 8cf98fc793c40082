//! `wharfmq user`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use super::{Run, command, run};

/// Runs `wharfmq user` with a line of standard input.
fn user(arguments: &str, password: &str) -> Run {
    let mut command = command(&format!("user {arguments}"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may be refused before the password is read.
    let _ = writeln!(child.stdin.take().unwrap(), "{password}");
    child.wait_with_output().unwrap().into()
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_file_from_its_first_user_to_its_last() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.toml");
    let at = format!("--users-file {}", file.display());
    run(&format!("user list {at}")).failed(1, &["there is no such file"]);
    user(&format!("add ada {at}"), "pencil").said(&[]);
    assert_eq!(mode(&file), 0o600);
    user(&format!("add bob {at} --iterations 4096"), "chisel").said(&[]);
    let first = fs::read_to_string(&file).unwrap();
    assert!(first.contains("[user.ada]") && first.contains("\"SCRAM-SHA-256$16384:"), "{first}");
    assert!(!first.contains("pencil"));
    let list = run(&format!("user list {at}"));
    list.said(&["ada\t", "bob\tSCRAM-SHA-256, 4096 iterations"]);
    user(&format!("passwd ada {at}"), "eraser").said(&[]);
    assert_ne!(fs::read_to_string(&file).unwrap(), first);
    run(&format!("user remove bob {at}")).said(&[]);
    assert!(!run(&format!("user list {at}")).out.contains("bob"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.toml");
    let at = format!("--users-file {}", file.display());
    user(&format!("add ada {at}"), "").failed(2, &["this password cannot be used: it is empty"]);
    user(&format!("add ada {at}"), &"x".repeat(1_025)).failed(2, &["it is too long"]);
    user(&format!("add ada {at}"), "a\u{7}b").failed(2, &["control characters"]);
    assert!(!file.exists());
    user(&format!("add ada {at}"), "pencil").said(&[]);
    user(&format!("add ada {at}"), "pencil").failed(2, &["user `ada` is there already"]);
    user(&format!("passwd eve {at}"), "pencil").failed(2, &["there is no user `eve`"]);
    user(&format!("remove eve {at}"), "").failed(2, &["there is no user `eve`"]);
    user(&format!("add \u{7} {at}"), "pencil").failed(2, &["this is no user name"]);
    user(&format!("add eve pencil {at}"), "").failed(2, &["unexpected argument"]);
    user(&format!("add eve {at} --iterations 100"), "x").failed(2, &["4096..=1000000"]);
    user("add eve", "x").failed(2, &["no users file", "--users-file FILE"]);
    fs::write(&file, "[user.ada]\npasword = 1\n").unwrap();
    user(&format!("add eve {at}"), "x").failed(2, &["users.toml:2:1: unknown key `pasword`"]);
}

#[test]
fn the_file_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("w.toml");
    fs::write(&config, "[security]\nusers_file = \"who.toml\"\n").unwrap();
    let at = format!("--config {}", config.display());
    // Without the file the configuration is not complete, and the file can be made all the same.
    run(&format!("config check {}", config.display())).failed(2, &["w.toml:2:14: ", "wharfmq user add NAME"]);
    user(&format!("add ada {at}"), "pencil").said(&[]);
    assert!(folder.path().join("who.toml").exists());
    run(&format!("config check {}", config.display())).said(&["no errors"]);
    run(&format!("user list {at}")).said(&["ada\t"]);
    fs::write(folder.path().join("who.toml"), "[user.ada]\n").unwrap();
    run(&format!("config check {}", config.display()))
        .failed(2, &["w.toml:2:14: ", "who.toml:1:7: user `ada` has no `password`"]);
}
