//! `qwen3 convert`

use crate::args::ConvertArgs;
use crate::embed::DEFAULT_MODEL;
use crate::error::Error;
use crate::print::print;
use crate::progress::hooks;
use crate::stop::Stop;
use qwen3_engine::{Checkpoint, ConvertOptions, DtypeChoice};
use std::path::{Path, PathBuf};

pub fn convert(args: &ConvertArgs, stop: &Stop) -> Result<(), Error> {
    let hooks = hooks(&args.source, stop);
    let source = args.source.source(DEFAULT_MODEL);
    let checkpoint = Checkpoint::open(&source, &hooks)?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => default_out(&source.to_string(), args.dtype, &checkpoint)?,
    };
    let options = ConvertOptions::default()
        .dtype(args.dtype)
        .trim_head(args.trim_head)
        .force(args.force)
        .hooks(hooks);
    let converted = checkpoint.convert(&out, &options)?;
    if !args.source.quiet {
        let mebibytes = converted.bytes as f64 / f64::from(1 << 20);
        let (tensors, kind) = (converted.tensors, converted.provenance.kind);
        crate::say(&format!("{kind}, {tensors} tensors, {mebibytes:.1} MiB, verified"));
    }
    print(&format!("{}\n", out.display()))
}

/// `Qwen3-Embedding-0.6B-bf16.safetensors` for `Qwen/Qwen3-Embedding-0.6B`.
fn default_out(model: &str, dtype: DtypeChoice, checkpoint: &Checkpoint) -> Result<PathBuf, Error> {
    let dtype = match dtype {
        DtypeChoice::Auto => checkpoint.dtype()?.into(),
        chosen => chosen,
    };
    // A name on the hub with a quantisation behind its colon leads to a file.
    let file = checkpoint.path().filter(|path| path.is_file());
    let path = file.unwrap_or(Path::new(model));
    // A folder such as `.` has a name only in full.
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = if full.is_file() { full.file_stem() } else { full.file_name() };
    let name = name.unwrap_or_default().to_string_lossy();
    Ok(PathBuf::from(format!("{name}-{dtype}.safetensors")))
}
