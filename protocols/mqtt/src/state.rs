//! State of one connection or session that the protocol itself prescribes. All of it is small and allocates
//! nothing while it is empty, so that an idle session costs next to nothing.

mod alias;
mod ids;
mod keep_alive;
mod window;

pub use alias::{AliasUse, InboundAliases, OutboundAliases};
pub use ids::{IdSet, PacketIds};
pub use keep_alive::KeepAlive;
pub use window::Window;
