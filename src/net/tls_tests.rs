//! TLS with authorities made for each test.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair,
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::testing::*;
use super::websocket::testing::{binary, read_frame, request};
use super::{
    ClientAuth, Hub, Identity, Limits, ListenerSpec, Proto, Server, Spoken, Tls, TlsError, TlsProfile,
    reload_certificates,
};

struct Authority {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
    roots: RootCertStore,
}

impl Authority {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(dir.path().join("ca.pem"), certificate.pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let this = Self { dir, issuer: Issuer::new(params, key), roots };
        this.renew_server();
        this
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn renew_server(&self) {
        let (certificate, key) = self.leaf("server", ExtendedKeyUsagePurpose::ServerAuth);
        fs::write(self.file("server.pem"), certificate.pem()).unwrap();
        fs::write(self.file("server.key"), key.serialize_pem()).unwrap();
    }

    fn leaf(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn profile(&self, client_auth: ClientAuth) -> TlsProfile {
        TlsProfile {
            name: "default".to_owned(),
            certificate: self.file("server.pem"),
            key: self.file("server.key"),
            client_ca: Some(self.file("ca.pem")),
            client_auth,
            identity: Identity::Cn,
        }
    }

    /// A client that trusts this authority, and shows a certificate of its own if it has a name.
    fn client(&self, name: Option<&str>) -> TlsConnector {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let config = match name {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let (certificate, key) = self.leaf(name, ExtendedKeyUsagePurpose::ClientAuth);
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
                builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
            }
        };
        TlsConnector::from(Arc::new(config))
    }
}

fn open(hub: &Arc<Hub>, proto: Option<Proto>, tls: &Arc<Tls>) -> std::net::SocketAddr {
    let spoken = proto.map_or(Spoken::Any, Spoken::Only);
    let spec =
        ListenerSpec { tls: Some(Arc::clone(tls)), ..ListenerSpec::new("stomps", spoken, "127.0.0.1", 0) };
    let server = Server::open(vec![spec], Arc::clone(hub)).unwrap();
    let bound = server.listeners()[0].bound();
    tokio::spawn(server.run());
    bound
}

async fn connect(client: &TlsConnector, to: std::net::SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(to).await?;
    client.connect(ServerName::try_from("localhost").unwrap(), stream).await
}

#[tokio::test]
async fn frames_small_and_large_within_tls() {
    let authority = Authority::new();
    let (hub, seen) = hub(Limits::default());
    let tls = Tls::load(authority.profile(ClientAuth::None)).unwrap();
    let bound = open(&hub, Some(Proto::Stomp), &tls);
    let stream = connect(&authority.client(None), bound).await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(stream);
    send(&mut writer, LOGIN, b"").await;
    for size in [0, 1, 20_000, 3_000_000] {
        let body = vec![9; size];
        let (answer, ()) = tokio::join!(receive(&mut reader), send(&mut writer, ECHO, &body));
        assert!(answer == Some((ECHO, body)), "{size} bytes came back changed");
    }
    send(&mut writer, QUIT, b"").await;
    assert_eq!(receive(&mut reader).await, Some((QUIT, Vec::new())));
    assert_eq!(reader.read(&mut [0]).await.unwrap(), 0, "closed by the book, with close_notify");
    let peers = seen.peers.lock();
    assert_eq!((peers[0].listener, &peers[0].certificate), ("stomps", &None));
}

#[tokio::test]
async fn client_certificates() {
    let authority = Authority::new();
    let stranger = Authority::new();
    for (auth, without) in [(ClientAuth::Optional, true), (ClientAuth::Required, false)] {
        let (hub, seen) = hub(Limits::default());
        let bound = open(&hub, Some(Proto::Stomp), &Tls::load(authority.profile(auth)).unwrap());
        let mut stream = connect(&authority.client(Some("alice")), bound).await.unwrap();
        send(&mut stream, ECHO, b"x").await;
        assert!(receive(&mut stream).await.is_some());
        let certificate = seen.peers.lock().pop().unwrap().certificate;
        assert_eq!(certificate.as_deref(), Some("alice"));
        // In TLS 1.3 a client learns only by its first read that its certificate was refused.
        for (name, passes) in [(None, without), (Some("mallory"), false)] {
            let mut client = authority.client(None);
            if name.is_some() {
                client = TlsConnector::from(with_roots_of(&authority, &stranger));
            }
            let works = match connect(&client, bound).await {
                Ok(mut stream) => {
                    let _ = stream.write_all(&frame(ECHO, b"x")).await;
                    receive(&mut stream).await.is_some()
                }
                Err(_) => false,
            };
            assert_eq!(works, passes, "{auth:?} {name:?}");
        }
    }
}

/// A client that trusts the one authority and has a certificate of the other.
fn with_roots_of(trusted: &Authority, issuer: &Authority) -> Arc<ClientConfig> {
    let (certificate, key) = issuer.leaf("mallory", ExtendedKeyUsagePurpose::ClientAuth);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(trusted.roots.clone())
        .with_client_auth_cert(vec![certificate.der().clone()], key)
        .unwrap();
    Arc::new(config)
}

#[tokio::test]
async fn tls_and_plain_on_one_port() {
    let authority = Authority::new();
    let (hub, seen) = hub(Limits::default());
    let bound = open(&hub, None, &Tls::load(authority.profile(ClientAuth::None)).unwrap());
    for (greeting, proto) in [(&b"\x10"[..], Proto::Mqtt), (b"CONNECT\n", Proto::Stomp)] {
        let mut plain = TcpStream::connect(bound).await.unwrap();
        let mut secret = connect(&authority.client(None), bound).await.unwrap();
        plain.write_all(greeting).await.unwrap();
        secret.write_all(greeting).await.unwrap();
        send(&mut plain, ECHO, b"plain").await;
        send(&mut secret, ECHO, b"secret").await;
        assert_eq!(receive(&mut plain).await, Some((ECHO, b"plain".to_vec())));
        assert_eq!(receive(&mut secret).await, Some((ECHO, b"secret".to_vec())));
        assert_eq!(std::mem::take(&mut *seen.protos.lock()), [proto, proto]);
    }
}

#[tokio::test]
async fn a_handshake_has_the_time_of_the_login() {
    let authority = Authority::new();
    let (hub, _seen) = hub(Limits { login_timeout: wharfmq_base::Millis(50), ..Limits::default() });
    let bound = open(&hub, Some(Proto::Stomp), &Tls::load(authority.profile(ClientAuth::None)).unwrap());
    let mut silent = TcpStream::connect(bound).await.unwrap();
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
    let mut plain = TcpStream::connect(bound).await.unwrap();
    plain.write_all(b"CONNECT\n\n\0").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"CONNECTED"));
    assert_eq!(hub.open(), 0);
}

#[tokio::test]
async fn a_new_certificate_for_new_connections() {
    let authority = Authority::new();
    let (hub, _seen) = hub(Limits::default());
    let tls = Tls::load(authority.profile(ClientAuth::None)).unwrap();
    let bound = open(&hub, Some(Proto::Stomp), &tls);
    let client = authority.client(None);
    let serial = |stream: &TlsStream<TcpStream>| stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let mut old = connect(&client, bound).await.unwrap();
    assert!(!tls.reload_if_changed().unwrap());

    // Half replaced: what is in use stays in use.
    let key = fs::read(authority.file("server.key")).unwrap();
    authority.renew_server();
    let new_key = fs::read(authority.file("server.key")).unwrap();
    fs::write(authority.file("server.key"), key).unwrap();
    assert!(tls.reload_if_changed().unwrap_err().to_string().contains("does not belong"));
    let during = connect(&client, bound).await.unwrap();
    assert_eq!(serial(&during), serial(&old));

    let replaced = authority.file("new.key");
    fs::write(&replaced, new_key).unwrap();
    fs::rename(replaced, authority.file("server.key")).unwrap();
    assert!(tls.reload_if_changed().unwrap());
    let new = connect(&client, bound).await.unwrap();
    assert_ne!(serial(&new), serial(&old));
    send(&mut old, ECHO, b"still here").await;
    assert!(receive(&mut old).await.is_some());
    reload_certificates(&[tls], true);
}

#[test]
fn errors_name_the_file_and_what_would_help() {
    let authority = Authority::new();
    let profile = authority.profile(ClientAuth::None);
    let fails = |profile: TlsProfile, with: &[&str]| {
        let text = Tls::load(profile).map(drop).unwrap_err().to_string();
        assert!(with.iter().all(|part| text.contains(part)), "{text}");
    };
    let write = |name: &str, text: &str| {
        fs::write(authority.file(name), text).unwrap();
        authority.file(name)
    };
    fails(
        TlsProfile { certificate: authority.file("none.pem"), ..profile.clone() },
        &["tls.default", "none.pem", "No such file"],
    );
    let empty = write("empty.pem", "");
    fails(
        TlsProfile { certificate: empty.clone(), ..profile.clone() },
        &["empty.pem", "no certificate in it"],
    );
    fails(TlsProfile { key: empty.clone(), ..profile.clone() }, &["empty.pem", "no private key in it"]);
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let locked = write("locked.key", locked);
    fails(TlsProfile { key: locked, ..profile.clone() }, &["locked.key", "openssl pkey"]);
    let other = write("other.key", &KeyPair::generate().unwrap().serialize_pem());
    fails(TlsProfile { key: other, ..profile.clone() }, &["other.key", "server.pem", "does not belong"]);
    let required = TlsProfile { client_auth: ClientAuth::Required, ..profile.clone() };
    fails(TlsProfile { client_ca: Some(empty), ..required.clone() }, &["empty.pem", "no certificate"]);
    let none = Tls::load(TlsProfile { client_ca: None, ..required }).map(drop);
    assert!(matches!(none, Err(TlsError::NoClientCa { .. })));
}

#[tokio::test]
async fn the_development_certificates_work() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("certs-dev");
    let cases = [
        (Identity::Cn, "alice"),
        (Identity::Dn, "CN=alice,O=WharfMQ development\\, NOT FOR PRODUCTION"),
        (Identity::SanDns, "alice.wharfmq.test"),
        (Identity::SanUri, "urn:wharfmq:dev:alice"),
    ];
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(dir.join("ca.pem")).unwrap()).unwrap();
    let certificate = CertificateDer::from_pem_file(dir.join("client.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(dir.join("client.key")).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)
        .unwrap();
    let client = TlsConnector::from(Arc::new(client));
    for (identity, expected) in cases {
        let (hub, seen) = hub(Limits::default());
        let profile = TlsProfile {
            name: "default".to_owned(),
            certificate: dir.join("server.pem"),
            key: dir.join("server.key"),
            client_ca: Some(dir.join("ca.pem")),
            client_auth: ClientAuth::Required,
            identity,
        };
        let bound = open(&hub, Some(Proto::Stomp), &Tls::load(profile).unwrap());
        let mut stream = connect(&client, bound).await.unwrap();
        send(&mut stream, ECHO, b"x").await;
        assert!(receive(&mut stream).await.is_some());
        let certificate = seen.peers.lock().pop().unwrap().certificate;
        assert_eq!(certificate.as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn websocket_within_tls_behind_a_proxy() {
    let authority = Authority::new();
    let tls = Tls::load(authority.profile(ClientAuth::Required)).unwrap();
    for (scheme, spoken) in [("wss", Spoken::WebSocket), ("auto", Spoken::Any)] {
        let (hub, seen) = hub(Limits::default());
        let spec = ListenerSpec {
            tls: Some(Arc::clone(&tls)),
            proxies: vec!["127.0.0.1".parse().unwrap()],
            ..ListenerSpec::new(scheme, spoken, "127.0.0.1", 0)
        };
        let server = Server::open(vec![spec], Arc::clone(&hub)).unwrap();
        let mut plain = TcpStream::connect(server.listeners()[0].bound()).await.unwrap();
        tokio::spawn(server.run());
        plain.write_all(b"PROXY TCP4 192.0.2.7 10.0.0.1 50000 1883\r\n").await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = authority.client(Some("alice")).connect(name, plain).await.unwrap();
        stream.write_all(request("mqtt").as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let body = vec![9; 3_000_000];
        let (mut reader, mut writer) = tokio::io::split(stream);
        let packets = [frame(LOGIN, b""), frame(ECHO, &body)].concat();
        let write = async { writer.write_all(&binary(&packets)).await.unwrap() };
        let read = async {
            let mut answer = Vec::new();
            while answer.len() < body.len() + 5 {
                answer.extend(read_frame(&mut reader).await.unwrap().1);
            }
            assert!(answer == frame(ECHO, &body), "it came back changed");
        };
        tokio::join!(write, read);
        let peer = seen.peers.lock().pop().unwrap();
        assert_eq!((peer.listener, peer.certificate.as_deref()), (scheme, Some("alice")));
        assert_eq!(peer.addr.to_string(), "192.0.2.7:50000");
    }
}
