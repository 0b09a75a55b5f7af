//! Tables of texts, and tables of what is computed for them.

use super::{EmbedFormat, RerankFormat};
use clap::{Args, ValueEnum};
use qwen3_tables::{Precision, Shard};
use std::path::PathBuf;

/// What of a table is read, and what of it is in the output.
#[derive(Args)]
#[command(next_help_heading = "Tables (Parquet, Arrow, CSV, JSON lines)")]
pub struct TableArgs {
    /// Keep this column in the output, and no other that isn't named
    #[arg(long, value_name = "NAME")]
    pub id_column: Option<String>,
    /// Keep these columns in the output [default: all]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// What becomes of a row without a text: error, skip, or empty, which computes the empty text
    #[arg(
        long,
        value_name = "error|skip|empty",
        default_value = "error",
        hide_possible_values = true
    )]
    pub on_null: OnNull,
    /// Do the first of four shares with 0/4, the last with 3/4: by row groups of Parquet, and by
    /// files of other formats
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Begin anew, and replace what another run has left in the output
    #[arg(long)]
    pub force: bool,
}

/// What of a table is embedded, and how vectors are held in the output.
#[derive(Args)]
#[command(next_help_heading = "Tables (Parquet, Arrow, CSV, JSON lines)")]
pub struct EmbedTableArgs {
    /// The column that has the texts [default: `text`, or the only one with texts]
    #[arg(long, value_name = "NAME", conflicts_with = "text_template")]
    pub text_column: Option<String>,
    /// A text of several columns, as in '{title}\n{body}'
    #[arg(long, value_name = "TEMPLATE")]
    pub text_template: Option<String>,
    #[command(flatten)]
    pub table: TableArgs,
    /// The column of vectors in the output
    #[arg(long, value_name = "NAME", default_value = "embedding")]
    pub vector_column: String,
    /// How numbers of vectors are held: float32, float16, int8, uint8, binary or ubinary
    #[arg(long, value_name = "NAME", default_value = "float32")]
    pub precision: Precision,
    /// The least and greatest numbers for int8 and uint8, float32 [2, dimensions]
    /// [default: those of the first rows, which `_qwen3/ranges.npy` then has]
    #[arg(long, value_name = "FILE.npy")]
    pub ranges: Option<PathBuf>,
}

/// What of a table is scored.
#[derive(Args)]
#[command(next_help_heading = "Tables (Parquet, Arrow, CSV, JSON lines)")]
pub struct RerankTableArgs {
    /// The column that has the queries
    #[arg(long, value_name = "NAME")]
    pub query_column: Option<String>,
    /// The column that has the documents
    #[arg(long, value_name = "NAME", default_value = "document")]
    pub document_column: String,
    #[command(flatten)]
    pub table: TableArgs,
    /// The column of scores in the output
    #[arg(long, value_name = "NAME", default_value = "score")]
    pub score_column: String,
}

/// What becomes of rows without a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnNull {
    /// The run ends.
    Error,
    /// They are not in the output.
    Skip,
    /// As if the text were empty.
    Empty,
}

impl OnNull {
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Skip => "skip",
            Self::Empty => "empty",
        }
    }
}

impl EmbedTableArgs {
    /// Whether something here, or the format, makes sense for tables only.
    pub fn are_meant(&self, format: Option<EmbedFormat>) -> bool {
        let of_texts = self.text_column.is_some() || self.text_template.is_some();
        let of_vectors = self.precision != Precision::Float32 || self.ranges.is_some();
        let is_format = matches!(format, Some(EmbedFormat::Parquet | EmbedFormat::Arrow));
        of_texts || of_vectors || is_format || self.table.are_meant()
    }
}

impl RerankTableArgs {
    /// Whether something here, or the format, makes sense for tables only.
    pub fn are_meant(&self, format: Option<RerankFormat>) -> bool {
        let is_format = matches!(format, Some(RerankFormat::Parquet | RerankFormat::Arrow));
        self.query_column.is_some() || is_format || self.table.are_meant()
    }
}

impl TableArgs {
    fn are_meant(&self) -> bool {
        let of_columns = self.id_column.is_some() || self.columns.is_some();
        of_columns || self.shard.is_some() || self.on_null != OnNull::Error
    }
}
