//! `qwen3 eval`

pub mod args;
mod cached;
mod card;
mod check;
mod error;
mod files;
mod measure;
mod models;
mod opened;
mod place;
mod plot;
mod progress;
mod report;
mod reranked;
mod settings;
mod store;

pub use error::EvalError;

use crate::args::{SourceArgs, TextFormat};
use crate::error::Error;
use crate::print::print_value;
use crate::progress::hooks;
use crate::stop::Stop;
use args::EvalArgs;
use check::Check;
use files::{Files, begin_folder, user_cache};
use measure::{LazyReranker, Measures, Measuring};
use models::Surroundings;
use opened::Opened;
use place::Place;
use progress::Told;
use qwen3_eval::TaskData;
use settings::Settings;
use std::path::PathBuf;
use store::temporary_file;

pub fn eval(args: &EvalArgs, stop: &Stop) -> Result<(), Error> {
    let settings = Settings::new(&args.settings)?;
    let options = args.reading.options()?;
    let quiet = args.device.quiet;
    let source = SourceArgs { model: None, revision: None, cache_folder: None, kind: None, quiet };
    let hooks = hooks(&source, stop);
    let open = |path: &PathBuf| -> Result<Measures, Error> {
        let place = Place::find(path, args.reading.data_revision.as_ref(), &hooks)?;
        let mut data = TaskData::open(&place.path, &options)?;
        data.name = place.name.clone().unwrap_or(data.name);
        Ok(Measures { data, place, outcomes: vec![] })
    };
    let measures = args.data.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    Check { args, settings: &settings, measures: &measures }.all()?;
    let cache = cache(args)?;
    let told = Told::new(quiet);
    let around = Surroundings { device: &args.device, hooks, cache, told };
    let models = settings.models().into_iter();
    let models = models.map(|name| Opened::embedding(name, &settings.variants, &around));
    let models = models.collect::<Result<_, _>>()?;
    let reranker = args.settings.reranker.as_ref();
    let reranker = reranker.map(|name| Opened::reranker(name, &around)).transpose()?;
    let reranker = reranker.map(|opened| LazyReranker { opened, loaded: None });
    let files = Files { args };
    let mut measuring = Measuring { args, around, files, measures, models, reranker };
    measuring.all(&settings).map_err(|error| told_to_go_on(error, args))?;
    let measures = &measuring.measures;
    let written = written(&measuring);
    show(args, measures)?;
    written
}

/// The files of all results together. Whatever is wrong with one, results are shown.
fn written(of: &Measuring) -> Result<(), Error> {
    of.files.write_parts(&of.measures)?;
    match &of.args.results.plot {
        Some(path) => plot::draw(&of.measures, path),
        None => Ok(()),
    }
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

/// The folder of vectors, which takes files; none: they are for this run alone.
fn cache(args: &EvalArgs) -> Result<Option<PathBuf>, Error> {
    let device = &args.device;
    let kept = device.cache.clone().or_else(user_cache).filter(|_| !device.no_cache);
    let has_model = args.settings.from_run.is_empty() || args.settings.reranker.is_some();
    if has_model {
        match &kept {
            Some(folder) => begin_folder(folder)
                .map_err(|source| EvalError::Cache { path: folder.clone(), source })?,
            None => drop(temporary_file()?),
        }
    }
    Ok(kept)
}

fn told_to_go_on(error: Error, args: &EvalArgs) -> Error {
    match error {
        Error::Cancelled { .. } if !args.device.no_cache => Error::Cancelled {
            message: "stopped; the same command goes on from the vectors that are kept".to_owned(),
        },
        error => error,
    }
}
