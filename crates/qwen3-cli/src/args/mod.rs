//! What can be typed, with its help, and nothing of what is done with it.

pub mod dtypes;
mod model;
mod parse;
mod tables;
mod texts;
mod variables;

pub use model::{ModelArgs, SourceArgs};
pub use parse::{completions, parse};
pub use tables::{EmbedTableArgs, OnNull, RerankTableArgs, TableArgs};
pub use texts::{
    EmbedFormat, InputArgs, OutputArgs, PromptArgs, RerankFormat, TextFormat, VectorArgs,
    encode_options,
};

use crate::eval::args::EvalArgs;
use crate::serve::args::ServeArgs;
#[cfg(feature = "train")]
use crate::train::args::{MergeArgs, TrainArgs};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use qwen3_engine::{DeviceChoice, DtypeChoice, Similarity};
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong arguments, 130 stopped by Ctrl-C or SIGTERM; what
was finished stays.

Environment: HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE as in huggingface_hub;
QWEN3_CPU_ISA limits the CPU's instructions to portable, avx2, avx-vnni, avx512, avx512-vnni,
avx512-bf16 or amx-bf16, on Arm to neon, neon-dotprod or neon-bf16.";

/// Text embeddings and reranking with Qwen3, on any machine.
#[derive(Parser)]
#[command(name = "qwen3", version, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Turn texts into vectors
    #[command(
        after_help = "Example: qwen3 embed --input texts.txt --output vectors.npy\n\nExample: qwen3 embed --input 'data/*.parquet' --text-column body --id-column id --output vectors/\n\nA run on tables that was stopped goes on with the same command."
    )]
    Embed(EmbedArgs),
    /// Compare queries with documents, and print the table of similarities
    #[command(
        after_help = "Example: qwen3 similarity --query 'Explain gravity' --document 'A force.' 'A city.'"
    )]
    Similarity(SimilarityArgs),
    /// Order documents by how well they answer a query
    #[command(
        after_help = "Example: qwen3 rerank --query 'Explain gravity' --input documents.txt --top-n 3"
    )]
    Rerank(RerankArgs),
    /// Measure models on data of your own, with mteb's scores, and compare settings
    #[command(
        after_help = "Example: qwen3 eval my-data --dimensions 1024,256,64 --dtype bf16,q8_0\n\nExample: qwen3 eval pairs.csv --column sentence1=left --column sentence2=right"
    )]
    Eval(Box<EvalArgs>),
    /// List the devices that a model can run on
    #[command(after_help = "Example: qwen3 devices --format json")]
    Devices(DevicesArgs),
    /// Show what a model is, without running it (downloads it if need be)
    #[command(after_help = "Example: qwen3 info --model Qwen/Qwen3-Reranker-0.6B")]
    Info(InfoArgs),
    /// Download a model into the hub's cache, and print its folder
    #[command(after_help = "Example: qwen3 download --model Qwen/Qwen3-Embedding-4B")]
    Download(DownloadArgs),
    /// Check every device here against the processor, and a model against published numbers
    #[command(
        after_help = "Exit code: 0 if all that was checked can be trusted, 1 if not.\n\nExample: qwen3 doctor --model Qwen/Qwen3-Embedding-0.6B --json report.json"
    )]
    Doctor(DoctorArgs),
    /// Write a model as one file, which loads where a folder does and is checked on every load
    #[command(
        after_help = "Example: qwen3 convert --model Qwen/Qwen3-Embedding-0.6B --out qwen3.safetensors"
    )]
    Convert(ConvertArgs),
    /// Answer over HTTP, as text-embeddings-inference, OpenAI, Cohere, Jina, vLLM and Ollama do
    #[command(
        after_help = "Example: qwen3 serve --model Qwen/Qwen3-Embedding-0.6B --reranker Qwen/Qwen3-Reranker-0.6B\n\nhttp://HOST:PORT/docs lists the routes, http://HOST:PORT/ui is a page to try them on.\n--help tells of more flags than -h.\n\nVariables: an empty one is as if it were not set. HOSTNAME counts if it is an IP address or localhost; most systems set it to the name of the machine."
    )]
    Serve(Box<ServeArgs>),
    /// Train a model on data of your own
    #[cfg(feature = "train")]
    #[command(
        after_help = "Exit codes: 130 if it was stopped; the same command then goes on from the last checkpoint."
    )]
    Train(Box<TrainArgs>),
    /// Make one model of a base and an adapter (LoRA)
    #[cfg(feature = "train")]
    #[command(after_help = "Example: qwen3 merge --model base --adapter adapter --out merged")]
    Merge(MergeArgs),
    /// Print a script that completes this command in a shell
    #[command(after_help = "Example: qwen3 completions bash > ~/.bash_completion.d/qwen3")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Args)]
pub struct EmbedArgs {
    /// Texts to embed
    pub texts: Vec<String>,
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub prompt: PromptArgs,
    #[command(flatten)]
    pub vectors: VectorArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    /// [default: by the ending of --output; else table on a terminal, jsonl elsewhere]
    #[arg(long, value_enum)]
    pub format: Option<EmbedFormat>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub tables: EmbedTableArgs,
}

#[derive(Args)]
pub struct SimilarityArgs {
    /// Queries
    #[arg(long, required = true, num_args = 1.., value_name = "TEXT")]
    pub query: Vec<String>,
    /// Documents
    #[arg(long, required = true, num_args = 1.., value_name = "TEXT")]
    pub document: Vec<String>,
    /// Measure: cosine, dot, euclidean or manhattan [default: what the model's files say]
    #[arg(long)]
    pub similarity: Option<Similarity>,
    // For queries; without one the model's prompt `query` is used.
    #[command(flatten)]
    pub prompt: PromptArgs,
    #[command(flatten)]
    pub vectors: VectorArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    /// [default: table on a terminal, json elsewhere]
    #[arg(long, value_enum)]
    pub format: Option<TextFormat>,
    #[command(flatten)]
    pub model: ModelArgs,
}

#[derive(Args)]
pub struct RerankArgs {
    /// Documents to order
    pub documents: Vec<String>,
    /// The query
    #[arg(
        long,
        value_name = "TEXT",
        required_unless_present = "query_column",
        conflicts_with = "query_column"
    )]
    pub query: Option<String>,
    /// What makes a document relevant, in a sentence
    #[arg(long, value_name = "TASK")]
    pub instruction: Option<String>,
    /// Print only the best N
    #[arg(long, value_name = "N")]
    pub top_n: Option<usize>,
    /// Print log-odds (logit of yes minus logit of no) beside the probability
    #[arg(long)]
    pub log_odds: bool,
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    /// [default: table on a terminal, jsonl elsewhere]
    #[arg(long, value_enum)]
    pub format: Option<RerankFormat>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub tables: RerankTableArgs,
}

#[derive(Args)]
pub struct DevicesArgs {
    /// [default: table on a terminal, json elsewhere]
    #[arg(long, value_enum)]
    pub format: Option<TextFormat>,
}

#[derive(Args)]
pub struct InfoArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// [default: table on a terminal, json elsewhere]
    #[arg(long, value_enum)]
    pub format: Option<TextFormat>,
}

#[derive(Args)]
pub struct DownloadArgs {
    #[command(flatten)]
    pub source: SourceArgs,
}

#[derive(Args)]
pub struct DoctorArgs {
    /// Check this model's files too, and what it computes: hub id, folder, file.gguf,
    /// owner/name:Q8_0, converted file, or mini
    #[arg(short, long, value_name = "ID|PATH")]
    pub model: Option<String>,
    /// Check only these devices, such as vulkan,cuda:1 [default: all that are here]
    #[arg(long, value_delimiter = ',')]
    pub device: Vec<DeviceChoice>,
    /// Write everything to a file, to attach to a bug report; `-` for standard output
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,
}

#[derive(Args)]
pub struct ConvertArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// The file to write [default: the model's name with its dtype, in this folder]
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[arg(
        long,
        default_value = "auto",
        help = format!("How matrices are held: {}", dtypes::listed(&[], "as they are stored"))
    )]
    pub dtype: DtypeChoice,
    /// Keep only the rows of yes and no of a reranker's output head
    #[arg(long)]
    pub trim_head: bool,
    /// Replace the file if it is there
    #[arg(long)]
    pub force: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_argument_says_what_it_is_for() {
        for command in Arguments::command().get_subcommands() {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name}");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{name}: {argument}");
            }
        }
    }
}
