//! JMS applications by the other URLs of ActiveMQ's client: `ssl`, `nio` and `nio+ssl`, with the trust stores
//! that Java has, and over a port of several protocols.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::jms::java;
use crate::support::clients::run;
use crate::support::{Broker, Setup};

const RECEIVED: &str = "received whispered\n";

#[test]
fn ssl() {
    let broker = broker(&["openwires://127.0.0.1:0"], "none");
    let address = broker.address("openwires");
    for kind in ["jks", "p12"] {
        let trust = format!("trust={}", trust_store(&broker, kind).display());
        assert_eq!(said(&format!("ssl://{address}"), &[&trust]), RECEIVED, "{kind}");
    }
    let trust = format!("trust={}", trust_store(&broker, "p12").display());
    assert_eq!(said(&format!("failover:(ssl://{address})"), &[&trust]), RECEIVED);
    assert_eq!(said(&format!("nio+ssl://localhost:{}", address.port()), &[&trust]), RECEIVED);
    // Who trusts nobody gets nowhere, and the log says why.
    let strict = said(&format!("ssl://{address}"), &[]);
    assert!(strict.starts_with("failed "), "{strict}");
    broker.wait_log(&["no connection", "alert"]);
}

#[test]
fn client_certificates() {
    let broker = broker(&["openwires://127.0.0.1:0"], "required");
    let url = format!("ssl://{}", broker.address("openwires"));
    let trust = format!("trust={}", trust_store(&broker, "p12").display());
    let client = format!("client={},{}", dev("client.pem").display(), dev("client.key").display());
    assert_eq!(said(&url, &[&trust, &client]), RECEIVED);
    let anonymous = said(&url, &[&trust]);
    assert!(anonymous.starts_with("failed "), "{anonymous}");
    broker.wait_log(&["no connection", "no certificate"]);
}

#[test]
fn nio() {
    let broker = Setup::new().listen("tcp://127.0.0.1:0").start();
    let address = broker.address("tcp");
    assert_eq!(said(&format!("nio://{address}"), &[]), RECEIVED);
    assert_eq!(said(&format!("failover:(nio://{address},tcp://{address})?randomize=false"), &[]), RECEIVED);
}

#[test]
fn one_port_for_all() {
    let broker = broker(&["auto://127.0.0.1:0"], "none");
    let address = broker.address("auto");
    let trust = format!("trust={}", trust_store(&broker, "p12").display());
    assert_eq!(said(&format!("tcp://{address}"), &[]), RECEIVED);
    assert_eq!(said(&format!("ssl://{address}"), &[&trust]), RECEIVED);
}

#[test]
fn the_wrong_way_round() {
    let broker = broker(&["openwires://127.0.0.1:0", "openwire://127.0.0.1:0"], "none");
    let (secret, plain) = (broker.address("openwires"), broker.address("openwire"));
    let trust = format!("trust={}", trust_store(&broker, "p12").display());
    let failed = [said(&format!("tcp://{secret}"), &[]), said(&format!("ssl://{plain}"), &[&trust])];
    assert!(failed.iter().all(|said| said.starts_with("failed ")), "{failed:?}");
    broker.wait_log(&["no connection: the client does not speak TLS", "listener=\"openwires\""]);
    broker.wait_log(&["the client speaks TLS and this listener does not: one of openwires:// does"]);
}

/// A broker with the certificates for development.
fn broker(listeners: &[&str], client_auth: &str) -> Broker {
    let [certificate, key, ca] = ["server.pem", "server.key", "ca.pem"].map(dev);
    let settings = format!(
        "[tls.default]\ncertificate = {certificate:?}\nkey = {key:?}\nclient_ca = {ca:?}\n\
         client_auth = {client_auth:?}\n"
    );
    let setup = Setup::new().config(&settings);
    listeners.iter().fold(setup, |setup, listener| setup.listen(listener)).start()
}

/// A store with the authority that signed the broker's certificate, made as people make it.
fn trust_store(broker: &Broker, kind: &str) -> PathBuf {
    let file = broker.setup().data_dir().with_file_name(format!("trust.{kind}"));
    if !file.exists() {
        let mut command = Command::new("keytool");
        command.args(["-importcert", "-noprompt", "-alias", "ca", "-storepass", "changeit"]);
        command.args(["-storetype", if kind == "jks" { "JKS" } else { "PKCS12" }]);
        command.arg("-file").arg(dev("ca.pem")).arg("-keystore").arg(&file);
        let ended = command.output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
    }
    file
}

fn dev(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("certs-dev").join(file)
}

/// What the class `Ssl` says of a URL.
#[track_caller]
fn said(url: &str, arguments: &[&str]) -> String {
    let ended = run(java("Ssl").arg(url).args(arguments)).ended(Duration::from_secs(60));
    assert_eq!(ended.code, Some(0), "{url}: {}{}", ended.out, ended.err);
    ended.out
}
