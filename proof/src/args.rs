//! What can be typed.

use clap::{Args, Parser, Subcommand};
use qwen3_engine::DtypeChoice;
use qwen3_proof::bench::BenchOptions;
use qwen3_proof::bench::measure::Request;
use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

/// Proof that every backend computes Qwen3, and how fast.
#[derive(Parser)]
#[command(name = "qwen3-proof", bin_name = "cargo xtask", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Compare every stage of the network with Hugging Face Transformers
    #[command(after_help = "Exit code: 0 if everything is within the bounds of \
        proof/src/tolerance.rs, 1 if not.")]
    Parity(ParityArgs),
    /// Measure tokens per second over devices, dtypes and shapes
    Bench(BenchArgs),
    /// Tell what dtypes cost in accuracy, beside float32
    Dtypes(DtypesArgs),
    /// Make the fixtures of the tests again, with Python
    Fixtures(FixturesArgs),
    /// One process of `bench`
    #[command(hide = true)]
    Measure(MeasureArgs),
}

/// Where the expected numbers come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tier {
    /// The committed outputs of tiny checkpoints.
    Fixtures,
    /// Transformers, run now.
    Transformers,
    /// Published numbers of the real weights.
    Published,
    /// What the reference script wrote earlier.
    Folder(PathBuf),
}

impl FromStr for Tier {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "fixtures" => Self::Fixtures,
            "transformers" => Self::Transformers,
            "published" => Self::Published,
            folder => Self::Folder(folder.into()),
        })
    }
}

/// Where models run.
#[derive(Args)]
pub struct WhereArgs {
    /// Devices, such as cpu,ndarray,vulkan,cuda:1 [default: all that are here]
    #[arg(long, visible_alias = "device", value_delimiter = ',')]
    pub devices: Vec<String>,
    /// f32, bf16 and f16, where a device can hold them, q8_0 and q4_0 [default: all]
    #[arg(long, visible_alias = "dtype", value_delimiter = ',')]
    pub dtypes: Vec<DtypeChoice>,
}

#[derive(Args)]
pub struct ParityArgs {
    #[command(flatten)]
    pub on: WhereArgs,
    /// Hub id, folder, or converted file [default: the fixtures]
    #[arg(long, value_name = "ID|PATH")]
    pub model: Option<String>,
    /// fixtures (committed, offline), transformers (run now, in an environment under target/),
    /// published (numbers of the real weights), or a folder that the reference script wrote
    #[arg(long, default_value = "fixtures")]
    pub reference: Tier,
    /// Leave out longer texts
    #[arg(long, value_name = "TOKENS")]
    pub max_tokens: Option<usize>,
    /// Write everything to a file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw the error by layer into an SVG file
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Use this Python, which has the packages, instead of making an environment
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// Print the table, not a line for every stage
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Args)]
pub struct BenchArgs {
    #[command(flatten)]
    pub on: WhereArgs,
    #[command(flatten)]
    pub options: BenchOptions,
}

#[derive(Args)]
pub struct DtypesArgs {
    #[command(flatten)]
    pub on: WhereArgs,
    /// Hub id, folder, GGUF file, or converted file
    #[arg(long, value_name = "ID|PATH")]
    pub model: String,
    /// Texts, one in each line; for a reranker a query and 25 documents again and again
    #[arg(long, value_name = "FILE")]
    pub texts: PathBuf,
}

#[derive(Args)]
pub struct FixturesArgs {
    /// Use this Python, which has the packages, instead of making an environment
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
}

#[derive(Args)]
pub struct MeasureArgs {
    #[command(flatten)]
    pub request: Request,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
