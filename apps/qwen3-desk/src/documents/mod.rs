//! Files to passages: what kind a file is, the text in it, and where that is cut.

mod apart;
mod encoding;
mod kind;
mod read;
mod split;
mod tokens;

pub use apart::{print_text, read_apart};
pub use kind::Kind;
pub use read::{Format, MAX_FILE_BYTES, Unread, document};
pub use split::{Passage, Splitter};

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Changes when files are read or cut in another way, so that they are read again.
pub const VERSION: u8 = 4;

/// What the passages of a file are found by: its bytes, and how they are read.
pub fn content_key(kind: Kind, bytes: &[u8]) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(&[VERSION, kind as u8]);
    hash.update(bytes);
    hash.digest128()
}

/// What a passage's vector is found by: everything that it is computed from.
pub fn passage_key(text: &str) -> u128 {
    xxh3_128(text.as_bytes())
}
