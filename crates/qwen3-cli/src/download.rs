//! `qwen3 download`, and where the files of a model are.

use crate::args::{DownloadArgs, SourceArgs};
use crate::embed::DEFAULT_MODEL;
use crate::error::Error;
use crate::print::print;
use crate::progress::hooks;
use crate::stop::Stop;
use qwen3_engine::{Hooks, HubOptions, model_path};
use std::path::PathBuf;

pub fn download(args: &DownloadArgs, stop: &Stop) -> Result<(), Error> {
    let (_, path) = find(&args.source, &hooks(&args.source, stop))?;
    print(&format!("{}\n", path.display()))
}

/// The model's name and where its files are, downloaded if need be, which can be broken
/// off at any time.
pub fn find<'a>(source: &'a SourceArgs, hooks: &Hooks) -> Result<(&'a str, PathBuf), Error> {
    let name = source.model.as_deref().unwrap_or(DEFAULT_MODEL);
    let (revision, cache) = (Some(source.revision.as_str()), source.cache_folder.as_deref());
    let options = HubOptions { revision, cache, token: None };
    Ok((name, model_path(name, options, hooks)?))
}
