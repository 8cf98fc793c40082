//! See `wharfmq_fuzz::openwire_decode`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wharfmq_fuzz::openwire_decode(data));
