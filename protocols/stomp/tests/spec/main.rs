//! The specifications clause by clause, golden bytes, limits and properties.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod common;
mod golden;
mod limits;
mod negotiation;
mod properties;
mod rewrite;
mod stream;
mod v10;
mod v11;
mod v12;
