//! Certificates and keys: read, checked, and replaced while the server runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::identity::{Identity, identity_of};

/// Whether clients show certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked.
    #[default]
    None,
    /// They may; what they show must be valid.
    Optional,
    /// Who shows none is refused.
    Required,
}

/// A certificate, and what is asked of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsProfile {
    /// The name it has in the configuration.
    pub name: String,
    /// PEM file of the chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
    /// PEM file of the authorities that sign clients; needed unless `client_auth` is `None`.
    pub client_ca: Option<PathBuf>,
    /// Whether clients show certificates.
    pub client_auth: ClientAuth,
    /// Which part of them names the user.
    pub identity: Identity,
}

/// Why a profile cannot be used. Names the file, and what would help.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("tls.{profile}: {}: {source}", file.display())]
    Unreadable {
        /// The profile's name.
        profile: String,
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else than it should.
    #[error("tls.{profile}: {}: {what}", file.display())]
    Wrong {
        /// The profile's name.
        profile: String,
        /// The file.
        file: PathBuf,
        /// What is wrong, and what would help.
        what: String,
    },
    /// Client certificates are asked for, and no authority is named.
    #[error("tls.{profile}: client_auth needs client_ca, the PEM file of the authorities that sign clients")]
    NoClientCa {
        /// The profile's name.
        profile: String,
    },
}

/// A profile in use. New connections take what it holds at that moment; open ones keep what they have.
pub struct Tls {
    profile: TlsProfile,
    config: ArcSwap<ServerConfig>,
    /// The files as they were before they were last read.
    stamps: Mutex<Vec<Option<Stamp>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    /// A replaced file may have the time and the size of the old one.
    inode: u64,
}

impl Tls {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// A file is missing, holds nothing of use, or does not fit the others.
    pub fn load(profile: TlsProfile) -> Result<Arc<Self>, TlsError> {
        let stamps = stamps(&profile);
        let config = read_config(&profile)?;
        Ok(Arc::new(Self { profile, config: ArcSwap::from_pointee(config), stamps: Mutex::new(stamps) }))
    }

    /// What a new connection is to use.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    /// Who a client is by its verified certificate; `None` where it says nothing of that kind.
    pub fn identity(&self, certificate: &CertificateDer<'_>) -> Option<String> {
        identity_of(certificate, self.profile.identity)
    }

    /// The name it has in the configuration.
    pub fn name(&self) -> &str {
        &self.profile.name
    }

    /// Reads the files again. Where they don't fit, what was in use stays in use. Blocks on the disk.
    ///
    /// # Errors
    /// As [`Tls::load`].
    pub fn reload(&self) -> Result<(), TlsError> {
        // Taken before the files are read: one that changes meanwhile is then seen as changed later.
        *self.stamps.lock() = stamps(&self.profile);
        self.config.store(Arc::new(read_config(&self.profile)?));
        Ok(())
    }

    /// [`Tls::reload`] if a file has changed since; answers whether. A set of files that was found not
    /// to fit is not tried again before one of them changes.
    ///
    /// # Errors
    /// As [`Tls::load`].
    pub fn reload_if_changed(&self) -> Result<bool, TlsError> {
        if *self.stamps.lock() == stamps(&self.profile) {
            return Ok(false);
        }
        self.reload().map(|()| true)
    }
}

fn stamps(profile: &TlsProfile) -> Vec<Option<Stamp>> {
    let files = [Some(&profile.certificate), Some(&profile.key), profile.client_ca.as_ref()];
    files.into_iter().flatten().map(|file| stamp(file)).collect()
}

fn stamp(file: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;

    let metadata = fs::metadata(file).ok()?;
    Some(Stamp { modified: metadata.modified().ok(), bytes: metadata.len(), inode: metadata.ino() })
}

fn read_config(profile: &TlsProfile) -> Result<ServerConfig, TlsError> {
    let chain = read_certificates(profile, &profile.certificate)?;
    let key = read_key(profile)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| wrong(profile, &profile.certificate, error.to_string()))?;
    let builder = match client_verifier(profile)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    builder.with_single_cert(chain, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            let certificate = profile.certificate.display();
            let what = format!(
                "the key does not belong to the certificate in {certificate}: \
                 the chain must begin with the server's own, made for this key"
            );
            wrong(profile, &profile.key, what)
        }
        rustls::Error::InvalidCertificate(error) => {
            wrong(profile, &profile.certificate, format!("the first certificate is damaged: {error}"))
        }
        error => wrong(profile, &profile.key, format!("the key cannot be used: {error}")),
    })
}

fn client_verifier(profile: &TlsProfile) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    if profile.client_auth == ClientAuth::None {
        return Ok(None);
    }
    let file = profile.client_ca.as_ref();
    let file = file.ok_or_else(|| TlsError::NoClientCa { profile: profile.name.clone() })?;
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(profile, file)? {
        roots.add(certificate).map_err(|error| wrong(profile, file, format!("not an authority: {error}")))?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if profile.client_auth == ClientAuth::Optional {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map(Some).map_err(|error| wrong(profile, file, error.to_string()))
}

fn read_certificates(profile: &TlsProfile, file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem_error = |error| of_pem(profile, file, error, "certificate");
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).map_err(pem_error)?.collect();
    let certificates = certificates.map_err(pem_error)?;
    if certificates.is_empty() {
        return Err(pem_error(pem::Error::NoItemsFound));
    }
    Ok(certificates)
}

fn read_key(profile: &TlsProfile) -> Result<PrivateKeyDer<'static>, TlsError> {
    let file = &profile.key;
    PrivateKeyDer::from_pem_file(file).map_err(|error| {
        let is_encrypted =
            || fs::read(file).is_ok_and(|text| text.windows(9).any(|part| part == b"ENCRYPTED"));
        if matches!(error, pem::Error::NoItemsFound) && is_encrypted() {
            let what = "the key is encrypted; decrypt it with `openssl pkey -in KEY -out NEWKEY`";
            return wrong(profile, file, what.to_owned());
        }
        of_pem(profile, file, error, "private key")
    })
}

fn of_pem(profile: &TlsProfile, file: &Path, error: pem::Error, item: &str) -> TlsError {
    match error {
        pem::Error::Io(source) => {
            TlsError::Unreadable { profile: profile.name.clone(), file: file.to_owned(), source }
        }
        pem::Error::NoItemsFound => {
            wrong(profile, file, format!("no {item} in it; it must be in PEM form (-----BEGIN ...)"))
        }
        error => wrong(profile, file, format!("damaged: {error}")),
    }
}

fn wrong(profile: &TlsProfile, file: &Path, what: String) -> TlsError {
    TlsError::Wrong { profile: profile.name.clone(), file: file.to_owned(), what }
}
