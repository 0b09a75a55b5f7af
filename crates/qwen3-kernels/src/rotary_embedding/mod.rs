//! Rotary position embedding, split halves.

pub mod reference;
