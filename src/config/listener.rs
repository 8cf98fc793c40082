//! What a listener speaks, and where.

use std::fmt;
use std::net::IpAddr;

use wharfmq_base::Network;

use super::keys::nearest;
use super::url::{InUrl, Url};

/// What is spoken on a connection, below TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// MQTT 3.1, 3.1.1 and 5.0.
    Mqtt,
    /// STOMP 1.0, 1.1 and 1.2.
    Stomp,
    /// OpenWire.
    OpenWire,
    /// AMQP 0-9-1 and 1.0.
    Amqp,
    /// WebSocket, with another protocol inside.
    WebSocket,
    /// SQS over HTTP.
    Sqs,
    /// Console and administration over HTTP.
    Admin,
    /// Whatever the first bytes are.
    Auto,
}

impl Protocol {
    /// Whether this version speaks it.
    pub const fn is_spoken(self) -> bool {
        matches!(self, Self::Mqtt | Self::Stomp | Self::OpenWire | Self::WebSocket | Self::Auto)
    }
}

/// A scheme of a listener's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// Its name.
    pub name: &'static str,
    /// What it speaks.
    pub protocol: Protocol,
    /// Whether it speaks it within TLS. `auto` is told by the first bytes.
    pub tls: bool,
    /// The port where the URL names none; 0: it must name one.
    pub port: u16,
}

/// Every scheme, aliases behind the name they stand for.
pub const SCHEMES: &[Scheme] = &[
    scheme("mqtt", Protocol::Mqtt, false, 1883),
    scheme("mqtts", Protocol::Mqtt, true, 8883),
    scheme("stomp", Protocol::Stomp, false, 61613),
    scheme("stomps", Protocol::Stomp, true, 61612),
    scheme("openwire", Protocol::OpenWire, false, 61616),
    scheme("openwires", Protocol::OpenWire, true, 61617),
    scheme("tcp", Protocol::OpenWire, false, 61616),
    scheme("ssl", Protocol::OpenWire, true, 61617),
    scheme("amqp", Protocol::Amqp, false, 5672),
    scheme("amqps", Protocol::Amqp, true, 5671),
    scheme("ws", Protocol::WebSocket, false, 61614),
    scheme("wss", Protocol::WebSocket, true, 61619),
    scheme("sqs", Protocol::Sqs, false, 9324),
    scheme("sqss", Protocol::Sqs, true, 9324),
    scheme("admin", Protocol::Admin, false, 8161),
    scheme("admins", Protocol::Admin, true, 8161),
    scheme("auto", Protocol::Auto, false, 0),
];

const fn scheme(name: &'static str, protocol: Protocol, tls: bool, port: u16) -> Scheme {
    Scheme { name, protocol, tls, port }
}

impl Scheme {
    /// Whether it is open where nothing is configured: it has a port, and is no other one's alias.
    pub fn is_default(&self) -> bool {
        self.port != 0 && !matches!(self.name, "tcp" | "ssl")
    }

    /// The scheme of that name, or why there is none.
    pub fn find(name: &str) -> Result<&'static Self, String> {
        SCHEMES.iter().find(|scheme| scheme.name == name).ok_or_else(|| {
            let near = nearest(name, SCHEMES.iter().map(|scheme| scheme.name));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            format!("unknown scheme `{name}`{near}")
        })
    }
}

/// A place to listen, ready to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The scheme of its URL.
    pub scheme: &'static Scheme,
    /// A name or address, IPv6 without brackets.
    pub host: String,
    /// 0: any free one.
    pub port: u16,
    /// The name of the TLS profile in [`Settings::tls`](super::Settings::tls). With the scheme `auto`,
    /// TLS and plain are both accepted where it is given; else TLS is spoken exactly where it is given.
    pub tls: Option<String>,
    /// Whether clients may stay anonymous here.
    pub allow_anonymous: bool,
    /// Where connections come from that begin with a header of the PROXY protocol.
    pub proxies: Vec<Network>,
    /// The sites whose pages may connect over WebSocket, `*` for all. None: all, but from the own machine only its own.
    pub origins: Vec<String>,
}

impl Listener {
    /// Reads a listener's URL. Profile and anonymity are the resolver's to settle: `tls` holds what
    /// the URL's option says.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text)?;
        let scheme = Scheme::find(&url.scheme)?;
        if !scheme.protocol.is_spoken() {
            return Err(format!("this version does not speak {} yet", scheme.name));
        }
        if !url.path.is_empty() {
            let paths =
                if scheme.protocol == Protocol::WebSocket { "takes all paths" } else { "has no paths" };
            return Err(format!("{} {paths}: leave `/{}` away", scheme.name, url.path));
        }
        let port = match (url.port, scheme.port) {
            (None, 0) => {
                return Err(format!(
                    "{} has no port of its own: write {}://{}:PORT",
                    scheme.name,
                    scheme.name,
                    InUrl(&url.host)
                ));
            }
            (port, default) => port.unwrap_or(default),
        };
        let mut listener = Self { scheme, host: url.host, port, ..Self::loopback(scheme) };
        listener.tls = None;
        for (name, value) in &url.options {
            listener.set_option(name, value)?;
        }
        Ok(listener)
    }

    fn set_option(&mut self, name: &str, value: &str) -> Result<(), String> {
        let is_web = matches!(self.scheme.protocol, Protocol::WebSocket | Protocol::Auto);
        match name {
            "tls" if value.is_empty() => return Err("the option `tls` needs a name: ?tls=NAME".into()),
            "tls" => self.tls = Some(value.to_owned()),
            "proxy" if value == "any" => {
                return Err("`proxy=any` would let every client say who it is: name the proxies, \
                            as in ?proxy=10.0.0.0/8,127.0.0.1"
                    .into());
            }
            "proxy" => {
                for network in value.split(',') {
                    let network = network.parse().map_err(|what| format!("the option `proxy`: {what}"))?;
                    self.proxies.push(network);
                }
            }
            "origin" if is_web => {
                for origin in value.split(',') {
                    self.origins.push(parse_origin(origin)?);
                }
            }
            "origin" => return Err("the option `origin` is for WebSocket: ws, wss and auto".into()),
            _ => return Err(format!("unknown option `{name}`; there are `tls`, `proxy` and `origin`")),
        }
        Ok(())
    }

    /// The listener that a scheme has on this machine's loopback address.
    pub fn loopback(scheme: &'static Scheme) -> Self {
        let tls = scheme.tls.then(|| "default".to_owned());
        Self {
            scheme,
            host: "127.0.0.1".into(),
            port: scheme.port,
            tls,
            allow_anonymous: false,
            proxies: Vec::new(),
            origins: Vec::new(),
        }
    }

    /// Whether only this machine can reach it. A name other than `localhost` may mean anything.
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        }
    }
}

/// As browsers send it: scheme and host, and the port where it is not the scheme's own.
fn parse_origin(text: &str) -> Result<String, String> {
    let origin = text.strip_suffix('/').unwrap_or(text);
    if origin == "*" {
        return Ok(origin.to_owned());
    }
    match origin.split_once("://") {
        Some((scheme, host)) if !scheme.is_empty() && !host.is_empty() && !host.contains('/') => {
            Ok(origin.to_owned())
        }
        _ => Err(format!("the option `origin`: `{text}` is not a site such as https://shop.example")),
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme.name, InUrl(&self.host), self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_ports() {
        assert_eq!(Listener::parse("mqtt://127.0.0.1").unwrap().port, 1883);
        assert_eq!(Listener::parse("mqtts://127.0.0.1").unwrap().port, 8883);
        assert_eq!(Listener::parse("stomp://[::1]").unwrap().to_string(), "stomp://[::1]:61613");
        assert_eq!(Listener::parse("stomps://h").unwrap().port, 61612);
        assert_eq!(Listener::parse("auto://h:0").unwrap().port, 0);
        assert!(Listener::parse("auto://h").unwrap_err().contains("auto://h:PORT"));
    }

    #[test]
    fn what_is_not_spoken_is_said() {
        for scheme in SCHEMES.iter().filter(|scheme| !scheme.protocol.is_spoken()) {
            let error = Listener::parse(&format!("{}://127.0.0.1", scheme.name)).unwrap_err();
            assert_eq!(error, format!("this version does not speak {} yet", scheme.name));
        }
        assert!(Listener::parse("mqt://h").unwrap_err().contains("did you mean `mqtt`?"));
    }

    #[test]
    fn options() {
        assert_eq!(Listener::parse("mqtts://h?tls=x").unwrap().tls.as_deref(), Some("x"));
        let listener = Listener::parse("mqtt://h?proxy=10.0.0.0/8,::1&proxy=127.0.0.1").unwrap();
        let networks: Vec<_> = listener.proxies.iter().map(ToString::to_string).collect();
        assert_eq!(networks, ["10.0.0.0/8", "::1/128", "127.0.0.1/32"]);
        let origins = "ws://h?origin=https://a.example,http://b.example:81/&origin=https://c.example";
        let origins = Listener::parse(origins).unwrap().origins;
        assert_eq!(origins, ["https://a.example", "http://b.example:81", "https://c.example"]);
        for wrong in [
            "mqtts://h?tls",
            "mqtts://h?tsl=x",
            "mqtt://h/path",
            "ws://h/mqtt",
            "mqtt://h?proxy",
            "mqtt://h?proxy=any",
            "mqtt://h?proxy=10.0.0.0/40",
            "mqtt://h?proxy=10.0.0.1,",
            "mqtt://h?origin=https://a.example",
            "ws://h?origin=a.example",
            "ws://h?origin=https://a.example/page",
            "ws://h?origin",
        ] {
            assert!(Listener::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn loopback() {
        let is_loopback = |host: &str| Listener::parse(&format!("mqtt://{host}")).unwrap().is_loopback();
        for host in ["127.0.0.1", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]", "localhost", "LocalHost"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["0.0.0.0", "[::]", "10.0.0.1", "example.org", "localhost.example.org"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
