//! The reference of weights in blocks: what the network computes in float32 of the same
//! rounded numbers. That it computes in float32 what Transformers does is another cell.

use super::model::Model;
use super::named;
use crate::error::Error;
use crate::reference::{Case, Reference};
use qwen3_engine::{Checkpoint, ConvertOptions, DeviceId, Dtype, Hooks, Options, devices};
use std::path::Path;

/// The checkpoint with its matrices in blocks, and their reference; `file` is where it goes.
///
/// # Errors
/// If it can't be written, or the model doesn't load or compute.
pub fn rounded(
    reference: &Reference,
    checkpoint: &Checkpoint,
    dtype: Dtype,
    file: &Path,
) -> Result<(Reference, Checkpoint), Error> {
    checkpoint.convert(file, &ConvertOptions::default().dtype(dtype))?;
    let rounded = Checkpoint::open(file, &Hooks::default())?;
    let options = Options::default().device(exact_device()).dtype(Dtype::F32);
    let model = Model::load(&rounded, &options)?;
    let cases = reference.cases.iter().map(|case| of_case(case, &model));
    let (folder, queries) = (reference.folder.clone(), reference.queries.clone());
    let cases = cases.collect::<Result<_, Error>>()?;
    Ok((Reference { folder, kind: reference.kind, cases, queries }, rounded))
}

fn of_case(case: &Case, model: &Model) -> Result<Case, Error> {
    let stages = match case.rows.is_empty() {
        true => vec![],
        false => named(model.stages(&[&case.input_ids], &case.rows)?),
    };
    let output = model.outputs(&[case])?.remove(0);
    Ok(Case { stages, output, ..case.clone() })
}

/// Plain float32: the device `ndarray` where it is built, else the CPU.
fn exact_device() -> DeviceId {
    match devices().found.iter().any(|device| device.id == DeviceId::NdArray) {
        true => DeviceId::NdArray,
        false => DeviceId::Cpu,
    }
}
