//! `cargo fuzz run ranking`
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| qwen3_fuzz::ranking(data));

#[cfg(not(fuzzing))]
fn main() {}
