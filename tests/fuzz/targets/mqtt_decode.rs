//! See `wharfmq_fuzz::decode`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wharfmq_fuzz::decode(data));
