//! A plain or an encrypted connection, blocking or not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::fault::{Doing, Fault, Result};

/// How connections are opened.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

/// One connection.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Dial {
    /// To `address`; encrypted where the certificate of an authority is given.
    pub(crate) fn new(address: SocketAddr, authority: Option<&Path>) -> Result<Self> {
        Ok(Self { address, tls: authority.map(config).transpose()? })
    }

    /// A connection whose blocking calls give up after ten seconds.
    pub(crate) fn open(&self) -> Result<Stream> {
        let doing = || format!("connect to {}", self.address);
        let stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(10)).doing(doing)?;
        stream.set_nodelay(true).doing(doing)?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).doing(doing)?;
        let Some(config) = &self.tls else { return Ok(Stream::Plain(stream)) };
        let name = ServerName::IpAddress(self.address.ip().into());
        let connection = ClientConnection::new(Arc::clone(config), name)
            .map_err(|error| Fault::Broken(format!("TLS: {error}")))?;
        Ok(Stream::Tls(Box::new(StreamOwned::new(connection, stream))))
    }
}

/// TLS 1.3 with one cipher, so that all brokers pay for the same.
fn config(authority: &Path) -> Result<Arc<ClientConfig>> {
    let broken = |error: &dyn std::fmt::Display| Fault::Broken(format!("{}: {error}", authority.display()));
    let certificate = CertificateDer::from_pem_file(authority).map_err(|error| broken(&error))?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate).map_err(|error| broken(&error))?;
    let provider = CryptoProvider {
        cipher_suites: vec![cipher_suite::TLS13_AES_256_GCM_SHA384],
        ..aws_lc_rs::default_provider()
    };
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| broken(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

impl Stream {
    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }

    /// Whether a read that brought something may have left more behind that no poll tells of.
    pub(crate) const fn keeps_input(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Whether bytes that were taken are still to be written.
    pub(crate) fn holds_output(&self) -> bool {
        matches!(self, Self::Tls(stream) if stream.conn.wants_write())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}
