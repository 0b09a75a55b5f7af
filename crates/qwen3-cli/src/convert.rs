//! `qwen3 convert`

use crate::args::ConvertArgs;
use crate::download::find;
use crate::error::Error;
use crate::print::print;
use crate::progress::hooks;
use crate::stop::Stop;
use qwen3_engine::{Checkpoint, ConvertOptions, DtypeChoice};
use std::path::{Path, PathBuf};

pub fn convert(args: &ConvertArgs, stop: &Stop) -> Result<(), Error> {
    let source = &args.source;
    let hooks = hooks(source, stop);
    let (model, path) = find(source, &hooks)?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => default_out(model, args, &path)?,
    };
    let options = ConvertOptions {
        dtype: args.dtype,
        layout: args.layout,
        kind: source.kind,
        trim_head: args.trim_head,
        force: args.force,
        revision: Some(source.revision.clone()),
        cache_folder: source.cache_folder.clone(),
        hooks,
    };
    let converted = qwen3_engine::convert(model, &out, &options)?;
    if !source.quiet {
        let mebibytes = converted.bytes as f64 / f64::from(1 << 20);
        let (tensors, kind) = (converted.tensors, converted.provenance.kind);
        crate::say(&format!("{kind}, {tensors} tensors, {mebibytes:.1} MiB, verified"));
    }
    print(&format!("{}\n", out.display()))
}

/// `Qwen3-Embedding-0.6B-bf16.safetensors` for `Qwen/Qwen3-Embedding-0.6B`.
fn default_out(model: &str, args: &ConvertArgs, path: &Path) -> Result<PathBuf, Error> {
    let dtype = match args.dtype {
        DtypeChoice::Auto => {
            let checkpoint = Checkpoint::open(path, args.source.kind)?;
            checkpoint.weights.dtype().map_err(qwen3_engine::Error::from)?.into()
        }
        chosen => chosen,
    };
    let path = Path::new(model);
    // A folder such as `.` has a name only in full.
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = if full.is_file() { full.file_stem() } else { full.file_name() };
    let name = name.unwrap_or_default().to_string_lossy();
    Ok(PathBuf::from(format!("{name}-{dtype}.safetensors")))
}
