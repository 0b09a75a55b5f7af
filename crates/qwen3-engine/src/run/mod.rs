//! When a network computes: which tokens together, whose turn it is, and what fits.

mod batches;
mod load;
mod memory;
mod session;
#[cfg(feature = "train")]
mod training;
mod turns;

#[cfg(feature = "train")]
pub use batches::plan as plan_batches;
pub use session::Session;
#[cfg(feature = "train")]
pub use training::{Failure, Training, TrainingDevice};
