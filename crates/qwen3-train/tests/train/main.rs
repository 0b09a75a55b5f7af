//! Training from files to folders, on the tiny fixtures.

mod distil;
mod errors;
mod folders;
mod lora;
mod pairs;
mod support;
