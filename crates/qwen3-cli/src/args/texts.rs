//! Where texts come from, what is made of them, and where results go.

use clap::{Args, ValueEnum};
use qwen3_engine::{EncodeOptions, Hooks, Prompt};
use qwen3_tables::OutputFormat;
use std::path::PathBuf;

/// Where texts come from.
#[derive(Args)]
pub struct InputArgs {
    /// Read texts from a file, one a line, or from standard input (`-`); or rows of tables, from
    /// files, folders and patterns
    #[arg(short, long, value_name = "FILE|-", num_args = 1..)]
    pub input: Vec<PathBuf>,
    /// Lines are JSON objects; the text is in this field
    #[arg(long, value_name = "NAME")]
    pub field: Option<String>,
}

/// Where results go.
#[derive(Args)]
pub struct OutputArgs {
    /// Write to a file instead of standard output; tables go to a file or a folder
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
    /// Apache Parquet, of tables
    Parquet,
    /// Arrow IPC, of tables
    Arrow,
}

/// Formats of scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RerankFormat {
    /// For reading
    Table,
    /// One array of objects
    Json,
    /// One object a line
    Jsonl,
    /// Apache Parquet, of tables
    Parquet,
    /// Arrow IPC, of tables
    Arrow,
}

impl EmbedFormat {
    /// As tables are written; `None`: they aren't.
    pub fn of_tables(self) -> Option<OutputFormat> {
        match self {
            Self::Parquet => Some(OutputFormat::Parquet),
            Self::Arrow => Some(OutputFormat::Arrow),
            Self::Jsonl => Some(OutputFormat::JsonLines),
            Self::Npy => Some(OutputFormat::Npy),
            Self::Table | Self::Json | Self::F32 => None,
        }
    }
}

impl RerankFormat {
    /// As tables are written; `None`: they aren't.
    pub fn of_tables(self) -> Option<OutputFormat> {
        match self {
            Self::Parquet => Some(OutputFormat::Parquet),
            Self::Arrow => Some(OutputFormat::Arrow),
            Self::Jsonl => Some(OutputFormat::JsonLines),
            Self::Table | Self::Json => None,
        }
    }
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

/// The engine's options for texts with this prompt and vectors of this look.
pub fn encode_options(prompt: &PromptArgs, vectors: &VectorArgs, hooks: Hooks) -> EncodeOptions {
    let prompt = match (&prompt.prompt_name, &prompt.instruction, &prompt.prompt) {
        (Some(name), _, _) => Prompt::Name(name.clone()),
        (_, Some(task), _) => Prompt::Instruction(task.clone()),
        (_, _, Some(text)) => Prompt::Text(text.clone()),
        (None, None, None) => Prompt::Default,
    };
    EncodeOptions::default()
        .prompt(prompt)
        .dimensions(vectors.dimensions)
        .normalize(!vectors.no_normalize)
        .hooks(hooks)
}
