//! The server as its clients see it: every route on the tiny checkpoints,
//! without a socket. `INSTA_UPDATE=always cargo test -p qwen3-server` accepts
//! changed answers, after a look at the difference.

// What the tests below share.
mod server;

mod any_json;
mod answers;
mod changed_files;
mod connections;
mod errors;
mod keys;
mod limits;
mod numbers;
mod requests;
mod documents;
mod usage;
mod sockets;
mod surroundings;
mod wire;
