//! What a checkpoint is for, as its user or its files tell.

use super::Checkpoint;
use crate::choices::Kind;
use crate::error::Error;
use crate::files::folder::{kind_called, names};
use crate::files::mini::place;
use crate::files::modules::{Modules, refused};
use serde::Deserialize;

impl Checkpoint {
    /// `told` is what the model is if its user knows better.
    pub(super) fn decide_kind(&mut self, told: Option<Kind>) -> Result<(), Error> {
        let (modules, is_listed) = self.modules()?;
        let told = told.or(self.stated_kind());
        // Who says that it is something else knows better than its list.
        let is_other = |told: &Kind| modules.kind().is_some_and(|listed| listed != *told);
        let (modules, is_listed) = match told.as_ref().is_some_and(is_other) {
            true => (Modules::default(), false),
            false => (modules, is_listed),
        };
        self.modules = modules;
        self.kind = match told {
            Some(kind) => kind,
            None => self.detect()?,
        };
        if told.is_none() {
            self.warn_of_guess()?;
        }
        // A pooling that nobody lists says nothing about a reranker.
        if is_listed || self.kind == Kind::Embedding {
            self.check_modules()?;
        }
        Ok(())
    }

    /// config.json is the same for embedding models and rerankers, so: what the
    /// heads say, then sentence-transformers' files, then the folder's own name,
    /// wherever it lies, then how the tensors are named.
    fn detect(&self) -> Result<Kind, Error> {
        let (config, weights) = (&self.config, &self.weights);
        let is_cross_encoder = self.is_cross_encoder()?;
        let is_classifier = |name: &String| name.ends_with("ForSequenceClassification");
        if weights.contains("score.weight") || config.architectures.iter().any(is_classifier) {
            return Ok(Kind::SequenceClassification);
        }
        if is_cross_encoder {
            return Ok(Kind::Reranker);
        }
        if let Some(kind) = self.modules.kind() {
            return Ok(kind);
        }
        if weights.contains("lm_head.weight") {
            return Ok(Kind::Reranker);
        }
        Ok(match kind_called(names(place(self.path()))) {
            Some(kind) => kind,
            None if weights.has_model_prefix() => Kind::Reranker,
            None => Kind::Embedding,
        })
    }

    /// Tells what was found where nothing says what the model is for.
    fn warn_of_guess(&self) -> Result<(), Error> {
        let is_told = self.kind == Kind::SequenceClassification
            || self.is_cross_encoder()?
            || self.modules.kind().is_some()
            || kind_called(names(place(self.path()))) == Some(self.kind);
        let place = place(self.path()).display();
        match self.kind {
            _ if is_told => {}
            Kind::Embedding if self.is_gguf() => tracing::warn!(
                "`{place}` has no pooling type, and no name that says what it is for: it is taken for an embedding model; if it is none, say so with the option `kind`"
            ),
            Kind::Reranker => tracing::warn!(
                "`{place}` is a language model, and neither its files nor its name say what it is for: it is taken for a reranker. A chat model looks the same, and its scores mean nothing; if it is one, name a reranker instead, and if it is none, say `reranker` with the option `kind`"
            ),
            _ => {}
        }
        Ok(())
    }

    /// Whether sentence-transformers says so, as it does since its version 5.
    fn is_cross_encoder(&self) -> Result<bool, Error> {
        #[derive(Deserialize)]
        struct Typed {
            model_type: Option<String>,
        }
        let name = "config_sentence_transformers.json";
        let typed: Option<Typed> = self.side_file(name)?;
        match typed.and_then(|typed| typed.model_type).as_deref() {
            None | Some("SentenceTransformer") => Ok(false),
            Some("CrossEncoder") => Ok(true),
            Some(other) => {
                Err(refused(&self.path_of(name), format!("a model of the type `{other}`")))
            }
        }
    }
}
