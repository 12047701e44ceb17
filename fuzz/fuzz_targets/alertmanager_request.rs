#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::target("alertmanager_request")(data));
