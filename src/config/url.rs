//! `scheme://host:port[/path][?option=value&...]`, as listeners and the command-line client take it.

use std::fmt;

/// A URL in its parts. Nothing is resolved or defaulted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// In lower case.
    pub scheme: String,
    /// A name or address, IPv6 without its brackets.
    pub host: String,
    /// As given.
    pub port: Option<u16>,
    /// Without its leading slash; empty where there is none.
    pub path: String,
    /// In the order given.
    pub options: Vec<(String, String)>,
}

impl Url {
    /// Reads a URL, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| format!("`{text}` is not scheme://host:port"))?;
        if scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(format!("`{scheme}` is not a scheme"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err("a URL here holds no user name or password".into());
        }
        let (host, port) = split_port(authority)?;
        let options = query.split('&').filter(|option| !option.is_empty()).map(|option| {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            (name.to_owned(), value.to_owned())
        });
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            host: host.to_owned(),
            port,
            path: path.to_owned(),
            options: options.collect(),
        })
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("`[` without `]`")?;
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(format!("`[{host}]` is not an IPv6 address"));
            }
            (host, port)
        }
        None => {
            let (host, port) = authority.find(':').map_or((authority, ""), |colon| authority.split_at(colon));
            if port.get(1..).is_some_and(|port| port.contains(':')) {
                return Err(format!("`{authority}`: write an IPv6 address in brackets, as in [::1]:1883"));
            }
            if !host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) {
                return Err(format!("`{host}` is not a host"));
            }
            (host, port)
        }
    };
    if host.is_empty() {
        return Err(
            "the host is missing: write 127.0.0.1 for this machine only, or 0.0.0.0 for every address".into(),
        );
    }
    match port.strip_prefix(':') {
        Some(digits) => match digits.parse() {
            Ok(port) if digits.bytes().all(|b| b.is_ascii_digit()) => Ok((host, Some(port))),
            _ => Err(format!("`{digits}` is not a port: write 0 to 65535")),
        },
        None if port.is_empty() => Ok((host, None)),
        None => Err(format!("`{port}` behind the host")),
    }
}

/// A host as it stands before a port: IPv6 in brackets.
pub struct InUrl<'a>(pub &'a str);

impl fmt::Display for InUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') { write!(f, "[{}]", self.0) } else { f.write_str(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts() {
        let url = Url::parse("MQTTS://[::1]:8883/a/b?tls=x&flag").unwrap();
        assert_eq!((url.scheme.as_str(), url.host.as_str(), url.port), ("mqtts", "::1", Some(8883)));
        assert_eq!(url.path, "a/b");
        assert_eq!(url.options, [("tls".into(), "x".into()), ("flag".into(), String::new())]);
        let url = Url::parse("stomp://broker.example").unwrap();
        assert_eq!((url.host.as_str(), url.port), ("broker.example", None));
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "mqtt",
            "mqtt:/x",
            "://x",
            "mqtt://",
            "mqtt://:1883",
            "mqtt://::1:1883",
            "mqtt://[::1",
            "mqtt://[zz]:1",
            "mqtt://[::1]1883",
            "mqtt://h:99999",
            "mqtt://h:",
            "mqtt://h:+1",
            "mqtt://h o:1",
            "mqtt://user:pw@h:1",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = Url::parse(&text);
            let _ = Url::parse(&format!("mqtt://{text}"));
        }
    }
}
