//! The flags of `qwen3 eval`.

use super::error::{EvalError, each_once};
use crate::args::dtypes::{OF_MODEL, listed};
use crate::args::{ModelArgs, SourceArgs, TextFormat};
use clap::Args;
use qwen3_engine::{DeviceChoice, DtypeChoice, Truncate};
use qwen3_eval::{Columns, OpenOptions, TaskType};
use std::num::NonZeroUsize;
use std::path::PathBuf;

#[derive(Args)]
pub struct EvalArgs {
    /// Folder with corpus.jsonl, queries.jsonl and qrels/, file of rows (.jsonl, .parquet, .csv,
    /// .tsv), folder with such a file for each split, or such a data set on the hub: owner/name,
    /// owner/name/folder
    #[arg(required = true)]
    pub data: Vec<PathBuf>,
    #[command(flatten)]
    pub reading: ReadingArgs,
    #[command(flatten)]
    pub settings: SettingArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub results: ResultArgs,
}

/// What the data are.
#[derive(Args)]
pub struct ReadingArgs {
    /// retrieval, reranking, instruction-retrieval, sts, pair-classification, classification,
    /// multilabel-classification, clustering, bitext-mining or summarization [default: by the files]
    #[arg(long, value_name = "TYPE", help_heading = "Data")]
    pub task: Option<TaskType>,
    /// The part of the data that is evaluated
    #[arg(long, value_name = "NAME", default_value = "test", help_heading = "Data")]
    pub split: String,
    /// Branch, tag or commit of data on the hub [default: main]
    #[arg(long, value_name = "REVISION", help_heading = "Data")]
    pub data_revision: Option<String>,
    /// Rows to learn from, for classification [default: train.jsonl beside the others]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub train: Option<PathBuf>,
    /// What a column is called in the file, such as text=body; may stand several times
    #[arg(long, value_name = "NAME=COLUMN", value_parser = column, help_heading = "Data")]
    pub column: Vec<(String, String)>,
    /// The part of the documents that is clustered; mteb takes 0.04 [default: all]
    #[arg(long, value_name = "X", help_heading = "Data")]
    pub fraction: Option<f64>,
    /// The score that counts, by mteb's name [default: by type, as ndcg_at_10]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub score: Option<String>,
    /// A document with the id of the query doesn't count as found
    #[arg(long, help_heading = "Data")]
    pub ignore_identical_ids: bool,
}

/// What is compared: every combination, the first with all others.
#[derive(Args)]
pub struct SettingArgs {
    /// Embedding model, as for `qwen3 embed`; may stand several times
    /// [default: Qwen/Qwen3-Embedding-0.6B]
    #[arg(short, long, value_name = "ID|PATH", help_heading = "Settings")]
    pub model: Vec<String>,
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "auto",
        help_heading = "Settings",
        help = format!("How weights are held, such as bf16,q8_0: {}", listed(&[], OF_MODEL))
    )]
    pub dtype: Vec<DtypeChoice>,
    /// Numbers of a vector that are kept, such as 1024,256,64 [default: all]
    #[arg(long, value_delimiter = ',', value_name = "N", help_heading = "Settings")]
    pub dimensions: Vec<usize>,
    /// The task in a sentence; '' is none; may stand several times [default: the model's prompt
    /// for queries, else mteb's sentence for the type]
    #[arg(long, value_name = "TASK", help_heading = "Settings")]
    pub instruction: Vec<String>,
    /// Instructions, one a line
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub instruction_file: Option<PathBuf>,
    /// Compare with the same runs after this reranker has ordered their first documents
    #[arg(long, value_name = "ID|PATH", help_heading = "Settings")]
    pub reranker: Option<String>,
    /// How many documents the reranker orders [default: 100]
    #[arg(long, value_name = "N", requires = "reranker", help_heading = "Settings")]
    pub top: Option<NonZeroUsize>,
    /// Evaluate a run file of TREC instead of a model; may stand several times
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Settings",
        conflicts_with_all = ["model", "dtype", "dimensions", "instruction", "instruction_file"]
    )]
    pub from_run: Vec<PathBuf>,
}

/// How models run, and what is kept of them.
#[derive(Args)]
pub struct DeviceArgs {
    /// auto, cpu, ndarray, wgpu, vulkan, metal, dx12 or cuda, with an index as in `cuda:1`
    #[arg(long, default_value = "auto", help_heading = "Device")]
    pub device: DeviceChoice,
    /// Longest text in tokens; longer ones are cut [default: what the model takes; reranker: 8192]
    #[arg(long, value_name = "TOKENS", help_heading = "Device")]
    pub max_tokens: Option<usize>,
    /// Tokens computed at one time; more needs more memory [default: by device]
    #[arg(long, value_name = "TOKENS", help_heading = "Device")]
    pub max_batch_tokens: Option<usize>,
    /// Worker threads [default: the physical cores it may use]
    #[arg(long, help_heading = "Device")]
    pub threads: Option<usize>,
    /// Branch, tag or commit on the hub [default: main]
    #[arg(long, help_heading = "Device")]
    pub revision: Option<String>,
    /// The hub's cache [default: that of huggingface_hub]
    #[arg(long, value_name = "FOLDER", help_heading = "Device")]
    pub cache_folder: Option<PathBuf>,
    /// Keep vectors here, so that they are computed once [default: qwen3/vectors in the user's
    /// folder for caches]
    #[arg(long, value_name = "FOLDER", help_heading = "Device")]
    pub cache: Option<PathBuf>,
    /// Keep no vectors after the run
    #[arg(long, conflicts_with = "cache", help_heading = "Device")]
    pub no_cache: bool,
    /// Print nothing but results and errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// What is told of the results.
#[derive(Args)]
pub struct ResultArgs {
    /// [default: table on a terminal, json elsewhere]
    #[arg(long, value_enum, help_heading = "Results")]
    pub format: Option<TextFormat>,
    /// As --format json
    #[arg(long, conflicts_with = "format", help_heading = "Results")]
    pub json: bool,
    /// Write results as mteb does, and run files of TREC, into a folder
    #[arg(short, long, value_name = "FOLDER", help_heading = "Results")]
    pub output: Option<PathBuf>,
    /// Write what was found as a run file of TREC, where there is one data set and one setting
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub run_file: Option<PathBuf>,
    /// Write the scores of each query (or experiment, run, row) as lines of JSON
    #[arg(long, value_name = "FILE.jsonl", help_heading = "Results")]
    pub per_query: Option<PathBuf>,
    /// Show so many of the queries that lost most, or of one setting the worst
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Results")]
    pub worst: usize,
    /// Draw the score over the bytes of a vector
    #[arg(long, value_name = "FILE.svg", help_heading = "Results")]
    pub plot: Option<PathBuf>,
    /// Show the averages that the model card publishes, beside the results
    #[arg(long, help_heading = "Results")]
    pub published: bool,
}

/// Documents that a reranker orders where nobody says how many.
const DEFAULT_TOP: usize = 100;

impl SettingArgs {
    pub fn top(&self) -> usize {
        self.top.map_or(DEFAULT_TOP, NonZeroUsize::get)
    }
}

impl ReadingArgs {
    pub fn options(&self) -> Result<OpenOptions, EvalError> {
        each_once("--column", self.column.iter().map(|(name, _)| name))?;
        Ok(OpenOptions {
            task: self.task,
            split: self.split.clone(),
            columns: self.column.iter().cloned().collect::<Columns>(),
            train: self.train.clone(),
            fraction: self.fraction,
            main_score: self.score.clone(),
        })
    }
}

impl DeviceArgs {
    /// As if one model had been asked for alone.
    pub fn of_model(&self, model: &str, dtype: DtypeChoice) -> ModelArgs {
        let source = SourceArgs {
            model: Some(model.to_owned()),
            revision: self.revision.clone(),
            cache_folder: self.cache_folder.clone(),
            kind: None,
            quiet: self.quiet,
        };
        ModelArgs {
            source,
            device: self.device,
            dtype,
            max_tokens: self.max_tokens,
            truncate: Truncate::Right,
            special_tokens: None,
            max_batch_tokens: self.max_batch_tokens,
            threads: self.threads,
            stats: false,
        }
    }
}

fn column(text: &str) -> Result<(String, String), String> {
    let names =
        text.split_once('=').filter(|(name, column)| !name.is_empty() && !column.is_empty());
    let names = names.map(|(name, column)| (name.to_owned(), column.to_owned()));
    names.ok_or_else(|| "write NAME=COLUMN, as in `text=body`".to_owned())
}
