//! The request that opens a WebSocket (RFC 6455, 4.2), and what it is answered.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::{Request, create_response};
use tokio_tungstenite::tungstenite::http::HeaderMap;
use tokio_tungstenite::tungstenite::http::header::{ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL};

use super::origin::Sites;
use crate::net::Proto;

/// The request line and all headers; a browser may send cookies that are of no use here.
const HEAD_MAX: usize = 16 * 1024;
const HEAD_END: &[u8] = b"\r\n\r\n";
/// For the answer to reach a client that is turned away.
const LINGER: Duration = Duration::from_secs(1);
/// What it may still send meanwhile.
const LINGER_BYTES_MAX: usize = 4 << 20;

const SCRAP: usize = 8 * 1024;

const NAMES: &str = "mqtt, mqttv3.1, v10.stomp, v11.stomp, v12.stomp";

/// What was agreed on.
pub(in crate::net) struct Accepted {
    /// What is spoken within.
    pub(in crate::net) proto: Proto,
    /// Whether messages may be text.
    pub(super) texts: bool,
    /// What came behind the request.
    pub(super) rest: BytesMut,
}

/// Why a request is turned away.
#[derive(Debug)]
struct Refusal {
    status: &'static str,
    /// Headers, each with its line end.
    headers: &'static str,
    text: String,
}

impl Refusal {
    fn new(status: &'static str, headers: &'static str, text: impl Into<String>) -> Self {
        Self { status, headers, text: text.into() }
    }

    fn bad(text: impl Into<String>) -> Self {
        Self::new("400 Bad Request", "", text)
    }

    fn to_http(&self) -> String {
        let Self { status, headers, text } = self;
        let len = text.len() + 1;
        format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Type: text/plain; charset=utf-8\r\n\
             Content-Length: {len}\r\n\r\n{text}\n"
        )
    }
}

/// Reads the request and answers it. A client that is turned away is told why over HTTP.
///
/// # Errors
/// The stream broke, or the request was none that can be accepted.
pub(in crate::net) async fn accept<S>(stream: &mut S, sites: Sites<'_>) -> io::Result<Accepted>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut bytes = BytesMut::new();
    let answer = match read_head(stream, &mut bytes).await? {
        Ok(len) => answer(&bytes.split_to(len), sites),
        Err(refusal) => Err(refusal),
    };
    match answer {
        Ok((proto, response)) => {
            stream.write_all(&response).await?;
            stream.flush().await?;
            Ok(Accepted { proto, texts: proto == Proto::Stomp, rest: bytes })
        }
        Err(refusal) => {
            let _ = tokio::time::timeout(LINGER, turn_away(stream, &refusal)).await;
            let Refusal { status, text, .. } = refusal;
            Err(io::Error::other(format!("WebSocket refused with {status}: {text}")))
        }
    }
}

/// Answers the length of the head.
async fn read_head<S>(stream: &mut S, bytes: &mut BytesMut) -> io::Result<Result<usize, Refusal>>
where
    S: AsyncRead + Unpin,
{
    loop {
        let seen = bytes.len();
        if stream.read_buf(bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if bytes.first().is_some_and(|first| !first.is_ascii_uppercase()) {
            return Ok(Err(Refusal::bad("WebSocket is spoken here, which begins with a request of HTTP.")));
        }
        let from = seen.saturating_sub(HEAD_END.len() - 1);
        let end = memmem::find(bytes.get(from..).unwrap_or_default(), HEAD_END);
        match end.map(|end| from + end + HEAD_END.len()) {
            Some(len) if len <= HEAD_MAX => return Ok(Ok(len)),
            None if bytes.len() < HEAD_MAX => {}
            _ => {
                let text = format!("The headers are longer than {HEAD_MAX} bytes.");
                return Ok(Err(Refusal::new("431 Request Header Fields Too Large", "", text)));
            }
        }
    }
}

/// Sends the answer, and waits for the client to end its side: closing a socket with unread input resets
/// it, and takes the answer back.
async fn turn_away<S>(stream: &mut S, refusal: &Refusal) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(refusal.to_http().as_bytes()).await?;
    stream.shutdown().await?;
    let mut scrap = BytesMut::with_capacity(SCRAP);
    let mut dropped = 0;
    while dropped < LINGER_BYTES_MAX {
        scrap.clear();
        match stream.read_buf(&mut scrap).await? {
            0 => break,
            read => dropped += read,
        }
    }
    Ok(())
}

/// The protocol that was agreed on, and the answer.
fn answer(head: &[u8], sites: Sites<'_>) -> Result<(Proto, Vec<u8>), Refusal> {
    let request = Request::try_parse(head).map_err(|error| refusal(&error))?;
    let (_, request) = request.ok_or_else(|| Refusal::bad("The request is not HTTP."))?;
    let response = create_response(&request).map_err(|error| refusal(&error))?;
    check_origin(request.headers(), sites)?;
    let (proto, name) = choose(request.headers())?;
    let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT).and_then(|value| value.to_str().ok());
    // Written out, as small clients compare names of headers by their case.
    let text = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {name}\r\n\r\n",
        accepted.unwrap_or_default()
    );
    Ok((proto, text.into_bytes()))
}

fn refusal(error: &Error) -> Refusal {
    match error {
        Error::Protocol(ProtocolError::WrongHttpMethod) => {
            Refusal::new("405 Method Not Allowed", "Allow: GET\r\n", "WebSocket begins with GET.")
        }
        Error::Protocol(
            ProtocolError::MissingConnectionUpgradeHeader | ProtocolError::MissingUpgradeWebSocketHeader,
        ) => Refusal::new(
            "426 Upgrade Required",
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            format!("WebSocket is spoken here, for a client of MQTT or STOMP. Sub-protocols: {NAMES}."),
        ),
        Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader) => Refusal::new(
            "426 Upgrade Required",
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            "The version of WebSocket spoken here is 13.",
        ),
        Error::Protocol(ProtocolError::MissingSecWebSocketKey | ProtocolError::InvalidSecWebSocketKey) => {
            Refusal::bad("Sec-WebSocket-Key must be 16 bytes in base64.")
        }
        Error::Protocol(ProtocolError::WrongHttpVersion) => {
            Refusal::new("505 HTTP Version Not Supported", "", "WebSocket needs HTTP/1.1.")
        }
        Error::Capacity(_) => {
            Refusal::new("431 Request Header Fields Too Large", "", "There are too many headers.")
        }
        error => Refusal::bad(format!("The request cannot be read: {error}")),
    }
}

/// Browsers say which site a page is from; clients of other kinds say nothing.
fn check_origin(headers: &HeaderMap, sites: Sites<'_>) -> Result<(), Refusal> {
    match headers.get(ORIGIN) {
        Some(origin) if !sites.allow(origin.as_bytes()) => Err(Refusal::new(
            "403 Forbidden",
            "",
            "Pages of this site may not connect here: name it in the listener's URL, ?origin=https://shop.example",
        )),
        _ => Ok(()),
    }
}

/// The first of the offered sub-protocols that is spoken.
fn choose(headers: &HeaderMap) -> Result<(Proto, &'static str), Refusal> {
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let offered = offers.flat_map(|value| value.split(',')).map(str::trim).find_map(|name| match name {
        "mqtt" => Some((Proto::Mqtt, "mqtt")),
        "mqttv3.1" => Some((Proto::Mqtt, "mqttv3.1")),
        "v10.stomp" => Some((Proto::Stomp, "v10.stomp")),
        "v11.stomp" => Some((Proto::Stomp, "v11.stomp")),
        "v12.stomp" => Some((Proto::Stomp, "v12.stomp")),
        _ => None,
    });
    offered.ok_or_else(|| {
        Refusal::bad(format!(
            "Sec-WebSocket-Protocol must offer one of the sub-protocols spoken here: {NAMES}."
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "GET /any/path?x HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n\
                        Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n\
                        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    fn ask(rest: &str, origins: &[&str]) -> Result<(Proto, String), String> {
        let origins: Vec<_> = origins.iter().map(|&origin| origin.to_owned()).collect();
        let sites = if origins.is_empty() { Sites::All } else { Sites::Named(&origins) };
        answer(format!("{GOOD}{rest}\r\n").as_bytes(), sites)
            .map(|(proto, bytes)| (proto, String::from_utf8(bytes).unwrap()))
            .map_err(|refusal| refusal.to_http())
    }

    #[test]
    fn the_example_of_the_specification() {
        let (proto, response) = ask("Sec-WebSocket-Protocol: mqtt\r\n", &[]).unwrap();
        assert_eq!(proto, Proto::Mqtt);
        assert!(response.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{response}");
        assert!(response.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(response.contains("\r\nSec-WebSocket-Protocol: mqtt\r\n") && response.ends_with(HTTP_END));
    }

    const HTTP_END: &str = "\r\n\r\n";

    #[test]
    fn sub_protocols() {
        for (offer, chosen) in [
            ("mqtt", Some("mqtt")),
            ("mqttv3.1", Some("mqttv3.1")),
            ("amqp, v12.stomp, v11.stomp", Some("v12.stomp")),
            ("x,v10.stomp,mqtt", Some("v10.stomp")),
            ("amqp", None),
            ("MQTT", None),
            ("", None),
        ] {
            let answer = ask(&format!("Sec-WebSocket-Protocol: {offer}\r\n"), &[]);
            match (answer, chosen) {
                (Ok((_, response)), Some(name)) => {
                    assert!(response.contains(&format!("Sec-WebSocket-Protocol: {name}\r\n")));
                }
                (Err(response), None) => {
                    assert!(response.starts_with("HTTP/1.1 400 ") && response.contains(NAMES), "{response}");
                }
                (answer, _) => panic!("{offer}: {answer:?}"),
            }
        }
        let two = "Sec-WebSocket-Protocol: amqp\r\nSec-WebSocket-Protocol: mqtt\r\n";
        assert_eq!(ask(two, &[]).unwrap().0, Proto::Mqtt);
        assert!(ask("", &[]).unwrap_err().contains(NAMES));
    }

    #[test]
    fn origins() {
        let from = |origin: &str, allowed: &[&str]| {
            ask(&format!("Sec-WebSocket-Protocol: mqtt\r\n{origin}"), allowed).map(|(proto, _)| proto)
        };
        let allowed = &["https://a.example", "https://b.example:444"];
        for origin in ["", "Origin: https://a.example\r\n", "Origin: HTTPS://B.example:444\r\n"] {
            assert_eq!(from(origin, allowed), Ok(Proto::Mqtt), "{origin}");
        }
        assert_eq!(from("Origin: null\r\n", &[]), Ok(Proto::Mqtt));
        for origin in ["https://evil.example", "http://a.example", "null", "https://a.example.evil", ""] {
            let response = from(&format!("Origin: {origin}\r\n"), allowed).unwrap_err();
            assert!(response.starts_with("HTTP/1.1 403 "), "{response}");
        }
    }

    #[test]
    fn requests_that_are_none() {
        let without = |line: &str| {
            let kept = GOOD.split_inclusive("\r\n").filter(|kept| !kept.starts_with(line));
            format!("{}Sec-WebSocket-Protocol: mqtt\r\n\r\n", kept.collect::<String>())
        };
        let good = format!("{GOOD}Sec-WebSocket-Protocol: mqtt\r\n\r\n");
        for (head, status, part) in [
            ("GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), "426", "Upgrade: websocket\r\n"),
            (without("Upgrade"), "426", NAMES),
            (without("Connection"), "426", NAMES),
            (without("Sec-WebSocket-Version"), "426", "Sec-WebSocket-Version: 13\r\n"),
            (good.replace("Version: 13", "Version: 8"), "426", "Sec-WebSocket-Version: 13\r\n"),
            (without("Sec-WebSocket-Key"), "400", "Sec-WebSocket-Key"),
            (good.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhl"), "400", "Sec-WebSocket-Key"),
            (good.replace("GET ", "POST "), "405", "Allow: GET\r\n"),
            (good.replace("HTTP/1.1", "HTTP/1.0"), "505", "HTTP/1.1"),
            (good.replace("Host: h", "Host h"), "400", "cannot be read"),
            (good.replace("Host: h\r\n", &"X: y\r\n".repeat(200)), "431", "too many"),
        ] {
            let response = answer(head.as_bytes(), Sites::All).unwrap_err().to_http();
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{head}{response}");
            assert!(response.contains(part), "{head}{response}");
            let body = response.split_once(HTTP_END).unwrap().1;
            assert!(response.contains(&format!("Content-Length: {}\r\n", body.len())));
        }
    }
}
