//! Bytes of peers that mean no good: never a panic, never more memory than the bytes are worth.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod counted;
mod recorded;

mod hostile {
    mod bombs;
    mod cache;
    mod mutated;
    mod shapes;
    mod wire;
}
