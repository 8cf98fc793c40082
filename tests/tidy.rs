//! The style as a test: what the compiler and clippy do not see. Every rule names what to do instead.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod tidy {
    mod compat;
    mod conformance;
    mod functions;
    mod layers;
    mod rules;
    mod source;
}
