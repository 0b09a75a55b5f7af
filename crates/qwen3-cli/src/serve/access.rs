//! Who may ask a server: its keys, and the web pages.

use super::args::AccessArgs;
use crate::error::Error;
use qwen3_server::{ApiKey, Origin};
use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::Path;

/// A larger file holds something else than keys.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// What leaves a server open where it is empty.
const VARIABLES: [&str; 3] = ["API_KEY", "API_KEY_FILE", "CORS_ALLOW_ORIGIN"];

/// What no single argument of these says.
///
/// # Errors
/// If they contradict each other.
pub fn check(args: &AccessArgs) -> Result<(), String> {
    Origin::check(&args.cors_allow_origin)
        .map_err(|error| format!("`--cors-allow-origin`: {error}"))?;
    match args.protect_monitoring && args.api_key.is_empty() && args.api_key_file.is_none() {
        true => {
            Err("`--protect-monitoring` wants keys; pass them with `--api-key-file`".to_owned())
        }
        false => Ok(()),
    }
}

/// The keys of the flag and of the file.
///
/// # Errors
/// If the file can't be read, or a line is no key, or none is.
pub fn keys(args: &AccessArgs) -> Result<Vec<ApiKey>, Error> {
    let mut keys = args.api_key.clone();
    if let Some(path) = &args.api_key_file {
        let lines = read(path).map_err(|source| Error::KeyFile { path: path.clone(), source })?;
        let of_file = ApiKey::from_lines(&lines);
        keys.extend(of_file.map_err(|source| Error::Keys { path: path.clone(), source })?);
    }
    Ok(keys)
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    // It may be a pipe, or something without an end.
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    match text.len() as u64 > MAX_FILE_BYTES {
        true => Err(io::Error::other(format!("it has more than {MAX_FILE_BYTES} bytes"))),
        false => Ok(text),
    }
}

/// Tells whoever runs the server if more may ask than they may think.
pub fn warn_if_open(args: &AccessArgs, address: &str, has_keys: bool) {
    let is_set = [has_keys, has_keys, !args.cors_allow_origin.is_empty()];
    for (name, _) in VARIABLES.into_iter().zip(is_set).filter(|(_, is_set)| !is_set) {
        if std::env::var_os(name).is_some_and(|value| value.is_empty()) {
            tracing::warn!(variable = name, "is empty, which is as if it were not set");
        }
    }
    let is_everywhere = address.parse().is_ok_and(|at: SocketAddr| at.ip().is_unspecified());
    if is_everywhere && !has_keys {
        tracing::warn!(
            address,
            "whoever reaches this machine may ask, as there are no keys: see --api-key-file and --hostname"
        );
    }
}
