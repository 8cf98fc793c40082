//! Selectors of clients and of the log, compiled.

use std::sync::Arc;

use wharfmq_core::{Filter, Selector, SelectorError, Typing};

use super::{Broker, Port};

/// What ActiveMQ puts before a selector whose text values compare with numbers.
const LOOSE_PREFIX: &str = "convert_string_expressions:";
/// What Artemis puts before a selector whose names have hyphens in them.
const HYPHENS_PREFIX: &str = "hyphenated_props:";

impl Port {
    /// Compiles a client's selector. [`Typing::Loose`] is for clients whose headers are all text, so that
    /// `x > 5` compares the number that a header says; others ask for it by a prefix. `None` where the text is blank, which chooses everything; the error is in words for
    /// the client.
    pub fn filter(&self, text: &str, typing: Typing) -> Result<Option<Arc<Filter>>, String> {
        let text = text.trim();
        let (text, typing) = match text.strip_prefix(LOOSE_PREFIX) {
            Some(text) => (text, Typing::Loose),
            None => (text, typing),
        };
        if text.starts_with(HYPHENS_PREFIX) {
            return Err(format!(
                "selector: {HYPHENS_PREFIX} is not needed, leave it out and write such names in double quotes"
            ));
        }
        match self.broker.filter(text, typing) {
            Ok(filter) => Ok(Some(filter)),
            Err(SelectorError::Empty) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Broker {
    /// Compiles a selector.
    pub(super) fn filter(&self, text: &str, typing: Typing) -> Result<Arc<Filter>, SelectorError> {
        Ok(Filter::new(Selector::parse(text, typing)?, self.view))
    }
}
