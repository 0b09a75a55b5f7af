//! The flags of `qwen3 train` and `qwen3 merge`.

use crate::args::SourceArgs;
use crate::args::dtypes::written;
use clap::{Args, Subcommand};
use qwen3_engine::{DeviceChoice, DtypeChoice, Hooks, Options, Prompt, Truncate};
use qwen3_train::{Length, Lora, Projection, Settings};
use std::path::PathBuf;

#[derive(Args)]
pub struct TrainArgs {
    #[command(subcommand)]
    pub task: Task,
}

/// What is learned.
#[derive(Subcommand)]
pub enum Task {
    /// Teach an embedding model the vectors of another one
    #[command(
        after_help = "Example: qwen3 train distil --model start --texts texts.jsonl --targets targets.npy --out small"
    )]
    Distil(DistilArgs),
    /// Teach an embedding model which texts belong together
    #[command(
        after_help = "Example: qwen3 train embedding --pairs pairs.jsonl --held-out held-out.jsonl --out mine"
    )]
    Embedding(EmbeddingArgs),
    /// Teach a reranker which documents answer a query
    #[command(
        after_help = "Example: qwen3 train reranker --pairs labelled.jsonl --held-out held-out.jsonl --out mine"
    )]
    Reranker(RerankerArgs),
}

#[derive(Args)]
pub struct DistilArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Lines of JSON with the column `text`
    #[arg(long, value_name = "FILE.jsonl", help_heading = "Data")]
    pub texts: PathBuf,
    /// The vectors to learn, float16 or float32 as NumPy saves them: row i is that of line i
    #[arg(long, value_name = "FILE.npy", help_heading = "Data")]
    pub targets: PathBuf,
    /// Texts that are measured and not trained on
    #[arg(long, value_name = "FILE.jsonl", requires = "held_out_targets", help_heading = "Data")]
    pub held_out: Option<PathBuf>,
    /// Their vectors
    #[arg(long, value_name = "FILE.npy", requires = "held_out", help_heading = "Data")]
    pub held_out_targets: Option<PathBuf>,
    /// The model's prompt of this name in front of each text [default: none]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub prompt_name: Option<String>,
    /// What similarities between texts count beside the vectors themselves
    #[arg(long, value_name = "X", default_value_t = 2.0)]
    pub similarity_weight: f64,
    /// What the order of the nearest texts of a step counts
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    pub ranking_weight: f64,
    /// How near texts must be to count in that order
    #[arg(long, value_name = "X", default_value_t = 0.05)]
    pub temperature: f64,
    /// Texts of a step
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub batch_size: usize,
    /// The largest learning rate
    #[arg(long, value_name = "X", default_value_t = 1.5e-3)]
    pub learning_rate: f64,
    /// How fast AdamW forgets gradients and their squares
    #[arg(long, value_name = "B1,B2", value_parser = betas, default_value = "0.9,0.98")]
    pub betas: [f64; 2],
    #[command(flatten)]
    pub training: TrainingArgs,
}

#[derive(Args)]
pub struct EmbeddingArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Lines of JSON with the columns `anchor` and `positive`, and perhaps `negative` (a text or
    /// a list) and `instruction`
    #[arg(long, value_name = "FILE.jsonl", help_heading = "Data")]
    pub pairs: PathBuf,
    /// Such pairs, measured and not trained on: how often the positive is found first
    #[arg(long, value_name = "FILE.jsonl", help_heading = "Data")]
    pub held_out: Option<PathBuf>,
    /// The task that anchors are asked with, in a sentence [default: the model's prompt `query`]
    #[arg(long, value_name = "TASK", help_heading = "Data")]
    pub instruction: Option<String>,
    /// How sharply near and far are told apart; smaller is sharper
    #[arg(long, value_name = "X", default_value_t = 0.05)]
    pub temperature: f64,
    /// A text that is so much nearer than the positive is taken for right too, and left out
    #[arg(long, value_name = "COSINE", default_value_t = 0.1)]
    pub margin: f64,
    /// Pairs of a step; all other texts of it are negatives
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub batch_size: usize,
    /// The largest learning rate [default: 2e-5, with LoRA 2e-4]
    #[arg(long, value_name = "X")]
    pub learning_rate: Option<f64>,
    /// How fast AdamW forgets gradients and their squares
    #[arg(long, value_name = "B1,B2", value_parser = betas, default_value = "0.9,0.999")]
    pub betas: [f64; 2],
    #[command(flatten)]
    pub training: TrainingArgs,
}

#[derive(Args)]
pub struct RerankerArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Lines of JSON with the columns `query`, `document` and `label` (0 to 1), and perhaps
    /// `instruction`
    #[arg(long, value_name = "FILE.jsonl", help_heading = "Data")]
    pub pairs: PathBuf,
    /// Such pairs, measured and not trained on
    #[arg(long, value_name = "FILE.jsonl", help_heading = "Data")]
    pub held_out: Option<PathBuf>,
    /// What makes a document relevant, in a sentence [default: that of the model card]
    #[arg(long, value_name = "TASK", help_heading = "Data")]
    pub instruction: Option<String>,
    /// Pairs of a step
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub batch_size: usize,
    /// The largest learning rate [default: 2e-5, with LoRA 2e-4]
    #[arg(long, value_name = "X")]
    pub learning_rate: Option<f64>,
    /// How fast AdamW forgets gradients and their squares
    #[arg(long, value_name = "B1,B2", value_parser = betas, default_value = "0.9,0.999")]
    pub betas: [f64; 2],
    #[command(flatten)]
    pub training: TrainingArgs,
}

/// What every task has.
#[derive(Args)]
pub struct TrainingArgs {
    /// The folder of results; a run that was ended goes on from what is there
    #[arg(short, long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Passes over the data [default: 1]
    #[arg(long, value_name = "X", conflicts_with = "steps")]
    pub epochs: Option<f64>,
    /// Steps, instead of passes
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// Steps in which the learning rate rises [default: a tenth of all, at most 200]
    #[arg(long, value_name = "STEPS")]
    pub warm_up: Option<u64>,
    /// How much weights shrink at each step, times the learning rate
    #[arg(long, value_name = "X", default_value_t = 0.01)]
    pub weight_decay: f64,
    /// The longest gradient; a longer one is scaled down
    #[arg(long, value_name = "NORM", default_value_t = 1.0)]
    pub clip: f64,
    /// Widths of vectors that shall work, such as 256,128,64 [default: whole vectors]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub dimensions: Vec<usize>,
    /// Train adapters of so many rows instead of all weights
    #[arg(long, value_name = "N", help_heading = "LoRA")]
    pub lora_rank: Option<usize>,
    /// What an adapter counts, divided by the rank [default: twice the rank]
    #[arg(long, value_name = "X", requires = "lora_rank", help_heading = "LoRA")]
    pub lora_alpha: Option<f64>,
    /// Layers that get one
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        requires = "lora_rank",
        help_heading = "LoRA",
        default_value = "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj"
    )]
    pub lora_targets: Vec<Projection>,
    /// Steps between two looks at the held-out data
    #[arg(long, value_name = "STEPS", default_value_t = 100, help_heading = "Run")]
    pub measure_every: u64,
    /// End after so many looks without a better measure, and keep the best weights
    #[arg(long, value_name = "LOOKS", help_heading = "Run")]
    pub patience: Option<u32>,
    /// Minutes between two checkpoints
    #[arg(long, value_name = "MINUTES", default_value_t = 10.0, help_heading = "Run")]
    pub checkpoint_minutes: f64,
    /// Steps between two checkpoints, beside those by time
    #[arg(long, value_name = "STEPS", help_heading = "Run")]
    pub checkpoint_steps: Option<u64>,
    /// Fail if there is no checkpoint to go on from
    #[arg(long, conflicts_with = "force", help_heading = "Run")]
    pub resume: bool,
    /// Begin anew, and replace what is in the folder
    #[arg(long, help_heading = "Run")]
    pub force: bool,
    /// Take rows in the order of their file instead of a shuffled one
    #[arg(long, help_heading = "Data")]
    pub keep_order: bool,
    /// Of the order of rows and of adapters' first numbers
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Run")]
    pub seed: u64,
    #[arg(long, value_name = "DTYPE", default_value = "auto", help_heading = "Run")]
    #[arg(help = written("as its source"))]
    pub save_dtype: DtypeChoice,
    /// auto, cpu, ndarray, wgpu, vulkan, metal, dx12 or cuda, with an index as in `cuda:1`
    #[arg(long, default_value = "auto", help_heading = "Device")]
    pub device: DeviceChoice,
    /// What linear layers compute in: f32 or bf16; weights are trained in f32 always
    #[arg(long, default_value = "f32", help_heading = "Device")]
    pub dtype: DtypeChoice,
    /// Worker threads [default: the physical cores it may use]
    #[arg(long, help_heading = "Device")]
    pub threads: Option<usize>,
    /// Longest text in tokens; longer ones are cut [default: what the model takes]
    #[arg(long, value_name = "TOKENS", help_heading = "Device")]
    pub max_tokens: Option<usize>,
    /// Tokens on the device at one time; a step is as many passes as it takes [default: by the
    /// model's size]
    #[arg(long, value_name = "TOKENS", help_heading = "Device")]
    pub micro_batch_tokens: Option<usize>,
}

#[derive(Args)]
pub struct MergeArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// The adapter's folder, in PEFT's layout
    #[arg(long, value_name = "FOLDER")]
    pub adapter: PathBuf,
    /// The folder to write
    #[arg(short, long, value_name = "FOLDER")]
    pub out: PathBuf,
    #[arg(long, value_name = "DTYPE", default_value = "auto")]
    #[arg(help = written("as the model's"))]
    pub save_dtype: DtypeChoice,
    /// Replace what is in the folder
    #[arg(long)]
    pub force: bool,
}

impl TrainingArgs {
    /// The usual learning rate of fine-tuning.
    pub fn fine_tuning_rate(&self) -> f64 {
        if self.lora_rank.is_some() { 2e-4 } else { 2e-5 }
    }

    /// The settings of a run, with what its task has a default of its own for.
    pub fn settings(&self, batch_size: usize, learning_rate: f64, betas: [f64; 2]) -> Settings {
        let mut settings = Settings::new(batch_size, learning_rate);
        settings.length = match (self.steps, self.epochs) {
            (Some(steps), _) => Length::Steps(steps),
            (None, epochs) => Length::Epochs(epochs.unwrap_or(1.0)),
        };
        settings.lora = self.lora_rank.map(|rank| Lora {
            rank,
            alpha: self.lora_alpha.unwrap_or(2.0 * rank as f64),
            targets: self.lora_targets.clone(),
        });
        settings.betas = betas;
        settings.seed = self.seed;
        settings.keep_order = self.keep_order;
        settings.micro_batch_tokens = self.micro_batch_tokens;
        settings.warm_up = self.warm_up;
        settings.weight_decay = self.weight_decay;
        settings.clip = self.clip;
        settings.dimensions.clone_from(&self.dimensions);
        settings.measure_every = self.measure_every;
        settings.patience = self.patience;
        settings.checkpoint_minutes = self.checkpoint_minutes;
        settings.checkpoint_steps = self.checkpoint_steps;
        settings.save_dtype = self.save_dtype;
        (settings.force, settings.resume) = (self.force, self.resume);
        settings
    }

    /// The engine's options.
    pub fn options(&self, hooks: Hooks) -> Options {
        Options::default()
            .device(self.device)
            .dtype(self.dtype)
            .threads(self.threads)
            .max_tokens(self.max_tokens)
            .truncate(Truncate::Right)
            .hooks(hooks)
    }
}

/// The model's prompt of this name.
pub fn prompt(name: Option<&String>) -> Prompt {
    name.map_or(Prompt::Default, |name| Prompt::Name(name.clone()))
}

/// Two numbers with a comma between them.
fn betas(text: &str) -> Result<[f64; 2], String> {
    let numbers: Option<Vec<f64>> =
        text.split(',').map(|number| number.trim().parse().ok()).collect();
    let numbers = numbers.and_then(|numbers| numbers.try_into().ok());
    numbers.ok_or_else(|| "two numbers are needed, as in `0.9,0.999`".to_owned())
}
