//! Loads models: their half on the host once, their network on each device.

use crate::inference::{About, Model};
use crate::metrics::{Metrics, ModelMetrics};
use crate::scheduler::{
    Load, Loaded, Phase, Precision, ReplicaError, Scheduler, SchedulerSettings,
};
use qwen3_engine::{
    CancelToken, DeviceChoice, Dtype, DtypeChoice, EmbedderText, Error as EngineError, Hooks,
    ModelFiles, Network, Options, RerankerText, Rows,
};
use std::sync::{Arc, Mutex, PoisonError};

/// A model to serve.
#[derive(Clone, Debug)]
pub struct Source {
    /// Hub id, folder, or converted file.
    pub model: String,
    /// What clients see as its name; `None`: what it is loaded from.
    pub name: Option<String>,
    /// How it is loaded; `device` and `hooks` are not used.
    pub options: Options,
    /// A replica on each of these.
    pub devices: Vec<DeviceChoice>,
}

/// Loads an embedding model. Blocks.
///
/// # Errors
/// If it can't be found, is none, or a device can't run it.
pub fn load_embedder(
    source: &Source,
    settings: SchedulerSettings,
    metrics: &Metrics,
) -> Result<Arc<Model<EmbedderText>>, ReplicaError> {
    let text = EmbedderText::load(&source.model, &source.options)?;
    note_tokens(source, text.tokens_without_row());
    let scheduler = start(source, text.files(), settings, metrics.model("embedding"))?;
    Ok(model(source, text, scheduler))
}

/// Loads a reranker. Blocks.
///
/// # Errors
/// As [`load_embedder`].
pub fn load_reranker(
    source: &Source,
    settings: SchedulerSettings,
    metrics: &Metrics,
) -> Result<Arc<Model<RerankerText>>, ReplicaError> {
    let text = RerankerText::load(&source.model, &source.options)?;
    note_tokens(source, text.tokens_without_row());
    let scheduler = start(source, text.files(), settings, metrics.model("reranker"))?;
    Ok(model(source, text, scheduler))
}

/// Tells of added tokens that the model can't know.
fn note_tokens(source: &Source, without_row: &[String]) {
    if !without_row.is_empty() {
        let (model, tokens) = (&source.model, without_row.len());
        tracing::warn!(model, tokens, "added tokens without an embedding are read as text");
    }
}

/// Loads a replica on each device.
fn start(
    source: &Source,
    files: &ModelFiles,
    settings: SchedulerSettings,
    metrics: ModelMetrics,
) -> Result<Scheduler, ReplicaError> {
    let loader = |device: &DeviceChoice| loader(files, &source.options, *device);
    Scheduler::start(source.devices.iter().map(loader).collect(), settings, metrics)
}

fn model<T>(source: &Source, text: T, scheduler: Scheduler) -> Arc<Model<T>> {
    let names = scheduler.snapshot().replicas.into_iter().filter_map(|phase| match phase {
        Phase::Ready(name) => Some(name),
        _ => None,
    });
    let max_batch_texts = scheduler.settings().max_batch_texts;
    let about = About {
        model_id: source.model.clone(),
        revision: source.options.revision.clone(),
        dtype: names.collect::<Vec<_>>().join(", "),
        max_batch_tokens: scheduler.max_batch_tokens(),
        max_batch_requests: (max_batch_texts < usize::MAX).then_some(max_batch_texts),
    };
    let name = source.name.clone().unwrap_or_else(|| source.model.clone());
    Arc::new(Model { name, about, text: Arc::new(text), scheduler })
}

/// Loads the network on a device, whenever it is called: always that of the same
/// files, so that it belongs to the tokens, and to the vectors that are cached.
fn loader(files: &ModelFiles, options: &Options, device: DeviceChoice) -> Load {
    let (files, options) = (files.clone(), options.clone());
    let chosen = Mutex::new(None::<Dtype>);
    Box::new(move |precision, cancel| {
        let hooks = Hooks { on_progress: None, cancel: cancel.clone() };
        let mut options = Options { device, hooks, ..options.clone() };
        let mut chosen = chosen.lock().unwrap_or_else(PoisonError::into_inner);
        if precision == Precision::Float32 {
            if *chosen == Some(Dtype::F32) {
                return Ok(None);
            }
            options.dtype = DtypeChoice::F32;
        }
        let network = Network::load_from(&files, &options)?;
        for passed_over in network.fallbacks() {
            tracing::warn!("not on {passed_over}");
        }
        if precision == Precision::Chosen {
            *chosen = Some(network.dtype());
        }
        Ok(Some(Box::new(network) as Box<dyn Loaded>))
    })
}

impl Loaded for Network {
    fn rows(
        &self,
        batch: &[&[u32]],
        rows: Rows,
        cancel: &CancelToken,
    ) -> Result<Vec<Vec<f32>>, EngineError> {
        Network::rows(self, batch, rows, &Hooks { on_progress: None, cancel: cancel.clone() })
    }

    fn max_batch_tokens(&self) -> usize {
        Network::max_batch_tokens(self)
    }

    fn max_tokens(&self) -> usize {
        Network::max_tokens(self)
    }

    fn name(&self) -> String {
        format!("{} {}", self.device(), DtypeChoice::from(self.dtype()))
    }
}
