//! Topic aliases (3.3.2.3.4), one table for each direction of a connection.

use crate::Error;
use std::collections::HashMap;
use std::hash::Hash;

/// Aliases the peer has set. Grows as far as the aliases it uses, at most to what was announced to it.
#[derive(Clone, Debug)]
pub struct InboundAliases<T> {
    topics: Vec<Option<T>>,
    maximum: u16,
}

impl<T> InboundAliases<T> {
    /// A table for the Topic Alias Maximum announced to the peer; 0 allows none.
    #[must_use]
    pub const fn new(maximum: u16) -> Self {
        Self { topics: Vec::new(), maximum }
    }

    /// Sets or replaces an alias.
    ///
    /// # Errors
    /// [`Error::TopicAliasZero`], and [`Error::TopicAliasTooLarge`] above the maximum (MQTT-3.3.2-9).
    pub fn set(&mut self, alias: u16, topic: T) -> Result<(), Error> {
        let at = self.index(alias)?;
        if at >= self.topics.len() {
            self.topics.resize_with(at + 1, || None);
        }
        if let Some(slot) = self.topics.get_mut(at) {
            *slot = Some(topic);
        }
        Ok(())
    }

    /// The topic of an alias.
    ///
    /// # Errors
    /// [`Error::TopicAliasUnknown`] if it was never set (3.3.4), and those of [`InboundAliases::set`].
    #[inline]
    pub fn get(&self, alias: u16) -> Result<&T, Error> {
        let at = self.index(alias)?;
        self.topics.get(at).and_then(Option::as_ref).ok_or(Error::TopicAliasUnknown)
    }

    fn index(&self, alias: u16) -> Result<usize, Error> {
        match alias.checked_sub(1) {
            None => Err(Error::TopicAliasZero),
            Some(_) if alias > self.maximum => Err(Error::TopicAliasTooLarge),
            Some(at) => Ok(usize::from(at)),
        }
    }
}

/// How to send a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AliasUse {
    /// Topic name in full, no alias.
    None,
    /// Topic name in full, with this new alias.
    New(u16),
    /// Empty topic name with this alias.
    Known(u16),
}

/// Aliases set towards the peer. The first topics get them and keep them.
#[derive(Clone, Debug)]
pub struct OutboundAliases<T> {
    aliases: HashMap<T, u16>,
    maximum: u16,
}

impl<T: Hash + Eq + Clone> OutboundAliases<T> {
    /// A table for the Topic Alias Maximum that the peer has announced, or for less.
    #[must_use]
    pub fn new(maximum: u16) -> Self {
        Self { aliases: HashMap::new(), maximum }
    }

    /// How to send `topic` now; a new alias counts as sent.
    pub fn assign(&mut self, topic: &T) -> AliasUse {
        if self.maximum == 0 {
            return AliasUse::None;
        }
        if let Some(&alias) = self.aliases.get(topic) {
            return AliasUse::Known(alias);
        }
        match u16::try_from(self.aliases.len()) {
            Ok(used) if used < self.maximum => {
                self.aliases.insert(topic.clone(), used + 1);
                AliasUse::New(used + 1)
            }
            _ => AliasUse::None,
        }
    }

    /// The alias that the peer knows for `topic`.
    #[must_use]
    pub fn known(&self, topic: &T) -> Option<u16> {
        self.aliases.get(topic).copied()
    }

    /// Forgets a new alias whose PUBLISH was not sent after all. Only the latest can be taken back.
    pub fn take_back(&mut self, topic: &T) {
        let latest = u16::try_from(self.aliases.len()).unwrap_or(u16::MAX);
        if self.aliases.get(topic) == Some(&latest) {
            self.aliases.remove(topic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mqtt_3_3_2_9_alias_above_the_maximum() {
        let mut aliases = InboundAliases::new(2);
        assert_eq!(aliases.set(3, "a"), Err(Error::TopicAliasTooLarge));
        assert_eq!(aliases.set(0, "a"), Err(Error::TopicAliasZero));
        assert_eq!(InboundAliases::new(0).set(1, "a"), Err(Error::TopicAliasTooLarge));
        aliases.set(2, "a").unwrap();
        assert_eq!(aliases.get(2), Ok(&"a"));
        assert_eq!(aliases.get(1), Err(Error::TopicAliasUnknown));
        aliases.set(2, "b").unwrap();
        assert_eq!(aliases.get(2), Ok(&"b"));
    }

    #[test]
    fn outbound_gives_each_topic_one_alias_until_full() {
        let mut aliases = OutboundAliases::new(2);
        assert_eq!(aliases.assign(&"a"), AliasUse::New(1));
        assert_eq!(aliases.assign(&"b"), AliasUse::New(2));
        assert_eq!(aliases.assign(&"c"), AliasUse::None);
        assert_eq!((aliases.known(&"a"), aliases.known(&"c")), (Some(1), None));
        assert_eq!(aliases.assign(&"a"), AliasUse::Known(1));
        aliases.take_back(&"a");
        assert_eq!(aliases.assign(&"a"), AliasUse::Known(1));
        aliases.take_back(&"b");
        assert_eq!(aliases.assign(&"c"), AliasUse::New(2));
    }
}
