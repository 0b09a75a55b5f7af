//! What every route sees: the models, and how requests are treated.

use crate::error::Error;
use crate::inference::{Inference, Model};
use crate::metrics::Metrics;
use crate::scheduler::Scheduler;
use crate::settings::Settings;
use qwen3_engine::{EmbedderHost, RerankerHost};
use std::sync::Arc;
use std::time::Instant;

/// What all routes of a server share.
#[derive(Clone)]
pub struct App {
    /// How requests are computed.
    pub(crate) inference: Inference,
    /// What they are computed with.
    pub(crate) models: Models,
    /// When the server started.
    pub(crate) started: Instant,
    /// The same as seconds since 1970, for clients.
    pub(crate) created: u64,
}

/// As routes share it.
pub type SharedApp = Arc<App>;

/// The models of a server: one for embeddings, one for reranking, or both.
#[derive(Clone)]
pub enum Models {
    /// Texts become vectors, and nothing is ranked.
    Embedder(Arc<Model<EmbedderHost>>),
    /// Documents are ranked, and there are no vectors.
    Reranker(Arc<Model<RerankerHost>>),
    /// A model for each.
    Both(Arc<Model<EmbedderHost>>, Arc<Model<RerankerHost>>),
}

impl Models {
    /// The embedding model, if there is one.
    pub fn embedder(&self) -> Option<&Arc<Model<EmbedderHost>>> {
        match self {
            Self::Embedder(model) | Self::Both(model, _) => Some(model),
            Self::Reranker(_) => None,
        }
    }

    /// The reranker, if there is one.
    pub fn reranker(&self) -> Option<&Arc<Model<RerankerHost>>> {
        match self {
            Self::Reranker(model) | Self::Both(_, model) => Some(model),
            Self::Embedder(_) => None,
        }
    }
}

impl App {
    /// A server that starts now.
    pub fn new(settings: Settings, metrics: Metrics, models: Models) -> Self {
        let inference = Inference::new(settings, metrics);
        Self { inference, models, started: Instant::now(), created: unix_seconds() }
    }

    /// Each model as a server of its own, and the prefix that its routes have beside
    /// those of all: for clients that ask a server what its one model is.
    pub(crate) fn alone(&self) -> Vec<(&'static str, Self)> {
        let with = |models| Self { models, ..self.clone() };
        let embedder = self.models.embedder().cloned().map(Models::Embedder);
        let reranker = self.models.reranker().cloned().map(Models::Reranker);
        let embedder = embedder.map(|models| ("/embedder", with(models)));
        embedder.into_iter().chain(reranker.map(|models| ("/reranker", with(models)))).collect()
    }

    /// The embedding model, or that there is none.
    pub(crate) fn embedder(&self) -> Result<&Model<EmbedderHost>, Error> {
        let message = "model is not an embedding model; start the server with one in `--model`";
        self.models.embedder().map(Arc::as_ref).ok_or(Error::WrongModel { message })
    }

    /// The reranker, or that there is none.
    pub(crate) fn reranker(&self) -> Result<&Model<RerankerHost>, Error> {
        let message = "model is not a re-ranker model; start the server with one in `--reranker`";
        self.models.reranker().map(Arc::as_ref).ok_or(Error::WrongModel { message })
    }

    /// The names of the models.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let embedder = self.models.embedder().map(|model| model.name.as_str());
        embedder.into_iter().chain(self.models.reranker().map(|model| model.name.as_str()))
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.inference.metrics
    }

    /// What shares the models between requests.
    pub fn schedulers(&self) -> impl Iterator<Item = &Scheduler> {
        let embedder = self.models.embedder().map(|model| &model.scheduler);
        embedder.into_iter().chain(self.models.reranker().map(|model| &model.scheduler))
    }

    /// Whether every model has a replica that works, and if not, why.
    pub(crate) fn health(&self) -> Result<(), Error> {
        self.schedulers().try_for_each(Scheduler::health)?;
        Ok(())
    }
}

/// Seconds from 1970 to now.
pub(crate) fn unix_seconds() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs()
}
