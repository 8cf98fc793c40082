//! See `wharfmq_fuzz::openwire_session`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wharfmq_fuzz::openwire_session(data));
