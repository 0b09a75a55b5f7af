//! qwen3-cli
fn main() {}
