//! What can be typed, with its help, and nothing of what is done with it.

use crate::access;
use crate::serve_args::ServeArgs;
use crate::variables::{empty_argument, naming_the_variable, without_mute_variable};
use clap::error::ErrorKind;
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use qwen3_engine::{
    DeviceChoice, DtypeChoice, Hooks, HubOptions, Kind, Layout, Options, Similarity, SpecialTokens,
    Truncate,
};
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong arguments, 130 stopped by Ctrl-C (what was finished stays).

Environment: HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE as in huggingface_hub;
QWEN3_CPU_ISA limits the CPU's instructions to portable, avx2, avx512, avx512-bf16 or amx-bf16,
on Arm to neon or neon-bf16.";

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
    #[command(after_help = "Example: qwen3 embed --input texts.txt --output vectors.npy")]
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
    /// Print a script that completes this command in a shell
    #[command(after_help = "Example: qwen3 completions bash > ~/.bash_completion.d/qwen3")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Where a model's files are.
#[derive(Args)]
pub struct SourceArgs {
    /// Hub id, folder, or converted file [default: Qwen/Qwen3-Embedding-0.6B; rerank:
    /// Qwen/Qwen3-Reranker-0.6B]
    #[arg(short, long, value_name = "ID|PATH")]
    pub model: Option<String>,
    /// Branch, tag or commit on the hub
    #[arg(long, default_value = "main")]
    pub revision: String,
    /// The hub's cache [default: that of huggingface_hub]
    #[arg(long, value_name = "FOLDER")]
    pub cache_folder: Option<PathBuf>,
    /// What the model is: embedding, reranker or seq-cls [default: detected]
    #[arg(long)]
    pub kind: Option<Kind>,
    /// Print nothing but results and errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// How a model runs.
#[derive(Args)]
pub struct ModelArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// auto, cpu, ndarray, wgpu, vulkan, metal, dx12 or cuda, with an index as in `cuda:1`
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
    /// Precision of the weights in memory: f32, bf16, f16 or auto (the model's own, if the device can)
    #[arg(long, default_value = "auto")]
    pub dtype: DtypeChoice,
    /// Longest text in tokens [default: what the model takes; rerank: 8192]
    #[arg(long, value_name = "TOKENS")]
    pub max_tokens: Option<usize>,
    /// What to do with longer texts: cut on the right, on the left, or stop with an error
    #[arg(long, value_name = "right|left|error", default_value = "right")]
    pub truncate: Truncate,
    /// Control tokens in texts: parse, literal, strip or reject [default: parse; rerank: literal]
    #[arg(long, value_name = "POLICY")]
    pub special_tokens: Option<SpecialTokens>,
    /// Tokens computed at one time; more needs more memory [default: by device]
    #[arg(long, value_name = "TOKENS")]
    pub batch_tokens: Option<usize>,
    /// Worker threads [default: the physical cores it may use]
    #[arg(long)]
    pub threads: Option<usize>,
    /// Print texts, tokens, seconds, tokens/s, load seconds and peak memory, as a line of JSON on
    /// standard error
    #[arg(long)]
    pub stats: bool,
}

/// Where texts come from.
#[derive(Args)]
pub struct InputArgs {
    /// Read texts from a file, one a line, or from standard input (`-`)
    #[arg(short, long, value_name = "FILE|-")]
    pub input: Option<PathBuf>,
    /// Lines are JSON objects; the text is in this field
    #[arg(long, value_name = "NAME")]
    pub field: Option<String>,
}

/// Where results go.
#[derive(Args)]
pub struct OutputArgs {
    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What is put in front of a text.
#[derive(Args)]
#[group(multiple = false)]
pub struct PromptArgs {
    /// Use the model's prompt of this name, such as `query`
    #[arg(long, value_name = "NAME")]
    pub prompt_name: Option<String>,
    /// Use the prompt `Instruct: TASK\nQuery:`
    #[arg(long, value_name = "TASK")]
    pub instruction: Option<String>,
    /// Use exactly this prompt
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
}

/// What vectors look like.
#[derive(Args)]
pub struct VectorArgs {
    /// Keep this many of the first dimensions [default: all]
    #[arg(long)]
    pub dimensions: Option<usize>,
    /// Leave vectors as they are instead of scaling them to length 1
    #[arg(long)]
    pub no_normalize: bool,
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
    #[arg(long, value_name = "TEXT")]
    pub query: String,
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
    pub format: Option<TextFormat>,
    #[command(flatten)]
    pub model: ModelArgs,
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
    /// Check this model's files too, and what it computes: hub id, folder, or converted file
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
    /// Precision of the matrices: f32, bf16, f16 or auto (as they are stored)
    #[arg(long, default_value = "auto")]
    pub dtype: DtypeChoice,
    /// How matrices are laid out: rows (`[out, in]`, what every backend computes from)
    #[arg(long, default_value = "rows")]
    pub layout: Layout,
    /// Keep only the rows of yes and no of a reranker's output head
    #[arg(long)]
    pub trim_head: bool,
    /// Replace the file if it is there
    #[arg(long)]
    pub force: bool,
}

/// Formats of vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EmbedFormat {
    /// The first numbers of each vector, for reading
    Table,
    /// One array of objects
    Json,
    /// One object a line
    Jsonl,
    /// NumPy's file format, float32 `[texts, dimensions]`
    Npy,
    /// Little-endian float32, vector after vector, nothing else
    F32,
}

/// Formats of everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TextFormat {
    /// For reading
    Table,
    /// One value
    Json,
    /// One object a line
    Jsonl,
}

impl SourceArgs {
    /// What is asked of the hub.
    pub fn hub(&self) -> HubOptions<'_> {
        let (revision, cache) = (Some(self.revision.as_str()), self.cache_folder.as_deref());
        HubOptions { revision, cache, token: None }
    }
}

impl ModelArgs {
    /// The engine's options.
    pub fn options(&self, hooks: Hooks) -> Options {
        Options {
            device: self.device,
            dtype: self.dtype,
            threads: self.threads,
            max_batch_tokens: self.batch_tokens,
            max_tokens: self.max_tokens,
            truncate: self.truncate,
            special_tokens: self.special_tokens,
            kind: self.source.kind,
            revision: Some(self.source.revision.clone()),
            cache_folder: self.source.cache_folder.clone(),
            token: None,
            hooks,
        }
    }
}

/// The arguments of this process; ends it with 2 if they are wrong.
pub fn parse() -> Arguments {
    let mut command =
        command().mut_subcommand("serve", |serve| serve.mut_args(without_mute_variable));
    let matches = match command.try_get_matches_from_mut(std::env::args_os()) {
        Ok(matches) => matches,
        // It tells of every variable, whatever its value.
        Err(help) if help.kind() == ErrorKind::DisplayHelp => self::command().get_matches(),
        Err(error) => naming_the_variable(error, &command).exit(),
    };
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let (name, matches) = matches.subcommand().expect("one is required");
    let subcommand = command.find_subcommand_mut(name).expect("it has been found");
    if let Some(arg) = empty_argument(subcommand, matches) {
        let message = format!("the value of '{arg}' is empty; is it of a variable that isn't set?");
        subcommand.error(ErrorKind::InvalidValue, message).exit();
    }
    if let Command::Serve(args) = &arguments.command
        && let Err(message) = access::check(&args.network)
    {
        subcommand.error(ErrorKind::ArgumentConflict, message).exit();
    }
    arguments
}

/// Values of the environment may be secret, and help texts are shown around.
fn command() -> clap::Command {
    let hidden = |arg: Arg| arg.hide_env_values(true);
    Arguments::command().mut_subcommand("serve", |serve| serve.mut_args(hidden))
}

/// The completion script.
pub fn completions(shell: Shell) -> String {
    let mut script = vec![];
    clap_complete::generate(shell, &mut command(), "qwen3", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
