//! See `wharfmq_fuzz::topic`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wharfmq_fuzz::topic(data));
