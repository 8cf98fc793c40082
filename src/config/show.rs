//! The effective configuration as a file, each key with where its value comes from.

use std::fmt::Write;

use toml::Value;

use super::entries::Instance;
use super::keys::{Key, SECTIONS, Section, Shape};
use super::load::Loaded;
use super::problem::Origin;

/// Writes it as TOML that loads to the same settings.
pub fn show(loaded: &Loaded) -> String {
    let mut out = String::new();
    for section in SECTIONS {
        match section.shape {
            Shape::Table => table(&mut out, loaded, section, &Instance::Only),
            Shape::List | Shape::Map => {
                for instance in loaded.entries.instances(section.name) {
                    table(&mut out, loaded, section, instance);
                }
            }
        }
        if section.name == "tls" && loaded.settings.dev_tls {
            made_certificate(&mut out, loaded);
        }
        if section.name == "listener" && loaded.entries.instances("listener").next().is_none() {
            default_listeners(&mut out, loaded);
        }
    }
    out
}

fn table(out: &mut String, loaded: &Loaded, section: &'static Section, instance: &Instance) {
    match instance {
        _ if section.name.is_empty() => {}
        Instance::Only => line(out, format_args!("\n[{}]", section.name), None),
        Instance::Number(_) => line(out, format_args!("\n[[{}]]", section.name), None),
        Instance::Named(name) => line(out, format_args!("\n[{}.{name}]", section.name), None),
    }
    for key in section.keys {
        if let Some((value, origin)) = effective(loaded, section, instance, key) {
            line(out, format_args!("{} = {value}", key.name), Some(&origin));
        }
    }
}

fn effective(
    loaded: &Loaded,
    section: &'static Section,
    instance: &Instance,
    key: &Key,
) -> Option<(Value, Origin)> {
    match loaded.entries.get(section.name, instance, key.name) {
        Some((value, origin)) => Some((value.clone(), origin.clone())),
        None => Some((key.default?.parse().ok()?, Origin::Default)),
    }
}

fn default_listeners(out: &mut String, loaded: &Loaded) {
    for listener in &loaded.settings.listeners {
        line(out, format_args!("\n[[listener]]"), None);
        line(out, format_args!("url = \"{listener}\""), Some(&Origin::Default));
    }
}

/// What `--dev-tls` stands for; the files are there once the broker has been started with it.
fn made_certificate(out: &mut String, loaded: &Loaded) {
    let Some(profile) = loaded.settings.tls.get("default") else { return };
    let origin = Origin::Flag("--dev-tls".into());
    line(out, format_args!("\n[tls.default]"), None);
    for (key, file) in [("certificate", &profile.certificate), ("key", &profile.key)] {
        let file = Value::String(file.display().to_string());
        line(out, format_args!("{key} = {file}"), Some(&origin));
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>, origin: Option<&Origin>) {
    // Writing to a String cannot fail.
    let _ = match origin {
        // A control character would end the comment or make it invalid.
        Some(origin) => writeln!(out, "{text}  # {}", origin.to_string().replace(char::is_control, " ")),
        None => writeln!(out, "{text}"),
    };
}
