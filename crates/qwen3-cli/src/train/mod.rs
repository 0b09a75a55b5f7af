//! `qwen3 train` and `qwen3 merge`

pub mod args;
mod progress;

use crate::args::SourceArgs;
use crate::embed::DEFAULT_MODEL;
use crate::error::Error;
use crate::print::print;
use crate::progress::hooks;
use crate::say;
use crate::stop::Stop;
use args::{
    DistilArgs, EmbeddingArgs, MergeArgs, RerankerArgs, Task, TrainArgs, TrainingArgs, prompt,
};
use progress::Told;
use qwen3_train::{DistilData, Finished, LabelData, Merge, PairData, Run, Settings};

/// Trains a model, and prints the folder of results.
pub fn train(args: &TrainArgs, stop: &Stop) -> Result<(), Error> {
    match &args.task {
        Task::Distil(args) => distil(args, stop),
        Task::Embedding(args) => embedding(args, stop),
        Task::Reranker(args) => reranker(args, stop),
    }
}

fn distil(args: &DistilArgs, stop: &Stop) -> Result<(), Error> {
    let training = &args.training;
    let settings = training.settings(args.batch_size, args.learning_rate, args.betas);
    let run = run(&args.source, training, settings, stop);
    let mut data = DistilData::new(&args.texts, &args.targets);
    data.held_out = args.held_out.clone().zip(args.held_out_targets.clone());
    data.prompt = prompt(args.prompt_name.as_ref());
    data.similarity_weight = args.similarity_weight;
    data.ranking_weight = args.ranking_weight;
    data.temperature = args.temperature;
    let told = Told::new(args.source.quiet);
    let finished = run.distil(&data, &|event| told.tell(event))?;
    done(&finished, &run, args.source.quiet)
}

fn embedding(args: &EmbeddingArgs, stop: &Stop) -> Result<(), Error> {
    let training = &args.training;
    let rate = args.learning_rate.unwrap_or(training.fine_tuning_rate());
    let settings = training.settings(args.batch_size, rate, args.betas);
    let run = run(&args.source, training, settings, stop);
    let mut data = PairData::new(&args.pairs);
    data.held_out.clone_from(&args.held_out);
    data.instruction.clone_from(&args.instruction);
    (data.temperature, data.margin) = (args.temperature, args.margin);
    let told = Told::new(args.source.quiet);
    let finished = run.embedding(&data, &|event| told.tell(event))?;
    done(&finished, &run, args.source.quiet)
}

fn reranker(args: &RerankerArgs, stop: &Stop) -> Result<(), Error> {
    let training = &args.training;
    let rate = args.learning_rate.unwrap_or(training.fine_tuning_rate());
    let settings = training.settings(args.batch_size, rate, args.betas);
    let run = run(&args.source, training, settings, stop);
    let mut data = LabelData::new(&args.pairs);
    data.held_out.clone_from(&args.held_out);
    data.instruction.clone_from(&args.instruction);
    let told = Told::new(args.source.quiet);
    let finished = run.reranker(&data, &|event| told.tell(event))?;
    done(&finished, &run, args.source.quiet)
}

fn run(source: &SourceArgs, training: &TrainingArgs, settings: Settings, stop: &Stop) -> Run {
    let options = training.options(hooks(source, stop));
    Run::new(source.source(DEFAULT_MODEL), &training.out, settings, options)
}

fn done(finished: &Finished, run: &Run, quiet: bool) -> Result<(), Error> {
    if !quiet {
        let measures = finished.measures.iter().map(|(name, value)| format!(", {name} {value:.4}"));
        let (steps, of) = (finished.steps, finished.planned_steps);
        say(&format!("{steps} of {of} steps{}", measures.collect::<String>()));
    }
    print(&format!("{}\n", run.out.display()))
}

/// Makes one model of a base and an adapter, and prints its folder.
pub fn merge(args: &MergeArgs, stop: &Stop) -> Result<(), Error> {
    let merge = Merge {
        model: args.source.source(DEFAULT_MODEL),
        adapter: args.adapter.clone(),
        out: args.out.clone(),
        save_dtype: args.save_dtype,
        force: args.force,
        hooks: hooks(&args.source, stop),
    };
    let merged = merge.run()?;
    if !args.source.quiet {
        say(&format!("{} layers, rank {}", merged.layers, merged.rank));
    }
    print(&format!("{}\n", args.out.display()))
}
