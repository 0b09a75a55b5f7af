//! When a network computes: which tokens together, whose turn it is, and what fits.

mod batches;
mod load;
mod memory;
mod session;
mod turns;

pub use session::Session;
