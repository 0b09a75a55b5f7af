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
    if args.out.as_deref() == Some(Path::new("-")) {
        return Err(Error::OutStdout);
    }
    let hooks = hooks(&args.source, stop);
    let checkpoint = Checkpoint::open(args.source.source(DEFAULT_MODEL), &hooks)?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => default_out(args.dtype, &checkpoint)?,
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

/// `Qwen3-Embedding-0.6B-bf16.safetensors` for `Qwen/Qwen3-Embedding-0.6B`. A name that ends
/// with the dtype says it already.
fn default_out(dtype: DtypeChoice, checkpoint: &Checkpoint) -> Result<PathBuf, Error> {
    let dtype = match dtype {
        DtypeChoice::Auto => checkpoint.dtype()?.into(),
        chosen => chosen,
    };
    let (name, ending) = (checkpoint.name(), format!("-{dtype}"));
    let ending = if name.to_lowercase().ends_with(&ending) { "" } else { &ending };
    Ok(PathBuf::from(format!("{name}{ending}.safetensors")))
}
