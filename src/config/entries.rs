//! The values that were given, by key, with where each came from; later sources replace earlier ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use toml::{Table, Value};

use super::keys::{Key, SECTIONS, Section, Shape, later, nearest, top_level_names};
use super::problem::{Origin, Problem};
use super::schema::Config;

/// Which of a section's instances.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instance {
    /// The only one.
    Only,
    /// The nth of a list, from 0.
    Number(usize),
    /// The one of that name.
    Named(String),
}

/// A key in an instance of its section.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The section.
    pub section: &'static Section,
    /// Which of its instances.
    pub instance: Instance,
    /// The key.
    pub key: &'static Key,
}

impl Slot {
    /// The slot that a dotted path names, given as its parts; or why there is none, and what was meant.
    pub fn locate(parts: &[&str]) -> Result<Self, (String, Option<String>)> {
        let full = parts.join(".");
        if let Some(what) = later(&full).or_else(|| parts.first().and_then(|first| later(first))) {
            return Err((format!("`{full}`: this version does not have {what} yet"), None));
        }
        let (section, instance, name) = match parts {
            [name] => (&Config::SECTION, Instance::Only, *name),
            [section, rest @ .., name] => {
                let found = Section::find(section).filter(|found| !found.name.is_empty());
                let section = found.ok_or_else(|| unknown(&full, suggest(section, name)))?;
                (section, instance(section, rest, &full)?, *name)
            }
            [] => return Err(unknown(&full, None)),
        };
        match section.key(name) {
            Some(key) => Ok(Self { section, instance, key }),
            None => Err(unknown(&full, suggest_key(section, name))),
        }
    }

    /// Reads text from outside a TOML file as a value of the key: as it is, or as TOML would read it.
    pub fn value(&self, text: &str) -> Option<Value> {
        let bare = Value::String(text.to_owned());
        if (self.key.accepts)(&bare) {
            return Some(bare);
        }
        let read = text.trim().parse::<Value>().ok()?;
        (self.key.accepts)(&read).then_some(read)
    }

    /// What is wrong with a value that the key does not take.
    pub fn refuse(&self, value: &dyn fmt::Display) -> (String, Option<String>) {
        let what = match (self.section.name, self.key.name, value.to_string().trim_matches('"')) {
            ("store", "kind", "postgres") => {
                "this version does not keep messages in PostgreSQL yet".to_owned()
            }
            _ => format!("{value} is not a {}", self.key.kind.name),
        };
        let hint = match self.key.kind.form {
            "" => format!("example: {} = {}", self.key.name, self.key.example),
            form => format!("a {} is written as {form}", self.key.kind.name)
                .replace("written as one of", "one of"),
        };
        (format!("`{self}`: {what}"), Some(hint))
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.instance, self.section.name) {
            (_, "") => f.write_str(self.key.name),
            (Instance::Only, section) => write!(f, "{section}.{}", self.key.name),
            (Instance::Number(n), section) => write!(f, "{section}.{n}.{}", self.key.name),
            (Instance::Named(name), section) => write!(f, "{section}.{name}.{}", self.key.name),
        }
    }
}

/// Whether `name` may name an instance of a section.
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn instance(section: &Section, given: &[&str], full: &str) -> Result<Instance, (String, Option<String>)> {
    match (section.shape, given) {
        (Shape::Table, []) => Ok(Instance::Only),
        // The bound keeps a mistyped number from asking for a table of that length.
        (Shape::List, [number]) => match number.parse() {
            Ok(number @ 0..10_000) => Ok(Instance::Number(number)),
            _ => Err((format!("`{full}`: `{number}` is not a number from 0 to 9999"), None)),
        },
        (Shape::Map, [name]) if is_name(name) => Ok(Instance::Named((*name).to_owned())),
        (shape, _) => {
            let form = match shape {
                Shape::Table => format!("{}.KEY", section.name),
                Shape::List => format!("{}.NUMBER.KEY, counted from 0", section.name),
                Shape::Map => format!("{}.NAME.KEY", section.name),
            };
            Err((format!("`{full}` names no key"), Some(format!("write {form}"))))
        }
    }
}

fn unknown(full: &str, meant: Option<String>) -> (String, Option<String>) {
    (format!("unknown key `{full}`"), meant)
}

fn suggest(section: &str, key: &str) -> Option<String> {
    let meant =
        nearest(section, SECTIONS.iter().map(|section| section.name).filter(|name| !name.is_empty()))?;
    let key = Section::find(meant).and_then(|found| nearest(key, found.keys.iter().map(|key| key.name)));
    Some(
        key.map_or_else(
            || format!("did you mean `{meant}`?"),
            |key| format!("did you mean `{meant}.{key}`?"),
        ),
    )
}

/// What somebody meant who wrote the unknown `name` in `section`.
pub fn suggest_key(section: &'static Section, name: &str) -> Option<String> {
    if let Some(other) = SECTIONS.iter().find(|other| other.key(name).is_some()) {
        return Some(match other.name {
            "" => format!("`{name}` belongs to the top of the file, before any section"),
            _ => format!("`{name}` belongs to {}", other.header()),
        });
    }
    let near = match section.name {
        "" => nearest(name, top_level_names()),
        _ => nearest(name, section.keys.iter().map(|key| key.name)),
    };
    near.map(|near| format!("did you mean `{near}`?"))
}

type Address = (&'static str, Instance, &'static str);

/// All values given so far.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    values: BTreeMap<Address, (Value, Origin)>,
    instances: BTreeMap<(&'static str, Instance), Origin>,
    refused: BTreeSet<Address>,
}

impl Entries {
    /// Sets a value, in place of one of an earlier source.
    pub fn set(&mut self, slot: &Slot, value: Value, origin: Origin) {
        self.open(slot.section, slot.instance.clone(), origin.clone());
        let address = (slot.section.name, slot.instance.clone(), slot.key.name);
        self.refused.remove(&address);
        self.values.insert(address, (value, origin));
    }

    /// Notes that an instance of a section is there, even if it holds nothing.
    pub fn open(&mut self, section: &'static Section, instance: Instance, origin: Origin) {
        self.instances.entry((section.name, instance)).or_insert(origin);
    }

    /// Notes that a value was given but could not be taken, so that it isn't called missing.
    pub fn refuse(&mut self, slot: &Slot, origin: Origin) {
        self.open(slot.section, slot.instance.clone(), origin);
        self.refused.insert((slot.section.name, slot.instance.clone(), slot.key.name));
    }

    /// Forgets all instances of a section.
    pub fn clear(&mut self, section: &str) {
        self.values.retain(|(name, ..), _| *name != section);
        self.instances.retain(|(name, _), _| *name != section);
        self.refused.retain(|(name, ..)| *name != section);
    }

    /// The instances of a section.
    pub fn instances(&self, section: &str) -> impl Iterator<Item = &Instance> {
        self.instances.keys().filter(move |(name, _)| *name == section).map(|(_, instance)| instance)
    }

    /// The value given for a key and where it was given.
    pub fn get(
        &self,
        section: &'static str,
        instance: &Instance,
        key: &'static str,
    ) -> Option<&(Value, Origin)> {
        self.values.get(&(section, instance.clone(), key))
    }

    /// Where a value comes from; where none was given, where its section stands.
    pub fn origin(&self, section: &'static str, instance: &Instance, key: &'static str) -> Origin {
        let section_origin = || self.instances.get(&(section, instance.clone())).cloned();
        match self.get(section, instance, key) {
            Some((_, origin)) => origin.clone(),
            None => section_origin().unwrap_or(Origin::Default),
        }
    }

    /// Puts defaults under the values and reads the whole through the schema. Instances that lack a
    /// required key are reported and left out.
    pub fn assemble(&self, problems: &mut Vec<Problem>) -> Option<Config> {
        let mut root = self.table(&Config::SECTION, &Instance::Only, problems)?;
        for section in SECTIONS.iter().filter(|section| !section.name.is_empty()) {
            let value = match section.shape {
                Shape::Table => Value::Table(self.table(section, &Instance::Only, problems)?),
                Shape::List => Value::Array(self.list(section, problems)),
                Shape::Map => Value::Table(self.map(section, problems)),
            };
            root.insert(section.name.to_owned(), value);
        }
        Config::deserialize(Value::Table(root))
            .map_err(|error| problems.push(Problem::new(Origin::Default, error.message())))
            .ok()
    }

    fn list(&self, section: &'static Section, problems: &mut Vec<Problem>) -> Vec<Value> {
        let mut list = Vec::new();
        for (position, instance) in self.instances(section.name).enumerate() {
            if *instance != Instance::Number(position) {
                let what = format!(
                    "`{}`: number {position} is missing; they count from 0 without gaps",
                    section.name
                );
                problems.push(Problem::new(self.origin(section.name, instance, ""), what));
                break;
            }
            list.extend(self.table(section, instance, problems).map(Value::Table));
        }
        list
    }

    fn map(&self, section: &'static Section, problems: &mut Vec<Problem>) -> Table {
        let mut map = Table::new();
        for instance in self.instances(section.name) {
            if let (Instance::Named(name), Some(table)) = (instance, self.table(section, instance, problems))
            {
                map.insert(name.clone(), Value::Table(table));
            }
        }
        map
    }

    fn table(
        &self,
        section: &'static Section,
        instance: &Instance,
        problems: &mut Vec<Problem>,
    ) -> Option<Table> {
        let mut table = Table::new();
        let mut complete = true;
        for key in section.keys {
            let given = self.get(section.name, instance, key.name).map(|(value, _)| value.clone());
            let default = || key.default.and_then(|text| text.parse().ok());
            if let Some(value) = given.or_else(default) {
                table.insert(key.name.to_owned(), value);
            } else if key.required {
                complete = false;
                if !self.refused.contains(&(section.name, instance.clone(), key.name)) {
                    let what = format!("{} needs the key `{}`", section.header(), key.name);
                    let hint = format!("example: {} = {}", key.name, key.example);
                    problems
                        .push(Problem::new(self.origin(section.name, instance, key.name), what).hint(hint));
                }
            }
        }
        complete.then_some(table)
    }
}
