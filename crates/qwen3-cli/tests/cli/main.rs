//! The command as a new user meets it: the real binary, run on tiny checkpoints,
//! compared with what Transformers computes. No network, no GPU.
#![cfg(feature = "cpu")]

// What the tests below share.
mod command;
mod eval_bench;
mod fixtures;
mod http;
mod hub_server;
mod table_files;
mod vectors;

// Results, command by command.
mod embed_formats;
mod embed_inputs;
mod embed_options;
mod eval;
mod convert;
mod doctor;
mod gguf;
mod inspect;
mod mini;
mod rerank;
#[cfg(unix)]
mod serve;
mod similarity;
mod tables;
mod tables_exact;
#[cfg(all(unix, feature = "train"))]
mod train;

// Texts that the command prints about itself.
mod help;

// Who may ask a server, and what it is told by variables.
#[cfg(unix)]
mod access;

// What goes wrong, and how it is told.
mod eval_early;
mod eval_hub;
mod eval_wrong;
mod output_files;
mod tables_wrong;
mod wrong_arguments;
mod wrong_inputs;
mod wrong_models;

// The world around: a hub, and pipes and signals.
mod hostile_hub;
mod hub;
mod hub_cache;
mod hub_gguf;
#[cfg(unix)]
mod kills;
#[cfg(unix)]
mod stops;
mod tables_finished;
mod tables_resumed;
#[cfg(unix)]
mod streams;
