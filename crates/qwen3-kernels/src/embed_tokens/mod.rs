//! The rows of a table that tokens stand for.

pub mod reference;
