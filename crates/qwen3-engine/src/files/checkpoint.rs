//! A model's files: its config, its weights, and what it is for.

mod files;
mod kind;
mod side_files;

use super::folder::{CONFIG, files_of, gguf_instead, other_weights, refuse_adapter};
use super::gguf::{Gguf, is_gguf};
use super::mini::{self, place};
use super::model_files::{ModelFiles, stamps};
use super::modules::{self, MODULES, Modules, POOLING, refused};
use super::portable::{Portable, Provenance, inside};
use super::source::Source;
use crate::choices::Kind;
use crate::error::Error;
use crate::progress::Hooks;
use files::missing;
use qwen3::head::YES_NO;
use qwen3::{Config, Dtype, Weights};
use qwen3_text::{RerankTokenizer, SpecialTokens};
use side_files::SENTENCE_BERT;
use std::fmt;
use std::path::{Path, PathBuf};

/// An opened folder, GGUF file, portable file or model inside the program; nothing is on a
/// device yet. Everything of one model can be made from it:
/// [`crate::Embedder::from_checkpoint`] and its kin.
pub struct Checkpoint {
    /// What its user called it.
    pub(crate) model: String,
    path: Option<PathBuf>,
    pub(crate) config: Config,
    /// The weights, mapped into memory.
    pub(crate) weights: Weights,
    pub(crate) kind: Kind,
    pub(crate) files: ModelFiles,
    modules: Modules,
    inside: Option<Inside>,
}

/// One file that holds all files of a model.
pub(super) enum Inside {
    Portable(Box<Portable>),
    Gguf(Gguf),
}

impl Checkpoint {
    /// Finds a model, downloads it if need be, and opens its files.
    ///
    /// # Errors
    /// If the model can't be found or downloaded, or a file is missing or broken, or asks
    /// for what this engine doesn't compute.
    pub fn open(model: impl Into<Source>, hooks: &Hooks) -> Result<Self, Error> {
        let source = model.into();
        if source.is_mini()? {
            return Self::of_portable(None, mini::portable()?)?.opened(&source, || true);
        }
        let path = source.path();
        if path.is_file()
            && let Some(checkpoint) = Self::of_file(path, &source)?
        {
            return Ok(checkpoint);
        }
        let folder = source.locate(hooks)?;
        if folder.is_file()
            && let Some(checkpoint) = Self::of_file(&folder, &source)?
        {
            return Ok(checkpoint);
        }
        let before = stamps(files_of(&folder));
        let checkpoint = Self::of_folder(&folder)?;
        checkpoint.opened(&source, || stamps(files_of(&folder)) == before)
    }

    /// Opens the files of a model again.
    ///
    /// # Errors
    /// If they have changed since, and as [`Checkpoint::open`].
    pub(crate) fn open_again(files: &ModelFiles, hooks: &Hooks) -> Result<Self, Error> {
        files.check()?;
        let checkpoint = Self::open(files.source(), hooks)?;
        if checkpoint.files == *files { Ok(checkpoint) } else { Err(files.changed()) }
    }

    /// What is left to do once the files are open. They must be the same ones still
    /// when they are stamped: else one is from before a change, another from after it.
    fn opened(mut self, source: &Source, is_unchanged: impl Fn() -> bool) -> Result<Self, Error> {
        self.model = source.to_string();
        self.decide_kind(source.kind)?;
        let files = self.source_files()?.into_iter().map(|(_, path)| path);
        self.files = ModelFiles::new(self.path.as_deref(), self.kind, files)?;
        if is_unchanged() { Ok(self) } else { Err(self.files.changed()) }
    }

    /// # Errors
    /// If the files are not those that were opened: what is read of them later would
    /// belong to another model.
    pub(crate) fn check_unchanged(&self) -> Result<(), Error> {
        self.files.check()
    }

    /// The folder or file; `None`: it is a part of the program.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What the model is for: as its user told, or as its files do.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What `config.json` says.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Bytes of all weights as they are stored.
    pub fn weight_bytes(&self) -> u64 {
        self.weights.bytes()
    }

    /// How most of the weights are stored.
    ///
    /// # Errors
    /// If in no format that is read here.
    pub fn dtype(&self) -> Result<Dtype, Error> {
        Ok(self.weights.dtype()?)
    }

    /// Numbers in all tensors together.
    pub fn parameters(&self) -> u64 {
        self.weights.parameters()
    }

    /// Whether a reranker's output head is its embedding table.
    pub fn has_tied_head(&self) -> bool {
        self.config.tie_word_embeddings && !self.weights.contains("lm_head.weight")
    }

    /// How many tensors there are.
    pub fn tensors(&self) -> usize {
        self.weights.len()
    }

    /// A file that holds all of a model; `None`: it is one of a folder's.
    fn of_file(path: &Path, source: &Source) -> Result<Option<Self>, Error> {
        let file = || [path.to_owned()];
        let before = stamps(file());
        let checkpoint = if is_gguf(path) {
            Self::of_gguf(path)?
        } else if let Some(portable) = Portable::open(path)? {
            Self::of_portable(Some(path), portable)?
        } else {
            return Ok(None);
        };
        checkpoint.opened(source, || stamps(file()) == before).map(Some)
    }

    fn of_gguf(path: &Path) -> Result<Self, Error> {
        let (gguf, weights) = Gguf::open(path)?;
        let config = gguf.file(CONFIG).unwrap_or_default();
        let config = Config::from_json(config, path).map_err(|error| match error {
            // The keys are those of a config.json that the file doesn't have.
            qwen3::Error::Unsupported { key, value } => {
                let path = path.to_owned();
                qwen3::Error::Gguf(qwen3_gguf::Error::Unsupported { path, key, value })
            }
            error => error,
        })?;
        Self::new(Some(path), config, weights, Some(Inside::Gguf(gguf)))
    }

    fn of_folder(path: &Path) -> Result<Self, Error> {
        refuse_adapter(path)?;
        let config = Config::from_file(&path.join(CONFIG))?;
        let weights = Weights::from_folder(path).map_err(|error| {
            if !matches!(error, qwen3::Error::NoWeights { .. }) {
                return error.into();
            }
            let other = || other_weights(path).map(|file| Error::OtherWeights { file });
            gguf_instead(path).or_else(other).unwrap_or_else(|| error.into())
        })?;
        Self::new(Some(path), config, weights, None)
    }

    fn of_portable(path: Option<&Path>, portable: Portable) -> Result<Self, Error> {
        let weights = Weights::from_file(&portable.file)?;
        let config = portable.file(CONFIG).ok_or_else(|| missing(path, CONFIG))?;
        let config = Config::from_json(config, &inside(place(path), CONFIG))?;
        Self::new(path, config, weights, Some(Inside::Portable(Box::new(portable))))
    }

    fn new(
        path: Option<&Path>,
        config: Config,
        weights: Weights,
        inside: Option<Inside>,
    ) -> Result<Self, Error> {
        let (modules, kind) = (Modules::default(), Kind::Embedding);
        let files = ModelFiles::new(path, kind, [])?;
        let path = path.map(Path::to_owned);
        Ok(Self { model: String::new(), path, config, weights, kind, files, modules, inside })
    }

    /// What a portable file says about itself; `None`: it is none.
    pub fn provenance(&self) -> Option<&Provenance> {
        match &self.inside {
            Some(Inside::Portable(portable)) => Some(&portable.provenance),
            _ => None,
        }
    }

    /// What the one file says that the model is for.
    fn stated_kind(&self) -> Option<Kind> {
        match self.inside.as_ref()? {
            Inside::Portable(portable) => Some(portable.provenance.kind),
            Inside::Gguf(gguf) => gguf.kind,
        }
    }

    /// The tokenizer of a reranker, and the ids of its "yes" and "no": the
    /// model's files name them, or the words themselves do. A score without a
    /// "no" is the logit of "yes".
    pub(crate) fn rerank_tokenizer(
        &self,
        special_tokens: SpecialTokens,
    ) -> Result<(RerankTokenizer, u32, Option<u32>), Error> {
        let name = "tokenizer.json";
        let (json, path) = (self.needed(name)?, self.path_of(name));
        let tokenizer = RerankTokenizer::from_json(&json, &path, special_tokens)?;
        let tokenizer = tokenizer.within(self.config.vocab_size)?;
        let by_word = (tokenizer.yes_token_id(), Some(tokenizer.no_token_id()));
        let (yes, no) = match self.modules.logit_score() {
            // These rows are those that the modules named when they were kept.
            Some(config) if !self.weights.contains(YES_NO) => {
                let score = modules::logit_score(&self.needed(config)?, &self.path_of(config))?;
                (score.true_token_id, score.false_token_id)
            }
            _ => by_word,
        };
        Ok((tokenizer, yes, no))
    }

    /// Whether the model lists its modules, and `Normalize` is none of them.
    pub(crate) fn leaves_length(&self) -> Result<bool, Error> {
        Ok(self.file(MODULES)?.is_some() && self.modules.normalize().next().is_none())
    }

    /// The model's modules, and whether they are listed.
    fn modules(&self) -> Result<(Modules, bool), Error> {
        let path = self.path_of(MODULES);
        Ok(match self.file(MODULES)? {
            Some(list) => (Modules::from_json(&list, &path)?, true),
            None if self.file(POOLING)?.is_some() => (Modules::pooled(), false),
            None => (Modules::default(), false),
        })
    }

    /// Refuses modules and settings that this engine does not compute.
    fn check_modules(&self) -> Result<(), Error> {
        self.modules.check(self.kind, &self.path_of(MODULES))?;
        if let Some(config) = self.modules.pooling() {
            modules::check_pooling(&self.needed(config)?, &self.path_of(config))?;
        }
        for config in self.modules.normalize() {
            if let Some(json) = self.file(config)? {
                modules::check_normalize(&json, &self.path_of(config))?;
            }
        }
        let settings = self.sentence_bert()?;
        match settings.do_lower_case {
            true => Err(refused(&self.path_of(SENTENCE_BERT), "`do_lower_case`".to_owned())),
            false => Ok(()),
        }
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint")
            .field("path", &self.path)
            .field("kind", &self.kind)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
