//! See `wharfmq_fuzz::session`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wharfmq_fuzz::session(data));
