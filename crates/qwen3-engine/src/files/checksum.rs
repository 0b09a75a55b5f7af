//! Digests of files.

use crate::error::Error;
use crate::progress::{Hooks, Progress};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The SHA-256 of a file in hexadecimal digits.
///
/// # Errors
/// If the file can't be read, or the caller cancels.
pub fn sha256(path: &Path, hooks: &Hooks) -> Result<String, Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    sha256_of(path, &name, hooks)
}

/// The same of a file that is told to `hooks` by another name.
pub(crate) fn sha256_of(path: &Path, name: &str, hooks: &Hooks) -> Result<String, Error> {
    digest(path, name, |_| Sha256::new(), hooks)
}

/// What git calls a file with this content.
pub(crate) fn git_sha1_of(path: &Path, name: &str, hooks: &Hooks) -> Result<String, Error> {
    digest(path, name, |bytes| Sha1::new_with_prefix(format!("blob {bytes}\0")), hooks)
}

fn digest<D: Digest>(
    path: &Path,
    name: &str,
    start: impl FnOnce(u64) -> D,
    hooks: &Hooks,
) -> Result<String, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let total_bytes = file.metadata().map_err(failed)?.len();
    let mut hasher = start(total_bytes);
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        hooks.check()?;
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            let digest = hasher.finalize();
            return Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
        hooks.report(Progress::Verify { file: name.to_owned(), bytes, total_bytes });
    }
}
