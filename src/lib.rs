//! The WharfMQ server as a library: what the binary composes and tests link against.
//!
//! `src/base`, `src/core` and `src/store` are crates of their own that live inside this folder; they
//! are dependencies, not modules. Cargo enforces with them who may know whom.

#[cfg(test)]
extern crate self as wharfmq;

pub mod adapters;
pub mod broker;
pub mod cli;
pub mod config;
pub mod net;
pub mod runtime;
pub mod security;
pub mod serve;
