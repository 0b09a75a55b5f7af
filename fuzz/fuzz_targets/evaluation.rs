//! `cargo fuzz run evaluation`
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| qwen3_fuzz::evaluation(data));

#[cfg(not(fuzzing))]
fn main() {}
