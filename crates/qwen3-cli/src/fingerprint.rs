//! What tells a model's files from those of another.

use qwen3_engine::{Checkpoint, Error as EngineError};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use xxhash_rust::xxh3::Xxh3;

/// A hash of all that is in a model's files.
pub fn fingerprint(checkpoint: &Checkpoint) -> Result<String, EngineError> {
    let mut hash = Xxh3::new();
    // Of the model inside the program.
    if let Some(provenance) = checkpoint.provenance().filter(|_| checkpoint.path().is_none()) {
        hash.update(format!("{:?}", provenance.sources).as_bytes());
    }
    for (name, path) in checkpoint.source_files()? {
        hash.update(name.as_bytes());
        hash_file(&path, &mut hash).map_err(|source| EngineError::Read { path, source })?;
    }
    Ok(format!("{:032x}", hash.digest128()))
}

fn hash_file(path: &Path, hash: &mut Xxh3) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let mut bytes = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut bytes)?;
        if read == 0 {
            return Ok(());
        }
        hash.update(&bytes[..read]);
    }
}
