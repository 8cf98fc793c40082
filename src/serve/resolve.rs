//! Settings as the operator wrote them, in the words of the parts that carry them out.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Failure;
use crate::config::Settings;
use crate::config::listener::Protocol;
use crate::config::settings;
use crate::net::{ClientAuth, Identity, Limits, ListenerSpec, Proto, Spoken, Tls, TlsProfile};

/// The bounds of connections.
pub(super) fn limits(settings: &Settings) -> Limits {
    let bytes = |size: wharfmq_base::ByteSize| usize::try_from(size.0).unwrap_or(usize::MAX);
    Limits {
        connections: settings.limits.max_connections as usize,
        login_timeout: settings.limits.login_timeout,
        login_bytes: bytes(settings.limits.max_frame_before_login),
        frame_bytes: bytes(settings.limits.max_frame),
        drain: settings.drain_time,
        ..Limits::default()
    }
}

/// What to listen for, with the certificates read.
pub(super) fn listeners(settings: &Settings) -> Result<Vec<ListenerSpec>, Failure> {
    let mut loaded: BTreeMap<&str, Arc<Tls>> = BTreeMap::new();
    let mut specs = Vec::with_capacity(settings.listeners.len());
    for listener in &settings.listeners {
        let spoken = match listener.scheme.protocol {
            Protocol::Mqtt => Spoken::Only(Proto::Mqtt),
            Protocol::OpenWire => Spoken::Only(Proto::OpenWire),
            Protocol::Stomp => Spoken::Only(Proto::Stomp),
            Protocol::WebSocket => Spoken::WebSocket,
            Protocol::Auto => Spoken::Any,
            _ => {
                return Err(
                    format!("{listener}: this version does not speak {}", listener.scheme.name).into()
                );
            }
        };
        let tls = match &listener.tls {
            None => None,
            Some(name) => Some(match loaded.get(name.as_str()) {
                Some(known) => Arc::clone(known),
                None => {
                    let tls = Tls::load(profile(settings, name)?)?;
                    loaded.insert(name, Arc::clone(&tls));
                    tls
                }
            }),
        };
        specs.push(ListenerSpec {
            tls,
            allow_anonymous: listener.allow_anonymous,
            proxies: listener.proxies.clone(),
            origins: listener.origins.clone(),
            ..ListenerSpec::new(listener.scheme.name, spoken, &listener.host, listener.port)
        });
    }
    Ok(specs)
}

fn profile(settings: &Settings, name: &str) -> Result<TlsProfile, Failure> {
    let written = settings.tls.get(name).ok_or_else(|| format!("there is no section [tls.{name}]"))?;
    Ok(TlsProfile {
        name: name.to_owned(),
        certificate: written.certificate.clone(),
        key: written.key.clone(),
        client_ca: written.client_ca.clone(),
        client_auth: match written.client_auth {
            settings::ClientAuth::None => ClientAuth::None,
            settings::ClientAuth::Optional => ClientAuth::Optional,
            settings::ClientAuth::Required => ClientAuth::Required,
        },
        identity: match written.identity {
            settings::Identity::Cn => Identity::Cn,
            settings::Identity::Dn => Identity::Dn,
            settings::Identity::SanDns => Identity::SanDns,
            settings::Identity::SanUri => Identity::SanUri,
        },
    })
}
