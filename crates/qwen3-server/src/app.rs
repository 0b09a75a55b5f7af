//! What every route sees: the models, and how requests are treated.

use crate::error::Error;
use crate::inference::{Inference, Model, Reading};
use crate::metrics::Metrics;
use crate::scheduler::Scheduler;
use qwen3_engine::{EmbedderText, Limit, Prompt, RerankerText, Truncate};
use std::sync::Arc;
use std::time::Instant;

/// A server's models: one for embeddings, one for reranking, or both.
#[derive(Clone)]
pub struct App {
    /// How requests are computed.
    pub inference: Inference,
    /// The embedding model.
    pub embedder: Option<Arc<Model<EmbedderText>>>,
    /// The reranker.
    pub reranker: Option<Arc<Model<RerankerText>>>,
    /// When the server started.
    pub started: Instant,
    /// The same as seconds since 1970, for clients.
    pub created: u64,
}

/// As routes share it.
pub type SharedApp = Arc<App>;

/// How a request wants long texts treated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cut {
    /// Whether to cut at all; `None`: as the server is set.
    pub truncate: Option<bool>,
    /// Whether the start is dropped instead of the end.
    pub left: bool,
    /// Fewer tokens than the model takes.
    pub max_tokens: Option<usize>,
}

impl App {
    /// A server that starts now.
    pub fn new(
        inference: Inference,
        embedder: Option<Model<EmbedderText>>,
        reranker: Option<Model<RerankerText>>,
    ) -> Self {
        let since_1970 = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let (started, created) = (Instant::now(), since_1970.as_secs());
        let (embedder, reranker) = (embedder.map(Arc::new), reranker.map(Arc::new));
        Self { inference, embedder, reranker, started, created }
    }

    /// Each model as a server of its own, and the prefix that its routes have beside
    /// those of all: for clients that ask a server what its one model is.
    pub fn alone(&self) -> Vec<(&'static str, Self)> {
        let embedder = Self { reranker: None, ..self.clone() };
        let reranker = Self { embedder: None, ..self.clone() };
        let mut alone = vec![("/embedder", embedder), ("/reranker", reranker)];
        alone.retain(|(_, app)| app.names().next().is_some());
        alone
    }

    /// The embedding model.
    ///
    /// # Errors
    /// If there is none.
    pub fn embedder(&self) -> Result<&Model<EmbedderText>, Error> {
        let message = "model is not an embedding model; start the server with one in `--model`";
        self.embedder.as_deref().ok_or(Error::WrongModel { message })
    }

    /// The reranker.
    ///
    /// # Errors
    /// If there is none.
    pub fn reranker(&self) -> Result<&Model<RerankerText>, Error> {
        let message = "model is not a re-ranker model; start the server with one in `--reranker`";
        self.reranker.as_deref().ok_or(Error::WrongModel { message })
    }

    /// The names of the models.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let embedder = self.embedder.iter().map(|model| model.name.as_str());
        embedder.chain(self.reranker.iter().map(|model| model.name.as_str()))
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.inference.metrics
    }

    /// What shares the models between requests.
    pub fn schedulers(&self) -> impl Iterator<Item = &Scheduler> {
        let embedder = self.embedder.iter().map(|model| &model.scheduler);
        embedder.chain(self.reranker.iter().map(|model| &model.scheduler))
    }

    /// Whether every model has a replica that works.
    ///
    /// # Errors
    /// Why not.
    pub fn health(&self) -> Result<(), Error> {
        self.schedulers().try_for_each(Scheduler::health)?;
        Ok(())
    }

    /// A model's limit for one request.
    pub fn limit(&self, of_model: Limit, cut: Cut) -> Limit {
        let max_tokens = cut.max_tokens.unwrap_or(usize::MAX).min(of_model.max_tokens);
        let truncate = match cut.truncate.unwrap_or(self.inference.settings.auto_truncate) {
            true if cut.left => Truncate::Left,
            true => Truncate::Right,
            false => Truncate::Error,
        };
        Limit { max_tokens, truncate }
    }

    /// How the embedding model reads the texts of one request.
    ///
    /// # Errors
    /// If a prompt is asked for in two ways, or there is no embedding model.
    pub fn reading(
        &self,
        prompt_name: Option<String>,
        instruction: Option<String>,
        cut: Cut,
    ) -> Result<Reading, Error> {
        let prompt = match (prompt_name, instruction) {
            (None, None) => self.inference.settings.default_prompt.clone(),
            (Some(name), None) => Prompt::Name(name),
            (None, Some(task)) => Prompt::Instruction(task),
            (Some(_), Some(_)) => {
                let reason = "and `prompt_name` exclude each other; send one".to_owned();
                return Err(Error::Invalid { field: "instruction", reason });
            }
        };
        Ok(Reading { prompt, limit: self.limit(self.embedder()?.text.limit(), cut) })
    }
}
