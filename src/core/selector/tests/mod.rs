//! Tests of selectors.

mod clauses;
mod errors;
mod index;
mod kit;
mod like;
mod loose;
mod model;
mod random;
mod truth;
