//! The generators of Python and NumPy, to draw what mteb draws.

mod generator;
mod mt19937;
mod python;
mod random_state;

pub(crate) use generator::Generator;
pub(crate) use python::Random;
pub(crate) use random_state::RandomState;

/// The seed of every task of mteb.
pub(crate) const SEED: u32 = 42;

#[cfg(test)]
mod tests;
