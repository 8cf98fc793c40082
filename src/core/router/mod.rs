//! Who gets what is sent to a destination.

mod cache;
mod chosen;
mod pattern;
mod route;
mod settings;
mod spread;
mod table;
mod trie;
mod values;

pub use chosen::Chosen;
pub use pattern::{Pattern, Specificity};
pub use route::{Bound, Choice, DirectSub, DirectTarget, Route, merge_flags};
pub use settings::{PartialPolicy, PolicyField, PolicyOrigin, QueueRole, Settings};
pub use table::{Direct, Router};
