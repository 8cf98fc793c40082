//! Who a certificate says its holder is.

use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

/// Which part of a client's certificate names the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// The common name of the subject; the most specific of several.
    #[default]
    Cn,
    /// The whole subject, in the string form of RFC 4514.
    Dn,
    /// The first DNS name among the subject's alternative names; wildcards are passed over.
    SanDns,
    /// The first URI among them.
    SanUri,
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 0x06;
const OID_CN: &[u8] = &[0x55, 0x04, 0x03];

/// Attribute types and their short names (RFC 4514, 3), and the one beyond them that is common.
const NAMES: &[(&[u8], &str)] = &[
    (OID_CN, "CN"),
    (&[0x55, 0x04, 0x06], "C"),
    (&[0x55, 0x04, 0x07], "L"),
    (&[0x55, 0x04, 0x08], "ST"),
    (&[0x55, 0x04, 0x09], "STREET"),
    (&[0x55, 0x04, 0x0a], "O"),
    (&[0x55, 0x04, 0x0b], "OU"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01], "UID"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19], "DC"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01], "emailAddress"),
];

/// The identity in a certificate that was verified before. `None` where it has none of that kind, or
/// one with control characters in it.
pub(super) fn identity_of(certificate: &CertificateDer<'_>, identity: Identity) -> Option<String> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let name = match identity {
        Identity::Cn => common_name(certificate.subject()),
        Identity::Dn => distinguished_name(certificate.subject()),
        Identity::SanDns => certificate.valid_dns_names().find(|name| !name.contains('*')).map(str::to_owned),
        Identity::SanUri => certificate.valid_uri_names().next().map(str::to_owned),
    }?;
    (!name.is_empty() && !name.chars().any(char::is_control)).then_some(name)
}

fn common_name(subject: &[u8]) -> Option<String> {
    let mut found = None;
    for set in Parts(subject) {
        for attribute in Parts(set?.of(SET)?) {
            let (oid, value) = attribute?.attribute()?;
            if oid == OID_CN {
                found = Some(value.text()?);
            }
        }
    }
    found
}

/// Most specific first, as RFC 4514, 2.1 has it; the certificate has it the other way round.
fn distinguished_name(subject: &[u8]) -> Option<String> {
    let mut sets = Vec::new();
    for set in Parts(subject) {
        let mut attributes = Vec::new();
        for attribute in Parts(set?.of(SET)?) {
            let (oid, value) = attribute?.attribute()?;
            attributes.push(match NAMES.iter().find(|(known, _)| *known == oid) {
                Some((_, name)) => format!("{name}={}", escaped(&value.text()?)),
                None => format!("{}=#{}", dotted(oid), hex(value.whole)),
            });
        }
        sets.push(attributes.join("+"));
    }
    sets.reverse();
    Some(sets.join(","))
}

/// RFC 4514, 2.4.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let first = at == 0 && matches!(c, ' ' | '#');
        let last = at + c.len_utf8() == text.len() && c == ' ';
        if first || last || matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn dotted(oid: &[u8]) -> String {
    let mut numbers = Vec::new();
    let mut number = 0u64;
    for byte in oid {
        number = number.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.push(first.to_string());
                number -= first * 40;
            }
            numbers.push(number.to_string());
            number = 0;
        }
    }
    numbers.join(".")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One value in DER.
#[derive(Clone, Copy)]
struct Part<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

impl<'a> Part<'a> {
    fn of(self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.content)
    }

    /// AttributeTypeAndValue (RFC 5280, 4.1.2.4).
    fn attribute(self) -> Option<(&'a [u8], Self)> {
        let mut parts = Parts(self.of(SEQUENCE)?);
        let oid = parts.next()??.of(OID)?;
        Some((oid, parts.next()??))
    }

    fn text(self) -> Option<String> {
        match self.tag {
            // UTF8String, NumericString, PrintableString, IA5String
            0x0c | 0x12 | 0x13 | 0x16 => std::str::from_utf8(self.content).ok().map(str::to_owned),
            // TeletexString, in practice Latin-1
            0x14 => Some(self.content.iter().map(|&byte| char::from(byte)).collect()),
            // BMPString
            0x1e => {
                let (units, rest) = self.content.as_chunks::<2>();
                let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
                rest.is_empty().then(|| char::decode_utf16(units).collect::<Result<_, _>>().ok())?
            }
            _ => None,
        }
    }
}

/// The values in a constructed one. An item is `None` where the bytes are damaged.
struct Parts<'a>(&'a [u8]);

impl<'a> Iterator for Parts<'a> {
    type Item = Option<Part<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let part = self.read();
        if part.is_none() {
            self.0 = &[];
        }
        Some(part)
    }
}

impl<'a> Parts<'a> {
    fn read(&mut self) -> Option<Part<'a>> {
        let [tag, first, ..] = *self.0 else { return None };
        let (head, len) = match first {
            0..=0x7f => (2, usize::from(first)),
            0x81 => (3, usize::from(*self.0.get(2)?)),
            0x82 => (4, usize::from(u16::from_be_bytes([*self.0.get(2)?, *self.0.get(3)?]))),
            _ => return None,
        };
        let (whole, rest) = self.0.split_at_checked(head + len)?;
        self.0 = rest;
        Some(Part { tag, content: whole.get(head..)?, whole })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair, SanType, string::BmpString};

    use super::*;

    fn made(change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn every_kind_of_identity() {
        let certificate = made(|params| {
            let name = &mut params.distinguished_name;
            name.push(DnType::CountryName, "DE");
            name.push(DnType::OrganizationName, "Pier, Crane & Co");
            name.push(DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 99_999, 1]), "x");
            name.push(DnType::CommonName, "#1 Zoë ");
            params.subject_alt_names = vec![
                SanType::DnsName("*.example.org".try_into().unwrap()),
                SanType::URI("urn:dev:1".try_into().unwrap()),
                SanType::DnsName("a.example.org".try_into().unwrap()),
                SanType::DnsName("b.example.org".try_into().unwrap()),
            ];
        });
        let identity = |kind| identity_of(&certificate, kind).unwrap();
        assert_eq!(identity(Identity::Cn), "#1 Zoë ");
        assert_eq!(
            identity(Identity::Dn),
            "CN=\\#1 Zoë\\ ,1.3.6.1.4.1.99999.1=#0c0178,O=Pier\\, Crane & Co,C=DE"
        );
        assert_eq!(identity(Identity::SanDns), "a.example.org");
        assert_eq!(identity(Identity::SanUri), "urn:dev:1");
    }

    #[test]
    fn other_alphabets() {
        let bmp = BmpString::try_from("Øre").unwrap();
        let certificate =
            made(|params| params.distinguished_name.push(DnType::CommonName, DnValue::BmpString(bmp)));
        assert_eq!(identity_of(&certificate, Identity::Cn).as_deref(), Some("Øre"));
    }

    #[test]
    fn none_is_none() {
        let bare = made(|_| {});
        let sly = made(|params| params.distinguished_name.push(DnType::CommonName, "root\0.example"));
        for kind in [Identity::Cn, Identity::Dn, Identity::SanDns, Identity::SanUri] {
            assert_eq!(identity_of(&bare, kind), None, "{kind:?}");
            assert_eq!(identity_of(&sly, kind), None, "{kind:?}");
        }
        assert_eq!(identity_of(&CertificateDer::from(vec![0x30, 0x03, 1, 2]), Identity::Cn), None);
    }

    proptest! {
        #[test]
        fn damaged_names_are_no_names(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = common_name(&bytes);
            let _ = distinguished_name(&bytes);
        }
    }
}
