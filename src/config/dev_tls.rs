//! Certificates for trying TLS out: an authority of this data directory's own and a certificate for
//! this machine's loopback names, signed by it.
//!
//! The authority is made once, so that clients which were told to trust it still do after a restart;
//! it is constrained to loopback names, so that its key is of no use against anyone else. The
//! server's certificate is made anew at each start, so that it never expires.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};

const DAY: Duration = Duration::from_secs(86_400);

/// Where the certificates lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The authority's certificate: what clients are told to trust.
    pub ca: PathBuf,
    /// The authority's key.
    pub ca_key: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The server's key.
    pub key: PathBuf,
}

impl Files {
    /// Their places within a data directory.
    pub fn within(data_dir: &Path) -> Self {
        let file = |name| data_dir.join("dev-tls").join(name);
        Self {
            ca: file("ca.pem"),
            ca_key: file("ca.key"),
            certificate: file("server.pem"),
            key: file("server.key"),
        }
    }
}

/// Makes what is missing; the server's certificate always. The keys are readable to their owner only.
pub fn make(data_dir: &Path) -> io::Result<Files> {
    let files = Files::within(data_dir);
    fs::create_dir_all(data_dir.join("dev-tls"))?;
    let issuer = authority(&files)?;
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate =
        server().and_then(|params| params.signed_by(&key, &issuer)).map_err(io::Error::other)?;
    write(&files.key, &key.serialize_pem())?;
    write(&files.certificate, &certificate.pem())?;
    Ok(files)
}

fn authority(files: &Files) -> io::Result<Issuer<'static, KeyPair>> {
    if files.ca.exists() && files.ca_key.exists() {
        let key = KeyPair::from_pem(&fs::read_to_string(&files.ca_key)?).map_err(io::Error::other)?;
        // What a signature takes from its issuer is the name and the key, and the name never changes.
        return Ok(Issuer::new(authority_params(), key));
    }
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let params = authority_params();
    let certificate = params.self_signed(&key).map_err(io::Error::other)?;
    write(&files.ca_key, &key.serialize_pem())?;
    write(&files.ca, &certificate.pem())?;
    Ok(Issuer::new(params, key))
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "WharfMQ development CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let loopback = [IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let subnets = loopback.map(|address| {
        let prefix = if address.is_ipv4() { 8 } else { 128 };
        GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, prefix))
    });
    let permitted = [GeneralSubtree::DnsName("localhost".into())].into_iter().chain(subnets).collect();
    params.name_constraints =
        Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() });
    let now = SystemTime::now();
    params.not_before = (now - DAY).into();
    params.not_after = (now + 3650 * DAY).into();
    params
}

fn server() -> Result<CertificateParams, rcgen::Error> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = SystemTime::now();
    params.not_before = (now - DAY).into();
    // Some clients refuse certificates that live longer than 398 days.
    params.not_after = (now + 397 * DAY).into();
    Ok(params)
}

/// Replaces the file in one step, so that no reader sees half of it.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut open = OpenOptions::new();
    open.write(true).create(true).truncate(true).mode(if file.extension().is_some_and(|e| e == "key") {
        0o600
    } else {
        0o644
    });
    open.open(&new)?.write_all(text.as_bytes())?;
    fs::rename(&new, file)
}
