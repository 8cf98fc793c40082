//! Who gets what is sent to a destination.

mod cache;
mod chosen;
mod forward;
mod partial;
mod pattern;
mod route;
mod settings;
mod share;
mod spread;
mod standing;
mod table;
mod trie;
mod values;

pub use chosen::Chosen;
pub use forward::Forward;
pub use partial::{HistoryPolicy, PartialPolicy, PolicyField, PolicyOrigin};
pub use pattern::{ADVISORY_PREFIX, Pattern, Specificity};
pub use route::{Bound, Choice, DirectSub, DirectTarget, Route, merge_flags};
pub use settings::{QueueRole, Settings};
pub use share::{Member, Share};
pub use standing::Subscriber;
pub use table::{Direct, Router};
