//! `qwen3 eval`

pub mod args;
mod cached;
mod card;
mod error;
mod files;
mod measure;
mod models;
mod plot;
mod progress;
mod report;
mod settings;
mod store;

pub use error::EvalError;

use crate::args::{SourceArgs, TextFormat};
use crate::error::Error;
use crate::print::print_value;
use crate::progress::hooks;
use crate::stop::Stop;
use args::EvalArgs;
use files::{Files, user_cache};
use measure::{Measures, Measuring};
use models::Surroundings;
use progress::Told;
use qwen3_eval::TaskData;
use settings::{Origin, Settings};
use std::path::PathBuf;
use tempfile::TempDir;

pub fn eval(args: &EvalArgs, stop: &Stop) -> Result<(), Error> {
    let settings = Settings::new(&args.settings)?;
    let measures = opened(args)?;
    let files = Files { args: &args.results, split: &args.reading.split };
    let variants = match settings.origins[0] {
        Origin::Model { .. } => settings.variants.len(),
        Origin::Run(_) => 1,
    };
    let rerankers = 1 + usize::from(args.settings.reranker.is_some());
    files.check(measures.len() * settings.origins.len() * variants * rerankers)?;
    let (cache, _temporary) = cache(args)?;
    let source = SourceArgs {
        model: None,
        revision: None,
        cache_folder: None,
        kind: None,
        quiet: args.device.quiet,
    };
    let told = Told::new(args.device.quiet);
    let around = Surroundings { device: &args.device, hooks: hooks(&source, stop), cache, told };
    let mut measuring = Measuring { args, around, files, measures, reranker: None };
    measuring.all(&settings).map_err(|error| told_to_go_on(error, args))?;
    let measures = &measuring.measures;
    measuring.files.write_parts(measures)?;
    if let Some(path) = &args.results.plot {
        plot::draw(measures, path)?;
    }
    show(args, measures)
}

fn show(args: &EvalArgs, measures: &[Measures]) -> Result<(), Error> {
    let format = if args.results.json { Some(TextFormat::Json) } else { args.results.format };
    let worst = args.results.worst;
    let mut value = report::value(measures, worst);
    if args.results.published {
        value = serde_json::json!({"measured": value, "published": card::value()});
    }
    print_value(format, &value, || {
        let mut text = report::tables(measures, worst);
        if args.results.published {
            text += &card::tables(measures);
        }
        text
    })
}

/// All data, before a model costs a minute.
fn opened(args: &EvalArgs) -> Result<Vec<Measures>, Error> {
    let options = args.reading.options();
    let open = |path: &PathBuf| {
        let data = TaskData::open(path, &options)?;
        if args.settings.reranker.is_some() && data.ranking().is_none() {
            let reason = "is for data with queries and documents";
            return Err(EvalError::NotHere { flag: "--reranker", reason }.into());
        }
        let main_score =
            args.reading.score.clone().unwrap_or_else(|| data.task.main_score().to_owned());
        Ok(Measures { data, main_score, outcomes: vec![] })
    };
    args.data.iter().map(open).collect()
}

/// The folder of vectors; one for this run alone is removed at its end.
fn cache(args: &EvalArgs) -> Result<(PathBuf, Option<TempDir>), Error> {
    let device = &args.device;
    let kept = device.cache.clone().or_else(user_cache).filter(|_| !device.no_cache);
    if let Some(folder) = kept {
        return Ok((folder, None));
    }
    let folder = std::env::temp_dir();
    let temporary = TempDir::new().map_err(|source| EvalError::Cache { path: folder, source })?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

fn told_to_go_on(error: Error, args: &EvalArgs) -> Error {
    match error {
        Error::Cancelled { .. } if !args.device.no_cache => Error::Cancelled {
            message: "stopped; the same command goes on from the vectors that are kept".to_owned(),
        },
        error => error,
    }
}
