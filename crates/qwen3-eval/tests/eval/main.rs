//! The crate against mteb, pytrec_eval and scikit-learn, and against what strangers give it.
//!
//! What the others computed is in `tests/fixtures/evaluation`, made by `make_evaluation.py` beside it.

mod bad_data;
mod bench;
mod clusters;
mod compressed;
mod every_type;
mod files;
mod labels;
mod opening;
mod parquet;
mod pairs;
mod properties;
mod ranking;
mod support;
mod tasks;
mod unfolded;
