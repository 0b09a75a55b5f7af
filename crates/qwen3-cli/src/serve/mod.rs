//! `qwen3 serve`

pub mod access;
mod api_key;
pub mod args;
mod settings;
mod spans;
mod values;

use crate::embed::DEFAULT_MODEL;
use crate::error::{Error, way_without_network};
use crate::stop::Signals;
use access::warn_if_open;
use args::ServeArgs;
use qwen3_engine::Kind;
use qwen3_server::{
    Address, App, Bound, Metrics, ModelToServe, Models, ReplicaError, ServeOptions, Settings,
    load_embedder, load_reranker, metrics_router, router,
};
use settings::{address, model_to_serve, scheduling, serve_options, settings};
use spans::Spans;
use std::io::IsTerminal;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

const EMBEDDING_MODEL: &str = "embedding model";

pub fn serve(args: ServeArgs) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Error::Runtime)?;
    let spans = {
        let _inside = runtime.enter();
        Spans::new(&args.operation)?
    };
    start_log(&args, &spans)?;
    let result = runtime.block_on(run(args, &spans));
    spans.stop();
    // What is still computed for nobody doesn't keep the process.
    runtime.shutdown_background();
    result
}

async fn run(args: ServeArgs, spans: &Spans) -> Result<(), Error> {
    // A model may load for minutes: who wants to stop it doesn't wait so long.
    let mut stop = std::pin::pin!(told_to_stop(Signals::new().map_err(Error::Signal)?));
    // First, so that a wrong file or a port in use doesn't cost a minute.
    let settings = settings(&args)?;
    let options = serve_options(&args)?;
    let address = address(&args.listen);
    let bound = Bound::new(&address).await?;
    let metrics = match args.listen.prometheus_port {
        Some(port) => Some(Bound::new(&Address::Tcp(args.listen.hostname.clone(), port)).await?),
        None => None,
    };
    let has_keys = !settings.api_keys.is_empty();
    warn_if_open(&args.access, &address.to_string(), has_keys);

    let loading = tokio::task::spawn_blocking(move || load(&args, settings));
    let loaded = tokio::select! {
        biased;
        () = &mut stop => return Ok(()),
        loaded = loading => loaded,
    };
    let app = Arc::new(loaded.unwrap_or_else(|bug| std::panic::resume_unwind(bug.into_panic()))?);
    for name in app.names() {
        tracing::info!(model = name, "serving");
    }
    answer(&app, spans, Listening { bound, metrics, options, has_keys }, stop).await?;
    for scheduler in app.schedulers() {
        scheduler.stop();
    }
    Ok(())
}

/// Where the server will listen, and how.
struct Listening {
    bound: Bound,
    /// For /metrics alone.
    metrics: Option<Bound>,
    options: ServeOptions,
    has_keys: bool,
}

/// Answers until `stop`. Not before the models are there: nobody waits for an answer, or
/// takes this for ready.
async fn answer(
    app: &Arc<App>,
    spans: &Spans,
    Listening { bound, metrics, options, has_keys }: Listening,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let listener = bound.listen()?;
    let options = ServeOptions { metrics: app.metrics().clone(), ..options };
    let url = listener.url(options.tls.is_some());
    tracing::info!(address = listener.address(), url, has_keys, "listening");
    if let Some(listener) = metrics.map(Bound::listen).transpose()? {
        tracing::info!(address = listener.address(), "listening for /metrics");
        let (routes, never) = (metrics_router(app), std::future::pending());
        tokio::spawn(qwen3_server::serve(listener, routes, options.clone(), never));
    }
    let routes = spans.of_requests(router(app.clone()));
    match qwen3_server::serve(listener, routes, options, stop).await {
        true => tracing::info!("stopped"),
        false => tracing::warn!("stopped; requests that took too long were broken off"),
    }
    Ok(())
}

fn start_log(args: &ServeArgs, spans: &Spans) -> Result<(), Error> {
    let filter = EnvFilter::new(&args.operation.log_level);
    // Older consoles of Windows have to be asked for them.
    let has_colours = anstyle_query::windows::enable_ansi_colors() != Some(false);
    let log = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal() && has_colours)
        .with_writer(std::io::stderr);
    let log = match args.operation.json_output {
        true => log.json().flatten_event(true).boxed(),
        false => log.boxed(),
    };
    let log = log.with_filter(filter.and(filter_fn(|of| of.is_event())));
    tracing_subscriber::registry().with(log).with(spans.layer()).init();
    Ok(())
}

fn load(args: &ServeArgs, settings: Settings) -> Result<App, Error> {
    let metrics = Metrics::new();
    let scheduling = scheduling(args);
    let embedder = |model: &str| {
        let served = model_to_serve(args, model, Kind::Embedding);
        let loaded = load_embedder(&served, scheduling, &metrics);
        let loaded = loaded.map_err(|error| failed(EMBEDDING_MODEL, &served, &error))?;
        let prompt = loaded.host.prompt(&settings.default_prompt);
        prompt.map_err(|reason| Error::DefaultPrompt { reason })?;
        Ok::<_, Error>(loaded)
    };
    let reranker = |model: &str| {
        let served = model_to_serve(args, model, Kind::Reranker);
        let loaded = load_reranker(&served, scheduling, &metrics);
        loaded.map_err(|error| failed("reranker", &served, &error))
    };
    let models = match (&args.models.model, &args.models.reranker) {
        (None, None) => Models::Embedder(embedder(DEFAULT_MODEL)?),
        (Some(model), None) => Models::Embedder(embedder(model)?),
        (None, Some(model)) => Models::Reranker(reranker(model)?),
        (Some(model), Some(other)) => Models::Both(embedder(model)?, reranker(other)?),
    };
    Ok(App::new(settings, metrics, models))
}

fn failed(what: &'static str, served: &ModelToServe, error: &ReplicaError) -> Error {
    let way_out = match error {
        ReplicaError::Engine(qwen3_engine::Error::WrongKind { model, found, wanted }) => {
            let (model, reason) = (model.clone(), wrong_kind(*found, *wanted));
            return Error::Serve { what, model, reason };
        }
        ReplicaError::Engine(error) if what == EMBEDDING_MODEL => way_without_network(error),
        _ => None,
    };
    let reason = way_out.map_or(error.to_string(), |way_out| format!("{error}; {way_out}"));
    Error::Serve { what, model: served.source.to_string(), reason }
}

/// The server has no option for it, as it may have a model of each kind.
fn wrong_kind(found: Kind, wanted: Kind) -> String {
    format!(
        "it looks like {found}, not like {}; `--model` takes embedding models, `--reranker` rerankers; if it is one after all, write it with `qwen3 convert --kind {wanted}` and serve that file",
        wanted.in_words()
    )
}

/// Ready at the first signal; a Ctrl-C after it ends the process at once.
async fn told_to_stop(mut signals: Signals) {
    signals.first().await;
    tracing::info!("stopping: no new connections, requests are finished");
    tokio::spawn(async move {
        signals.second().await;
        std::process::exit(i32::from(crate::CANCELLED));
    });
}
