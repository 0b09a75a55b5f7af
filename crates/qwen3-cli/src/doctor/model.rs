//! What the doctor does with a model: it looks at its files and its weights, and computes.

use super::Teller;
use super::report::{ComputedReport, FileReport, Mark, ModelReport, NumbersReport, WeightsReport};
use crate::error::Error;
use qwen3_checks::Published;
use qwen3_checks::published::model_with_file;
use qwen3_engine::{
    Checkpoint, Device, DeviceChoice, Dtype, Embedder, EncodeOptions, Error as EngineError, Hooks,
    Kind, Options, RankOptions, Reranker, sha256,
};
use std::path::Path;

/// What is computed where nothing is published to compare with.
const TEXT: &str = "What is the capital of China?";

/// The files' hashes, the weights, and the numbers that were published of the model, or else
/// any numbers.
pub fn examine_model(
    model: &str,
    devices: &[Device],
    teller: &mut Teller,
) -> Result<ModelReport, Error> {
    // A converted file is compared with its checksums when it is opened.
    let checkpoint = Checkpoint::open(model, &Hooks::default())?;
    let (kind, path) = (checkpoint.kind().to_string(), checkpoint.path());
    let place = path.map_or("inside this program".to_owned(), |path| path.display().to_string());
    teller.tell([Mark::Heading.line(format!("{model}: {kind}, {place}"))])?;
    if checkpoint.provenance().is_some() {
        teller.tell([Mark::Passed.line("all checksums of the converted file are right")])?;
    }
    let files = hashed(&checkpoint)?;
    teller.tell(files.iter().map(FileReport::line))?;
    let weights = WeightsReport(checkpoint.check_numbers(&Hooks::default()));
    teller.tell([weights.line()])?;
    let numbers = published_numbers((model, &files), &checkpoint, devices, teller)?;
    // Those that were published have been computed.
    let devices = if numbers.is_empty() { devices } else { &[] };
    let computed = devices.iter().map(|device| {
        let report = ComputedReport { device: device.id, dtype: compute(&checkpoint, device) };
        teller.tell([report.line()])?;
        Ok(report)
    });
    let computed = computed.collect::<Result<_, Error>>()?;
    Ok(ModelReport { model: model.to_owned(), kind, files, weights, numbers, computed })
}

/// The numbers that were published of a model, on every device, if they can be compared.
fn published_numbers(
    (model, files): (&str, &[FileReport]),
    checkpoint: &Checkpoint,
    devices: &[Device],
    teller: &mut Teller,
) -> Result<Vec<NumbersReport>, Error> {
    let is_published = files.iter().any(|file| file.published_as.is_some());
    let is_called =
        |of: &Published| checkpoint.path().is_some_and(|path| of.is_called(model, path));
    let why_not = match Published::with_shape_of(checkpoint) {
        Some(of) if checkpoint.dtype()?.is_blocks() => format!(
            "weights in {} give other numbers than those published of {}: they aren't compared",
            checkpoint.dtype()?,
            of.model
        ),
        Some(of) if is_published || is_called(of) => {
            let text = format!("numbers published of {}, in the dtype of the file", of.model);
            teller.tell([Mark::Heading.line(text)])?;
            let numbers = devices.iter().map(|device| {
                let report = numbers_on(of, checkpoint, device)?;
                teller.tell(report.lines())?;
                Ok(report)
            });
            return numbers.collect();
        }
        Some(of) => format!(
            "has the shape of {}, but neither its file nor its name: its numbers aren't compared",
            of.model
        ),
        None => "no numbers are published of a model of this shape".to_owned(),
    };
    teller.tell([Mark::Unknown.line(why_not)])?;
    Ok(vec![])
}

/// The files of weights that the checkpoint has, or that it was converted from.
fn hashed(checkpoint: &Checkpoint) -> Result<Vec<FileReport>, Error> {
    let digests: Vec<(String, String)> = match checkpoint.provenance() {
        Some(provenance) => provenance.sources.clone().into_iter().collect(),
        None => {
            let files = checkpoint.source_files()?.into_iter();
            let digest = |path: &Path| sha256(path, &Hooks::default());
            let files = files.map(|(name, path)| Ok((name, digest(&path)?)));
            files.collect::<Result<_, EngineError>>()?
        }
    };
    let is_of_weights =
        |file: &str| [".safetensors", ".gguf"].iter().any(|ending| file.ends_with(ending));
    let weights =
        digests.into_iter().filter(|(file, _)| is_of_weights(file) || checkpoint.is_gguf());
    let report = |(file, sha256): (String, String)| {
        let published_as = model_with_file(&sha256).map(|of| &of.model[..]);
        FileReport { file, sha256, published_as }
    };
    Ok(weights.map(report).collect())
}

fn numbers_on(
    of: &Published,
    checkpoint: &Checkpoint,
    device: &Device,
) -> Result<NumbersReport, Error> {
    let stored = checkpoint.dtype()?;
    let dtype = if device.dtypes.contains(&stored) { stored } else { Dtype::F32 };
    let checks = of.check(checkpoint, device.id, dtype);
    Ok(NumbersReport { device: device.id, dtype, checks })
}

/// Loads the model and computes one text or pair, of which the engine gives no NaN. Returns
/// the dtype that it was loaded in.
fn compute(checkpoint: &Checkpoint, device: &Device) -> Result<Dtype, EngineError> {
    let options = Options::default().device(DeviceChoice::Named(device.id));
    if checkpoint.kind() == Kind::Embedding {
        let model = Embedder::from_checkpoint(checkpoint, &options)?;
        model.encode([TEXT], &EncodeOptions::default())?;
        return Ok(model.dtype());
    }
    let model = Reranker::from_checkpoint(checkpoint, &options)?;
    model.score([(TEXT, TEXT)], &RankOptions::default())?;
    Ok(model.dtype())
}
