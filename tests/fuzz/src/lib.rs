//! What the fuzz targets do with their input. A fault shows as a panic.
//!
//! The broker's own tests compile these files as well and replay the committed inputs through them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a fault shows as a panic")]
#![allow(unreachable_pub, reason = "also compiled as a module of the broker's tests")]

mod codec;
mod openwire_codec;
mod openwire_script;
mod openwire_session;
mod script;
mod session;
mod topics;

pub use codec::{connect, decode};
pub use openwire_codec::openwire_decode;
pub use openwire_session::openwire_session;
pub use session::session;
pub use topics::topic;
