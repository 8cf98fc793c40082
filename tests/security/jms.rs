//! User names and passwords of JMS applications.

use std::time::Duration;

use super::Users;
use crate::interop::jms::java;
use crate::support::clients::run;

#[test]
fn by_name_and_password() {
    let users = Users::new(&[("ada", "pencil")]);
    let broker = users.setup().set("security.allow_anonymous=false").listen("openwire://127.0.0.1:0").start();
    let said = |options: &str| {
        let url = format!("tcp://{}{options}", broker.address("openwire"));
        let ended = run(java("Ssl").arg(url)).ended(Duration::from_secs(60));
        assert_eq!(ended.code, Some(0), "{options}: {}{}", ended.out, ended.err);
        ended.out
    };
    assert_eq!(said("?jms.userName=ada&jms.password=pencil"), "received whispered\n");
    let refused = "failed javax.jms.JMSSecurityException: User name";
    for wrong in ["?jms.userName=ada&jms.password=eraser", "?jms.userName=eve&jms.password=pencil", ""] {
        let said = said(wrong);
        assert!(said.starts_with(refused), "{wrong}: {said}");
    }
    let line = broker.wait_log(&["login refused: wrong password", "audit", "\"ada\"", "openwire"]);
    assert!(!line.contains("eraser"), "{line}");
    broker.wait_log(&["login refused: neither a user name nor a certificate"]);
}
