//! Tells a protocol by the first bytes a client sends.

/// A protocol spoken on a byte stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Proto {
    /// MQTT 3.1, 3.1.1 and 5.0.
    Mqtt,
    /// OpenWire 1 to 12.
    OpenWire,
    /// STOMP 1.0, 1.1 and 1.2.
    Stomp,
}

impl Proto {
    /// Its name, as logs and listener URLs have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::OpenWire => "openwire",
            Self::Stomp => "stomp",
        }
    }
}

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniffed {
    /// Too few bytes to tell.
    NeedInput,
    /// A TLS handshake (RFC 8446, 5.1: a record of type handshake, major version 3).
    Tls,
    /// This protocol.
    Proto(Proto),
    /// None that is spoken here.
    Unknown,
}

/// Line ends before the first STOMP frame that are put up with.
const EOLS_MAX: usize = 64;
/// The fixed header of an MQTT CONNECT: type 1, flags 0 (MQTT 5.0, 3.1).
const MQTT_CONNECT: u8 = 0x10;
/// What stands behind the size of the first frame of OpenWire.
const OPENWIRE_START: &[u8] = b"\x01ActiveMQ";
const TLS_HANDSHAKE: u8 = 0x16;
const TLS_MAJOR: u8 = 0x03;

/// Looks at the first bytes of a connection; consumes nothing.
pub fn sniff(bytes: &[u8]) -> Sniffed {
    match bytes {
        [] | [TLS_HANDSHAKE] => Sniffed::NeedInput,
        [TLS_HANDSHAKE, TLS_MAJOR, ..] => Sniffed::Tls,
        [MQTT_CONNECT, ..] => Sniffed::Proto(Proto::Mqtt),
        [0, ..] => sniff_openwire(bytes),
        _ => sniff_stomp(bytes),
    }
}

/// Whether a first byte can only begin a TLS handshake.
pub(super) const fn is_tls(first: u8) -> bool {
    first == TLS_HANDSHAKE
}

/// Whether a first byte can only begin a request of HTTP: the `G` of GET.
pub(super) const fn is_http(first: u8) -> bool {
    first == b'G'
}

/// An OpenWire connection begins with the size of a WireFormatInfo, far below 16 MiB, and its type and magic.
fn sniff_openwire(bytes: &[u8]) -> Sniffed {
    let known = bytes.get(4..).unwrap_or_default();
    let told = known.iter().zip(OPENWIRE_START).all(|(byte, start)| byte == start);
    match known.len() >= OPENWIRE_START.len() {
        _ if !told => Sniffed::Unknown,
        true => Sniffed::Proto(Proto::OpenWire),
        false => Sniffed::NeedInput,
    }
}

/// A STOMP connection begins with a CONNECT or STOMP frame, perhaps after line ends.
fn sniff_stomp(bytes: &[u8]) -> Sniffed {
    let eols = bytes.iter().take_while(|&&b| matches!(b, b'\n' | b'\r')).count();
    if eols > EOLS_MAX {
        return Sniffed::Unknown;
    }
    let rest = bytes.get(eols..).unwrap_or_default();
    let is_command = |command: &[u8]| {
        let said = rest.get(..command.len().min(rest.len())).unwrap_or_default();
        command.starts_with(said).then(|| rest.get(command.len()).copied())
    };
    match is_command(b"CONNECT").or_else(|| is_command(b"STOMP")) {
        Some(Some(b'\n' | b'\r')) => Sniffed::Proto(Proto::Stomp),
        Some(None) => Sniffed::NeedInput,
        Some(Some(_)) | None => Sniffed::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every shorter prefix asks for more, the whole says `end`, and so does anything that follows.
    fn told_by_the_last_byte(bytes: &[u8], end: Sniffed) {
        for n in 0..bytes.len() {
            assert_eq!(sniff(&bytes[..n]), Sniffed::NeedInput, "{:?}", &bytes[..n]);
        }
        assert_eq!(sniff(bytes), end, "{bytes:?}");
        for next in 0..=u8::MAX {
            assert_eq!(sniff(&[bytes, &[next]].concat()), end);
        }
    }

    #[test]
    fn every_prefix_of_every_greeting() {
        told_by_the_last_byte(&[0x16, 0x03], Sniffed::Tls);
        told_by_the_last_byte(b"\x00\x00\x01\x40\x01ActiveMQ", Sniffed::Proto(Proto::OpenWire));
        told_by_the_last_byte(&[0x10], Sniffed::Proto(Proto::Mqtt));
        for command in ["CONNECT", "STOMP"] {
            for before in ["", "\n", "\r\n", "\n\r\n\n"] {
                for after in ["\n", "\r"] {
                    let bytes = [before, command, after].concat();
                    told_by_the_last_byte(bytes.as_bytes(), Sniffed::Proto(Proto::Stomp));
                }
            }
        }
    }

    #[test]
    fn strangers() {
        for first in 0..=u8::MAX {
            let expected = match first {
                0x10 => Sniffed::Proto(Proto::Mqtt),
                0 | 0x16 | b'C' | b'S' | b'\n' | b'\r' => Sniffed::NeedInput,
                _ => Sniffed::Unknown,
            };
            assert_eq!(sniff(&[first]), expected, "{first:#x}");
        }
        for text in
            ["GET / HTTP/1.1", "CONNECTED\n", "CONNECT host:1", "STOMPY", "CO\n", "SEND\n", "connect\n"]
        {
            assert_eq!(sniff(text.as_bytes()), Sniffed::Unknown, "{text}");
        }
        assert_eq!(sniff(&[0x16, 0x02]), Sniffed::Unknown);
        assert_eq!(sniff(&[b'\n'; EOLS_MAX]), Sniffed::NeedInput);
        assert_eq!(sniff(&[b'\n'; EOLS_MAX + 1]), Sniffed::Unknown);
    }
}
