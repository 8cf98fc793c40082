//! From which sites' pages a browser may connect (RFC 6454, RFC 6455, 10.2).

use std::net::{IpAddr, SocketAddr};

/// Stands for all sites.
const ALL: &str = "*";

/// Whose pages may connect. Clients that are no browsers name no site and always may.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) enum Sites<'a> {
    /// These.
    Named(&'a [String]),
    /// Those of the browser's own machine.
    Local,
    /// All.
    All,
}

impl<'a> Sites<'a> {
    /// Those that a listener names. Where it names none: all, but on the broker's own machine only its own. A
    /// page from anywhere could otherwise reach a broker that is open to no network.
    pub(in crate::net) fn new(named: &'a [String], peer: SocketAddr) -> Self {
        if named.iter().any(|site| site == ALL) {
            Self::All
        } else if !named.is_empty() {
            Self::Named(named)
        } else if peer.ip().to_canonical().is_loopback() {
            Self::Local
        } else {
            Self::All
        }
    }

    /// Whether a page of this site may.
    pub(super) fn allow(self, origin: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Named(sites) => sites.iter().any(|site| origin.eq_ignore_ascii_case(site.as_bytes())),
            Self::Local => std::str::from_utf8(origin).is_ok_and(is_local),
        }
    }
}

fn is_local(origin: &str) -> bool {
    let Some((_, authority)) = origin.split_once("://") else { return false };
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(host, _)| host),
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    };
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_the_own_machine() {
        for origin in
            ["http://localhost", "https://LOCALHOST:3000", "http://127.0.0.1:8080", "http://[::1]:80"]
        {
            assert!(Sites::Local.allow(origin.as_bytes()), "{origin}");
        }
        for origin in [
            "https://shop.example",
            "https://localhost.example",
            "http://127.0.0.1.example:80",
            "http://10.0.0.1",
            "http://[::2]",
            "http://[::1",
            "null",
            "",
            "localhost",
        ] {
            assert!(!Sites::Local.allow(origin.as_bytes()), "{origin}");
        }
        assert!(!Sites::Local.allow(b"http://\xff"));
    }

    #[test]
    fn what_a_listener_names_decides() {
        let (here, there) = (SocketAddr::from(([127, 0, 0, 1], 9)), SocketAddr::from(([10, 0, 0, 1], 9)));
        let named = ["https://a.example".to_owned()];
        assert!(matches!(Sites::new(&named, here), Sites::Named(_)));
        assert!(matches!(Sites::new(&[], here), Sites::Local));
        assert!(matches!(Sites::new(&[], "[::ffff:127.0.0.1]:9".parse().unwrap()), Sites::Local));
        assert!(matches!(Sites::new(&[], there), Sites::All));
        assert!(matches!(Sites::new(&["*".to_owned()], here), Sites::All));
    }
}
