//! Reads a TOML file into entries: every unknown key and every value of a wrong type is reported with
//! line, column and what was probably meant.

use std::path::Path;

use serde::Deserialize;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::{Spanned, Value};

use super::entries::{Entries, Instance, Slot, is_name, suggest_key};
use super::keys::{Section, Shape, later};
use super::problem::{Origin, Places, Problem};
use super::schema::Config;

/// Reads the content of `file`. Where it is not TOML, only that is reported and no entry is made.
pub(super) fn read(file: &Path, text: &str, entries: &mut Entries, problems: &mut Vec<Problem>) {
    let places = Places::new(file, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            let at = places.at(error.span().map_or(0, |span| span.start));
            problems.push(Problem::new(at, error.message().trim()));
        }
        return;
    }
    let mut reader = Reader { file, places, entries, problems };
    reader.root(table.get_ref());
}

struct Reader<'a> {
    file: &'a Path,
    places: Places<'a>,
    entries: &'a mut Entries,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn root(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            let at = self.places.at(name.span().start);
            let section = Section::find(name.get_ref()).filter(|section| !section.name.is_empty());
            match section {
                Some(section) => self.section(section, value, at),
                None => self.key(&Config::SECTION, Instance::Only, name.get_ref(), value, at),
            }
        }
    }

    fn section(&mut self, section: &'static Section, value: &Spanned<DeValue<'_>>, at: Origin) {
        match (section.shape, value.get_ref()) {
            (Shape::Table, DeValue::Table(table)) => self.keys(section, &Instance::Only, table, at),
            (Shape::List, DeValue::Array(list)) => {
                for (n, item) in list.iter().enumerate() {
                    match item.get_ref() {
                        DeValue::Table(table) => {
                            let at = self.places.at(item.span().start);
                            self.keys(section, &Instance::Number(n), table, at);
                        }
                        _ => self.misshapen(section, self.places.at(item.span().start)),
                    }
                }
            }
            (Shape::Map, DeValue::Table(map)) => self.map(section, map),
            _ => self.misshapen(section, at),
        }
    }

    fn map(&mut self, section: &'static Section, map: &DeTable<'_>) {
        for (name, value) in map {
            let at = self.places.at(name.span().start);
            match value.get_ref() {
                DeValue::Table(table) if is_name(name.get_ref()) => {
                    self.keys(section, &Instance::Named(name.get_ref().to_string()), table, at);
                }
                DeValue::Table(_) => {
                    let what = format!("`{}` is not a name", name.get_ref());
                    self.problems
                        .push(Problem::new(at, what).hint("write letters, digits, `-` and `_`, at most 64"));
                }
                _ => self.misshapen(section, at),
            }
        }
    }

    fn keys(&mut self, section: &'static Section, instance: &Instance, table: &DeTable<'_>, at: Origin) {
        self.entries.open(section, instance.clone(), at);
        for (name, value) in table {
            let at = self.places.at(name.span().start);
            self.key(section, instance.clone(), name.get_ref(), value, at);
        }
    }

    fn key(
        &mut self,
        section: &'static Section,
        instance: Instance,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        at: Origin,
    ) {
        let full = if section.name.is_empty() { name.to_owned() } else { format!("{}.{name}", section.name) };
        if let Some(what) = later(&full) {
            return self.problems.push(Problem::new(at, format!("this version does not have {what} yet")));
        }
        let Some(key) = section.key(name) else {
            let within =
                if section.name.is_empty() { String::new() } else { format!(" in {}", section.header()) };
            let hint = suggest_key(section, name);
            return self.problems.push(Problem { at, what: format!("unknown key `{name}`{within}"), hint });
        };
        let slot = Slot { section, instance, key };
        let at_value = self.places.at(value.span().start);
        match Value::deserialize(ValueDeserializer::from(value.clone())) {
            Ok(value) if (key.accepts)(&value) => {
                let value = if key.kind.is_path { self.beside_file(value) } else { value };
                self.entries.set(&slot, value, at_value);
            }
            Ok(value) => {
                let (what, hint) = slot.refuse(&value);
                self.problems.push(Problem { at: at_value.clone(), what, hint });
                self.entries.refuse(&slot, at_value);
            }
            Err(error) => {
                self.problems.push(Problem::new(at_value.clone(), error.message()));
                self.entries.refuse(&slot, at_value);
            }
        }
    }

    fn misshapen(&mut self, section: &Section, at: Origin) {
        let what = format!("`{}` is written as a section", section.name);
        self.problems
            .push(Problem::new(at, what).hint(format!("write {} and its keys below", section.header())));
    }

    /// Counts a relative path from the file's folder, so that it means the same wherever the broker is started.
    fn beside_file(&self, value: Value) -> Value {
        match (&value, self.file.parent()) {
            (Value::String(path), Some(folder)) => match folder.join(path).into_os_string().into_string() {
                Ok(joined) => Value::String(joined),
                Err(_) => value,
            },
            _ => value,
        }
    }
}
