//! The PROXY protocol, versions 1 and 2: the header in which a load balancer names the client.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

const V1_START: &[u8] = b"PROXY ";
/// The longest line that is possible, its end included (section 2.1).
const V1_MAX: usize = 107;
const V2_START: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// What stands before the addresses (section 2.2).
const V2_HEAD: usize = 16;
/// Addresses and the balancer's notes; they fit a packet of 536 bytes unless it adds certificates.
const V2_BODY_MAX: usize = 4 * 1024;
/// How much is looked at in one go.
const PEEK: usize = 256;

/// What the first bytes of a connection say.
#[derive(Debug, PartialEq, Eq)]
enum Parsed {
    /// All of it belongs to a header, and more is to come.
    More,
    /// A header of so many bytes, and who is behind it; `None`: the balancer itself, or somebody it
    /// cannot name.
    Header(usize, Option<SocketAddr>),
}

/// Reads the header, and not a byte beyond. Answers where the client connects from, where it says so.
///
/// # Errors
/// There is no header, or not a good one.
pub(super) async fn read_header(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut held: Vec<u8> = Vec::new();
    loop {
        let at = held.len();
        held.resize(at + PEEK, 0);
        let seen = stream.peek(held.get_mut(at..).unwrap_or_default()).await?;
        if seen == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        held.truncate(at + seen);
        let parsed = parse(&held).map_err(|what| {
            io::Error::new(io::ErrorKind::InvalidData, format!("PROXY protocol expected: {what}"))
        })?;
        let end = match parsed {
            Parsed::More => held.len(),
            Parsed::Header(len, _) => len,
        };
        stream.read_exact(held.get_mut(at..end).unwrap_or_default()).await?;
        if let Parsed::Header(_, client) = parsed {
            return Ok(client);
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Parsed, &'static str> {
    if begins(bytes, V2_START) {
        parse_v2(bytes)
    } else if begins(bytes, V1_START) {
        parse_v1(bytes)
    } else {
        Err("the connection begins otherwise")
    }
}

/// Whether as much of `bytes` as there is agrees with `start`.
fn begins(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(byte, expected)| byte == expected)
}

fn parse_v1(bytes: &[u8]) -> Result<Parsed, &'static str> {
    let Some(end) = bytes.iter().take(V1_MAX).position(|&byte| byte == b'\n') else {
        return if bytes.len() < V1_MAX { Ok(Parsed::More) } else { Err("a line of over 107 bytes") };
    };
    let line = bytes.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or("a line without CR LF")?;
    let line = std::str::from_utf8(line).map_err(|_| "a line that is not ASCII")?;
    let mut words = line.split(' ').skip(1);
    let client = match words.next() {
        // Whatever follows is to be ignored.
        Some("UNKNOWN") => None,
        Some("TCP4") => Some(v1_client::<Ipv4Addr>(words)?),
        Some("TCP6") => Some(v1_client::<Ipv6Addr>(words)?),
        _ => return Err("neither TCP4, TCP6 nor UNKNOWN"),
    };
    Ok(Parsed::Header(end + 1, client))
}

/// Both addresses, then both ports; the client's first.
fn v1_client<'a, A: FromStr + Into<IpAddr>>(
    mut words: impl Iterator<Item = &'a str>,
) -> Result<SocketAddr, &'static str> {
    let wrong = "not two addresses and two ports";
    let mut word = || words.next().ok_or(wrong);
    let address = |text: &str| text.parse::<A>().map_err(|_| wrong);
    let (source, _) = (address(word()?)?, address(word()?)?);
    let (port, own) = (v1_port(word()?), v1_port(word()?));
    match (port, own, words.next()) {
        (Some(port), Some(_), None) => Ok(SocketAddr::new(source.into(), port)),
        _ => Err(wrong),
    }
}

/// Digits without a leading zero.
fn v1_port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

fn parse_v2(bytes: &[u8]) -> Result<Parsed, &'static str> {
    if bytes.get(12).is_some_and(|version| version >> 4 != 2) {
        return Err("a version other than 2");
    }
    let Some(&[.., command, kind, high, low]) = bytes.first_chunk::<V2_HEAD>() else {
        return Ok(Parsed::More);
    };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len > V2_BODY_MAX {
        return Err("a header of over 4 KiB");
    }
    let Some(body) = bytes.get(V2_HEAD..V2_HEAD + len) else { return Ok(Parsed::More) };
    let client = match (command & 0x0F, kind) {
        // LOCAL: the balancer speaks for itself, as for a health check.
        (0, _) => None,
        (1, 0x00) => None,
        (1, 0x11) => Some(v2_client::<4>(body)?),
        (1, 0x21) => Some(v2_client::<16>(body)?),
        // A socket of its own machine has no address.
        (1, 0x31) if body.len() >= 216 => None,
        (1, _) => return Err("addresses that are not of TCP"),
        _ => return Err("a command other than LOCAL and PROXY"),
    };
    Ok(Parsed::Header(V2_HEAD + len, client))
}

/// Both addresses of `N` bytes, then both ports; the client's first. What follows are notes.
fn v2_client<const N: usize>(body: &[u8]) -> Result<SocketAddr, &'static str>
where
    [u8; N]: Into<IpAddr>,
{
    let short = "addresses cut short";
    let (source, rest) = body.split_first_chunk::<N>().ok_or(short)?;
    let (_, rest) = rest.split_first_chunk::<N>().ok_or(short)?;
    let (port, rest) = rest.split_first_chunk().ok_or(short)?;
    rest.first_chunk::<2>().ok_or(short)?;
    Ok(SocketAddr::new((*source).into(), u16::from_be_bytes(*port)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const V4: &str = "PROXY TCP4 192.0.2.7 10.0.0.1 50000 1883\r\n";

    fn v2(command: u8, kind: u8, body: &[u8]) -> Vec<u8> {
        let len = (body.len() as u16).to_be_bytes();
        [&V2_START[..], &[command, kind], &len, body].concat()
    }

    fn v4_body() -> Vec<u8> {
        vec![192, 0, 2, 7, 10, 0, 0, 1, 0xC3, 0x50, 7, 0x5B]
    }

    /// Every shorter piece asks for more; the whole is told, whatever follows.
    fn whole(header: &[u8], client: Option<&str>) {
        let client = client.map(|client| client.parse().unwrap());
        for cut in 0..header.len() {
            assert_eq!(parse(&header[..cut]), Ok(Parsed::More), "{cut}");
        }
        let told = Ok(Parsed::Header(header.len(), client));
        assert_eq!(parse(header), told);
        assert_eq!(parse(&[header, &[0x10; 300]].concat()), told);
    }

    #[test]
    fn version_1() {
        whole(V4.as_bytes(), Some("192.0.2.7:50000"));
        whole(b"PROXY TCP6 2001:db8::7 ::1 1 65535\r\n", Some("[2001:db8::7]:1"));
        whole(b"PROXY UNKNOWN\r\n", None);
        whole(b"PROXY UNKNOWN anything at all\r\n", None);
        let longest = "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
                       ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
        assert_eq!(longest.len(), V1_MAX);
        whole(longest.as_bytes(), None);
    }

    #[test]
    fn version_2() {
        whole(&v2(0x21, 0x11, &v4_body()), Some("192.0.2.7:50000"));
        let six = [&[0x20; 32][..], &[0, 80, 0, 81]].concat();
        whole(&v2(0x21, 0x21, &six), Some("[2020:2020:2020:2020:2020:2020:2020:2020]:80"));
        whole(&v2(0x20, 0x11, &v4_body()), None);
        whole(&v2(0x20, 0, b""), None);
        whole(&v2(0x21, 0, &[1; 30]), None);
        whole(&v2(0x21, 0x31, &[0; 216]), None);
        let notes = [&v4_body()[..], &[0x20, 0, 100], &[9; 700]].concat();
        whole(&v2(0x21, 0x11, &notes), Some("192.0.2.7:50000"));
    }

    #[test]
    fn strangers_and_damage() {
        let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat();
        let large = [&V2_START[..], &[0x21, 0x11, 0xFF, 0xFF]].concat();
        let cut = v2(0x21, 0x11, &v4_body()[..11]);
        for bytes in [
            &b"\x10\x0c\x00\x04MQTT"[..],
            b"CONNECT\n",
            b"\x16\x03\x01",
            b"PROXY\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 50000 1883\n",
            b"PROXY TCP4 192.0.2.7  10.0.0.1 50000 1883\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 50000 1883 \r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 050 1883\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 +5 1883\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 65536 1883\r\n",
            b"PROXY TCP4 192.0.2.256 10.0.0.1 1 1883\r\n",
            b"PROXY TCP4 ::1 ::1 1 1883\r\n",
            b"PROXY TCP6 1.2.3.4 1.2.3.4 1 1883\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 50000\r\n",
            b"PROXY UDP4 192.0.2.7 10.0.0.1 50000 1883\r\n",
            b"PROXY \r\n",
            b"PROXY \xff\r\n",
            &long,
            &large,
            &cut,
            &v2(0x11, 0x11, &v4_body()),
            &v2(0x22, 0x11, &v4_body()),
            &v2(0x21, 0x12, &v4_body()),
            &v2(0x21, 0x31, &v4_body()),
            &v2(0x21, 0x41, &v4_body()),
        ] {
            assert!(parse(bytes).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, one: bool) {
            let _ = parse(&bytes);
            let start = if one { V1_START } else { &V2_START[..] };
            if let Ok(Parsed::Header(len, _)) = parse(&[start, &bytes].concat()) {
                prop_assert!(len <= start.len() + bytes.len());
            }
        }
    }
}
