//! See `wharfmq_fuzz::connect`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wharfmq_fuzz::connect(data));
