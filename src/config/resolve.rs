//! From what is written to what is used: bounds, listeners, and what depends on more than one key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wharfmq_base::{ByteSize, Millis};

use super::entries::{Entries, Instance};
use super::fields::{ClientAuth, Identity, Share, Size, Span};
use super::listener::{Listener, Protocol, SCHEMES};
use super::problem::{Origin, Problem};
use super::schema::{self, Config};
use super::settings::{Limits, Log, Settings, TlsProfile};
use super::{addresses, dev_tls, forwards, memory, mqtt};

const KIB: u64 = 1 << 10;
const DAY_MS: u64 = 24 * 3_600 * 1_000;
const MIB: u64 = 1 << 20;

/// Checks and completes a configuration. The result is only good where no problem was added.
pub(super) fn resolve(
    config: Config,
    entries: &Entries,
    dev_tls: bool,
    problems: &mut Vec<Problem>,
) -> Settings {
    let mut resolver = Resolver { entries, problems };
    let tls = resolver.tls(&config, dev_tls);
    let listeners = resolver.listeners(&config, &tls);
    Settings {
        drain_time: config.drain_time.0,
        listeners,
        tls,
        dev_tls,
        store: config.store.kind,
        sync: config.store.sync,
        addresses: addresses::resolve(config.address, entries, resolver.problems),
        virtual_topics: config.virtual_topics,
        forwards: forwards::resolve(config.forward, entries, resolver.problems),
        limits: resolver.limits(&config.limits),
        mqtt: mqtt::resolve(config.mqtt, entries, resolver.problems),
        log: resolver.log(config.log),
        users_file: resolver.users_file(config.security.users_file),
        data_dir: config.data_dir,
    }
}

struct Resolver<'a> {
    entries: &'a Entries,
    problems: &'a mut Vec<Problem>,
}

impl Resolver<'_> {
    fn listeners(&mut self, config: &Config, tls: &BTreeMap<String, TlsProfile>) -> Vec<Listener> {
        let mut listeners = Vec::new();
        for (n, written) in config.listener.iter().enumerate() {
            let at = self.entries.origin("listener", &Instance::Number(n), "url");
            match Listener::parse(&written.url) {
                Ok(mut listener) => {
                    listener.tls = listener.tls.or_else(|| written.tls.clone());
                    listeners.push((listener, at));
                }
                Err(what) => self.problems.push(Problem::new(at, what)),
            }
        }
        if self.entries.instances("listener").next().is_none() {
            let wanted = |tls_of: bool| !tls_of || tls.contains_key("default");
            let schemes = SCHEMES.iter().filter(|scheme| scheme.protocol.is_spoken() && scheme.is_default());
            let defaults = schemes.filter(|scheme| wanted(scheme.tls)).map(Listener::loopback);
            listeners.extend(defaults.map(|listener| (listener, Origin::Default)));
        }
        for n in 0..listeners.len() {
            let (before, rest) = listeners.split_at_mut(n);
            let Some((listener, at)) = rest.first_mut() else { break };
            self.listener_tls(listener, at, tls);
            self.anonymity(listener, at, &config.security, tls);
            let same =
                |(other, _): &&(Listener, Origin)| other.host == listener.host && other.port == listener.port;
            if let Some((_, first)) = before.iter().find(same).filter(|_| listener.port != 0) {
                self.problems
                    .push(Problem::new(at.clone(), format!("{listener}: {first} listens there already")));
            }
        }
        listeners.into_iter().map(|(listener, _)| listener).collect()
    }

    /// Settles which profile a listener uses.
    fn listener_tls(&mut self, listener: &mut Listener, at: &Origin, tls: &BTreeMap<String, TlsProfile>) {
        let either = listener.scheme.protocol == Protocol::Auto;
        match &listener.tls {
            Some(_) if !listener.scheme.tls && !either => {
                let what = format!("{listener} is plain and takes no certificate");
                let hint = format!("write {}s://", listener.scheme.name);
                self.problems.push(Problem::new(at.clone(), what).hint(hint));
            }
            Some(name) if !tls.contains_key(name) => self.no_certificate(listener, name, at),
            None if listener.scheme.tls && !tls.contains_key("default") => {
                self.no_certificate(listener, "default", at)
            }
            None if listener.scheme.tls || (either && tls.contains_key("default")) => {
                listener.tls = Some("default".into());
            }
            _ => {}
        }
    }

    fn no_certificate(&mut self, listener: &Listener, name: &str, at: &Origin) {
        // A section that is there but wrong was reported where it stands.
        if self.entries.instances("tls").any(|instance| *instance == Instance::Named(name.to_owned())) {
            return;
        }
        let what = format!("{listener} needs a certificate, and there is no section [tls.{name}]");
        let hint = format!(
            "write [tls.{name}] with certificate = \"server.pem\" and key = \"server.key\"; \
             or start with --dev-tls to try TLS with a certificate made on the spot"
        );
        self.problems.push(Problem::new(at.clone(), what).hint(hint));
    }

    /// Settles who may connect without a name, and refuses a listener that would be open by accident.
    fn anonymity(
        &mut self,
        listener: &mut Listener,
        at: &Origin,
        security: &schema::Security,
        tls: &BTreeMap<String, TlsProfile>,
    ) {
        let allowed = security.allow_anonymous;
        let profile = listener.tls.as_ref().and_then(|name| tls.get(name));
        let asks_all =
            listener.scheme.tls && profile.is_some_and(|tls| tls.client_auth == ClientAuth::Required);
        listener.allow_anonymous = allowed.unwrap_or_else(|| listener.is_loopback());
        match allowed {
            Some(true) => {}
            _ if asks_all || security.users_file.is_some() => {}
            None if listener.is_loopback() => {}
            None => {
                let what = format!("{listener} would let anyone in who can reach this machine");
                let hint = "name a users_file under [security], ask for client certificates (client_auth = \
                            \"required\" in its [tls.NAME]), listen on 127.0.0.1, or, if everyone may, write \
                            allow_anonymous = true under [security] or --set security.allow_anonymous=true";
                self.problems.push(Problem::new(at.clone(), what).hint(hint));
            }
            Some(false) => {
                let at = self.entries.origin("security", &Instance::Only, "allow_anonymous");
                let what = format!("nobody could connect to {listener}: there are no users");
                let hint = "name a users_file under [security], allow anonymous clients, or ask for client \
                            certificates (client_auth = \"required\")";
                self.problems.push(Problem::new(at, what).hint(hint));
            }
        }
    }

    fn users_file(&mut self, file: Option<PathBuf>) -> Option<PathBuf> {
        if let Some(why) = file.as_deref().and_then(unreadable) {
            let at = self.entries.origin("security", &Instance::Only, "users_file");
            let hint = "make it by adding a user: wharfmq user add NAME --users-file FILE";
            self.problems.push(Problem::new(at, why).hint(hint));
        }
        file
    }

    fn tls(&mut self, config: &Config, dev_tls: bool) -> BTreeMap<String, TlsProfile> {
        let mut profiles = BTreeMap::new();
        for (name, written) in &config.tls {
            profiles.insert(name.clone(), self.profile(name, written));
        }
        if dev_tls {
            let files = dev_tls::Files::within(&config.data_dir);
            let made = TlsProfile {
                certificate: files.certificate,
                key: files.key,
                client_ca: None,
                client_auth: ClientAuth::None,
                identity: Identity::Cn,
            };
            if profiles.insert("default".into(), made).is_some() {
                let at = self.entries.origin("tls", &Instance::Named("default".into()), "certificate");
                self.problems.push(Problem::new(at, "[tls.default] and --dev-tls exclude each other"));
            }
        }
        profiles
    }

    fn profile(&mut self, name: &str, written: &schema::Tls) -> TlsProfile {
        let instance = Instance::Named(name.to_owned());
        let files = [
            ("certificate", Some(&written.certificate)),
            ("key", Some(&written.key)),
            ("client_ca", written.client_ca.as_ref()),
        ];
        for (key, file) in files {
            if let Some(why) = file.and_then(|file| unreadable(file)) {
                self.problems.push(Problem::new(self.entries.origin("tls", &instance, key), why));
            }
        }
        let asks = if written.client_ca.is_some() { ClientAuth::Required } else { ClientAuth::None };
        let client_auth = written.client_auth.unwrap_or(asks);
        if client_auth != ClientAuth::None && written.client_ca.is_none() {
            let at = self.entries.origin("tls", &instance, "client_auth");
            let what = format!("client_auth = \"{client_auth}\" needs client_ca");
            self.problems
                .push(Problem::new(at, what).hint("name the file of the authorities that sign clients"));
        }
        TlsProfile {
            certificate: written.certificate.clone(),
            key: written.key.clone(),
            client_ca: written.client_ca.clone(),
            client_auth,
            identity: written.identity,
        }
    }

    fn limits(&mut self, written: &schema::Limits) -> Limits {
        let max_frame = self.size("max_frame", written.max_frame, KIB, 256 * MIB);
        let before_login =
            self.size("max_frame_before_login", written.max_frame_before_login, KIB, 256 * MIB);
        let memory = match written.memory {
            Share::Bytes(size) => size,
            share => share.of(memory::available().0),
        };
        Limits {
            max_frame,
            max_frame_before_login: before_login.min(max_frame),
            login_timeout: self.span("login_timeout", written.login_timeout, 100, 600_000),
            max_connections: self.at_least_one("max_connections", written.max_connections),
            memory: self.size("memory", Size(memory), 16 * MIB, u64::MAX),
            destination_memory: self.share("destination_memory", written.destination_memory).of(memory.0),
            destination_disk: self.share("destination_disk", written.destination_disk),
            disk_free_min: written.disk_free_min.0,
            max_transaction_messages: self
                .at_least_one("max_transaction_messages", written.max_transaction_messages),
            max_transaction_bytes: self.size(
                "max_transaction_bytes",
                written.max_transaction_bytes,
                KIB,
                u64::MAX,
            ),
            transaction_timeout: self.span("transaction_timeout", written.transaction_timeout, 1_000, DAY_MS),
        }
    }

    fn log(&mut self, written: schema::Log) -> Log {
        if let Some(wrong) = written.level.split(',').find(|directive| !is_directive(directive.trim())) {
            let what = format!("`{}` is not a log level", wrong.trim());
            let hint = "write error, warn, info, debug or trace, or target=level, separated by commas";
            let at = self.entries.origin("log", &Instance::Only, "level");
            self.problems.push(Problem::new(at, what).hint(hint));
        }
        // The filter of the log takes no blanks between its directives.
        Log { level: written.level.replace(char::is_whitespace, ""), format: written.format }
    }

    fn size(&mut self, key: &'static str, Size(size): Size, least: u64, most: u64) -> ByteSize {
        if !(least..=most).contains(&size.0) {
            let most = if most == u64::MAX { "more".into() } else { ByteSize(most).to_string() };
            self.bound(key, &format!("{size} is outside {} to {most}", ByteSize(least)));
        }
        size
    }

    fn share(&mut self, key: &'static str, share: Share) -> Share {
        if let Share::Bytes(size) = share {
            self.size(key, Size(size), MIB, u64::MAX);
        }
        share
    }

    fn span(&mut self, key: &'static str, Span(span): Span, least: u64, most: u64) -> Millis {
        if !(least..=most).contains(&span.0) {
            self.bound(key, &format!("{} ms is outside {least} ms to {most} ms", span.0));
        }
        span
    }

    fn at_least_one(&mut self, key: &'static str, value: u32) -> u32 {
        if value == 0 {
            self.bound(key, "0 would refuse all");
        }
        value
    }

    fn bound(&mut self, key: &'static str, what: &str) {
        let at = self.entries.origin("limits", &Instance::Only, key);
        self.problems.push(Problem::new(at, format!("`limits.{key}`: {what}")));
    }
}

fn unreadable(file: &Path) -> Option<String> {
    match file.metadata() {
        Ok(found) if found.is_file() => None,
        Ok(_) => Some(format!("{} is not a file", file.display())),
        Err(error) => Some(format!("{}: {error}", file.display())),
    }
}

fn is_directive(directive: &str) -> bool {
    let (target, level) = directive.rsplit_once('=').unwrap_or(("wharfmq", directive));
    let is_target = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    !target.is_empty()
        && target.chars().all(is_target)
        && levels.iter().any(|name| level.eq_ignore_ascii_case(name))
}
