//! The models: which there are, and how they are loaded.
//!
//! The workers see a model as functions, so that tests can give them devices that get lost.

use qwen3_engine::{
    CancelToken, Checkpoint, DeviceChoice, Embedder, EmbedderHost, EncodeOptions, Error, Hooks,
    Options, RankOptions, Reranker, Source,
};
use std::path::{Path, PathBuf};

/// Numbers of a vector that are kept. The large models' first thousand are almost as good as all,
/// and search takes the fourth part of the time.
const MAX_DIMENSIONS: usize = 1024;
/// Of a query, a passage or a pair. Longer ones are cut.
const MAX_TOKENS: usize = 1024;

/// A model of Qwen that can be downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    pub name: &'static str,
    pub title: &'static str,
    pub megabytes: u64,
    pub note: &'static str,
}

const fn published(
    name: &'static str,
    title: &'static str,
    megabytes: u64,
    note: &'static str,
) -> Published {
    Published { name, title, megabytes, note }
}

/// The name of the model in the program.
pub const MINI: &str = "mini";

/// What vectors can be computed with.
pub const EMBEDDERS: [Published; 5] = [
    published(MINI, "Mini", 16, "In the program. Fast, English only."),
    published(
        "Qwen/Qwen3-Embedding-0.6B-GGUF:Q8_0",
        "Qwen3 Embedding 0.6B, 8 bits",
        639,
        "Over 100 languages. Fine on most computers.",
    ),
    published("Qwen/Qwen3-Embedding-0.6B", "Qwen3 Embedding 0.6B", 1_192, "Over 100 languages."),
    published("Qwen/Qwen3-Embedding-4B", "Qwen3 Embedding 4B", 8_044, "Better. Wants a GPU."),
    published("Qwen/Qwen3-Embedding-8B", "Qwen3 Embedding 8B", 15_136, "Best. Wants a large GPU."),
];

/// What results can be put in a better order with.
pub const RERANKERS: [Published; 3] = [
    published("Qwen/Qwen3-Reranker-0.6B", "Qwen3 Reranker 0.6B", 1_192, "Wants a GPU."),
    published("Qwen/Qwen3-Reranker-4B", "Qwen3 Reranker 4B", 8_044, "Better. Wants a GPU."),
    published("Qwen/Qwen3-Reranker-8B", "Qwen3 Reranker 8B", 16_382, "Best. Wants a large GPU."),
];

/// What a model is called in the window.
pub fn title(name: &str) -> &str {
    let known = EMBEDDERS.iter().chain(&RERANKERS).find(|model| model.name == name);
    known.map_or(name, |model| model.title)
}

/// A model on a device, as people chose both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub model: String,
    pub device: String,
}

/// What a text is: queries have the model's prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Query,
    Passage,
}

type Encode = dyn Fn(Role, &[String], &CancelToken) -> Result<Vec<Vec<f32>>, Error> + Send + Sync;
type Score = dyn Fn(&str, &[String], &CancelToken) -> Result<Vec<f64>, Error> + Send + Sync;

/// A loaded embedding model.
pub struct Model {
    pub choice: Choice,
    /// What its vectors depend on.
    pub description: String,
    /// Where it runs.
    pub device: String,
    /// Devices that `auto` passed over, and why.
    pub passed_over: Vec<String>,
    pub encode: Box<Encode>,
}

/// A loaded reranker.
pub struct LoadedReranker {
    pub choice: Choice,
    /// The log-odds that each text answers the query.
    pub score: Box<Score>,
}

/// Where models come from, and where they are kept: by default where other programs have them.
#[derive(Clone, Debug, Default)]
pub struct Library {
    pub endpoint: Option<String>,
    pub cache_folder: Option<PathBuf>,
}

impl Library {
    fn source(&self, model: &str) -> Source {
        let mut source = Source::new(model);
        source.endpoint = self.endpoint.clone();
        source.cache_folder = self.cache_folder.clone();
        source
    }

    /// Downloads a model, or what is missing of it.
    pub fn download(&self, model: &str, hooks: &Hooks) -> Result<(), Error> {
        self.source(model).locate(hooks).map(drop)
    }

    /// Whether a model can be loaded without a download.
    pub fn has(&self, model: &str) -> bool {
        model == MINI || matches!(self.source(model).cached(), Ok(Some(_)))
    }

    /// Where a model's files are, without a look at the network.
    fn here(&self, model: &str) -> Result<Source, Error> {
        if model == MINI {
            return Ok(Source::new(model));
        }
        Ok(match self.source(model).cached()? {
            Some(path) => Source::from(path),
            // The error says that there is no such file.
            None => Source::from(Path::new(model)),
        })
    }

    /// Whether a folder or file has a model that can search, as far as its files say.
    pub fn check(&self, model: &str) -> Result<(), Error> {
        let checkpoint = Checkpoint::open(self.here(model)?, &Hooks::default())?;
        EmbedderHost::from_checkpoint(&checkpoint, &Options::default()).map(drop)
    }

    /// Loads an embedding model. Nothing is downloaded.
    pub fn load_model(&self, choice: &Choice, hooks: &Hooks) -> Result<Model, Error> {
        let checkpoint = Checkpoint::open(self.here(&choice.model)?, hooks)?;
        let embedder = Embedder::from_checkpoint(&checkpoint, &options(choice, hooks))?;
        let dimensions = embedder.max_dimensions().min(MAX_DIMENSIONS);
        // The name comes first, by which the model is loaded again. Not the device: what two
        // devices compute differs less than two neighbours do.
        let description = format!(
            "{}\n{:?}, {} bytes, {dimensions} dimensions, {MAX_TOKENS} tokens, {}",
            choice.model,
            checkpoint.path(),
            checkpoint.weight_bytes(),
            env!("CARGO_PKG_VERSION"),
        );
        Ok(Model {
            choice: choice.clone(),
            description,
            device: embedder.device().to_string(),
            passed_over: embedder.fallbacks().iter().map(ToString::to_string).collect(),
            encode: Box::new(encode(embedder, dimensions)),
        })
    }

    /// Loads a reranker. Nothing is downloaded.
    pub fn load_reranker(&self, choice: &Choice, hooks: &Hooks) -> Result<LoadedReranker, Error> {
        let model = Reranker::load(self.here(&choice.model)?, &options(choice, hooks))?;
        let score = move |query: &str, texts: &[String], cancel: &CancelToken| {
            let options = RankOptions::default().hooks(Hooks::default().cancel(cancel.clone()));
            let scores = model.score(texts.iter().map(|text| (query, text)), &options)?;
            Ok(scores.into_iter().map(|score| score.log_odds).collect())
        };
        Ok(LoadedReranker { choice: choice.clone(), score: Box::new(score) })
    }
}

fn encode(
    embedder: Embedder,
    dimensions: usize,
) -> impl Fn(Role, &[String], &CancelToken) -> Result<Vec<Vec<f32>>, Error> {
    move |role, texts, cancel| {
        let hooks = Hooks::default().cancel(cancel.clone());
        let options = EncodeOptions::default().dimensions(dimensions).hooks(hooks);
        let texts = texts.iter().map(String::as_str);
        let vectors = match role {
            Role::Query => embedder.encode_query(texts, &options)?,
            Role::Passage => embedder.encode_document(texts, &options)?,
        };
        Ok(vectors.into_iter().map(|embedding| embedding.vector).collect())
    }
}

fn options(choice: &Choice, hooks: &Hooks) -> Options {
    // A device that this program doesn't know was written by another version.
    let device: DeviceChoice = choice.device.parse().unwrap_or_default();
    // A core is left to the window and to others.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = (cores / 2).max(1);
    Options::default().device(device).threads(threads).max_tokens(MAX_TOKENS).hooks(hooks.clone())
}
