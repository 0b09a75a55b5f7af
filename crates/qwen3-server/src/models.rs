//! Loads models: their half on the host once, their network on each device.

use crate::inference::{About, Model};
use crate::metrics::{Metrics, ModelMetrics};
use crate::scheduler::{
    Load, Loaded, Phase, Precision, ReplicaError, Scheduler, SchedulerSettings,
};
use qwen3_engine::{
    CancelToken, Checkpoint, DeviceChoice, Dtype, DtypeChoice, EmbedderHost, Error as EngineError,
    Hooks, ModelFiles, Options, RerankerHost, Rows, Session, Source,
};
use std::sync::{Arc, Mutex, PoisonError};

/// A model to serve.
#[derive(Clone, Debug)]
pub struct ModelToServe {
    /// Where it is.
    pub source: Source,
    /// What clients see as its name; `None`: what it is loaded from.
    pub name: Option<String>,
    /// How it is loaded; `device` is not used, and `hooks` only while it is opened.
    pub options: Options,
    /// A replica on each of these.
    pub devices: Vec<DeviceChoice>,
}

/// Loads an embedding model. Blocks.
///
/// # Errors
/// If it can't be found, is none, or a device can't run it.
pub fn load_embedder(
    served: &ModelToServe,
    settings: SchedulerSettings,
    metrics: &Metrics,
) -> Result<Arc<Model<EmbedderHost>>, ReplicaError> {
    let checkpoint = served.open()?;
    let host = EmbedderHost::from_checkpoint(&checkpoint, &served.options)?;
    note_tokens(served, host.tokens_without_row());
    let opened = Opened { files: host.files().clone(), checkpoint: Arc::clone(&checkpoint) };
    let scheduler = start(served, &opened, settings, metrics.model("embedding"))?;
    model(served, host, (scheduler, &checkpoint))
}

/// Loads a reranker. Blocks.
///
/// # Errors
/// As [`load_embedder`].
pub fn load_reranker(
    served: &ModelToServe,
    settings: SchedulerSettings,
    metrics: &Metrics,
) -> Result<Arc<Model<RerankerHost>>, ReplicaError> {
    let checkpoint = served.open()?;
    let host = RerankerHost::from_checkpoint(&checkpoint, &served.options)?;
    note_tokens(served, host.tokens_without_row());
    let opened = Opened { files: host.files().clone(), checkpoint: Arc::clone(&checkpoint) };
    let scheduler = start(served, &opened, settings, metrics.model("reranker"))?;
    model(served, host, (scheduler, &checkpoint))
}

impl ModelToServe {
    fn open(&self) -> Result<Arc<Checkpoint>, EngineError> {
        Ok(Arc::new(Checkpoint::open(&self.source, &self.options.hooks)?))
    }
}

/// A model that is opened once for all of its replicas, and its files, to be opened
/// again when a replica starts again.
struct Opened {
    checkpoint: Arc<Checkpoint>,
    files: ModelFiles,
}

/// Tells of added tokens that the model can't know.
fn note_tokens(served: &ModelToServe, without_row: &[String]) {
    if !without_row.is_empty() {
        let (model, tokens) = (&served.source, without_row.len());
        tracing::warn!(%model, tokens, "added tokens without an embedding are read as text");
    }
}

/// Loads a replica on each device.
fn start(
    served: &ModelToServe,
    opened: &Opened,
    settings: SchedulerSettings,
    metrics: ModelMetrics,
) -> Result<Scheduler, ReplicaError> {
    let loader = |device: &DeviceChoice| loader(opened, &served.options, *device);
    Scheduler::start(served.devices.iter().map(loader).collect(), settings, metrics)
}

fn model<T>(
    served: &ModelToServe,
    host: T,
    (scheduler, checkpoint): (Scheduler, &Checkpoint),
) -> Result<Arc<Model<T>>, ReplicaError> {
    let names = scheduler.snapshot().replicas.into_iter().filter_map(|phase| match phase {
        Phase::Ready(name) => Some(name),
        _ => None,
    });
    let max_batch_texts = scheduler.settings().max_batch_texts;
    let about = About {
        model_id: served.source.to_string(),
        revision: served.source.revision.clone(),
        is_gguf: checkpoint.is_gguf(),
        stored_dtype: checkpoint.dtype()?,
        dtype: names.collect::<Vec<_>>().join(", "),
        max_batch_tokens: scheduler.max_batch_tokens(),
        max_batch_requests: (max_batch_texts < usize::MAX).then_some(max_batch_texts),
    };
    let name = served.name.clone().unwrap_or_else(|| served.source.to_string());
    Ok(Arc::new(Model { name, about, host: Arc::new(host), scheduler }))
}

/// Loads the network on a device, whenever it is called: always that of the same
/// files, so that it belongs to the tokens, and to the vectors that are cached.
fn loader(opened: &Opened, options: &Options, device: DeviceChoice) -> Load {
    let (files, options) = (opened.files.clone(), options.clone());
    let first = Mutex::new(Some(opened.checkpoint.clone()));
    let chosen = Mutex::new(None::<Dtype>);
    Box::new(move |precision, cancel| {
        let hooks = Hooks::default().cancel(cancel.clone());
        let mut options = options.clone().device(device).hooks(hooks);
        let mut chosen = chosen.lock().unwrap_or_else(PoisonError::into_inner);
        if precision == Precision::Float32 {
            if *chosen == Some(Dtype::F32) {
                return Ok(None);
            }
            options.dtype = DtypeChoice::Named(Dtype::F32);
        }
        let first = first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let session = match first {
            Some(checkpoint) => Session::from_checkpoint(&checkpoint, &options)?,
            None => Session::load_from(&files, &options)?,
        };
        for passed_over in session.fallbacks() {
            tracing::warn!("not on {passed_over}");
        }
        if precision == Precision::Chosen {
            *chosen = Some(session.dtype());
        }
        Ok(Some(Box::new(session) as Box<dyn Loaded>))
    })
}

impl Loaded for Session {
    fn rows(
        &self,
        batch: &[&[u32]],
        rows: Rows,
        cancel: &CancelToken,
    ) -> Result<Vec<Vec<f32>>, EngineError> {
        Session::rows(self, batch, rows, &Hooks::default().cancel(cancel.clone()))
    }

    fn max_batch_tokens(&self) -> usize {
        Session::max_batch_tokens(self)
    }

    fn max_tokens(&self) -> usize {
        Session::max_tokens(self)
    }

    fn name(&self) -> String {
        format!("{} {}", self.device(), self.dtype())
    }
}
