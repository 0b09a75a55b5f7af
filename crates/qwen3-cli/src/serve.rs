//! `qwen3 serve`

use crate::access::{keys, warn_if_open};
use crate::embed::DEFAULT_MODEL;
use crate::error::Error;
use crate::serve_args::{LimitsArgs, ModelsArgs, NetworkArgs, ServeArgs};
use crate::spans::Spans;
use crate::stop::Signals;
use qwen3_engine::{DeviceChoice, Kind, Options, Prompt};
use qwen3_server::{
    Address, App, Bound, Metrics, Models, QueueLimits, ReplicaError, SchedulerSettings,
    ServeOptions, Settings, Source, Timeouts, Tls, load_embedder, load_reranker, metrics_router,
    router,
};
use std::io::IsTerminal;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Connections at the same time, where the system allows so many.
const MAX_CONNECTIONS: usize = 10_000;

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
    let bound = Bound::new(&address(&args.network)).await?;
    let metrics = match args.network.prometheus_port {
        Some(port) => Some(Bound::new(&Address::Tcp(args.network.hostname.clone(), port)).await?),
        None => None,
    };
    let has_keys = !settings.api_keys.is_empty();
    warn_if_open(&args.network, &address(&args.network).to_string(), has_keys);

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
    // Not before the models are there: nobody waits for an answer, or takes this for ready.
    let listener = bound.listen()?;
    let options = ServeOptions { metrics: app.metrics().clone(), ..options };
    let url = listener.url(options.tls.is_some());
    tracing::info!(address = listener.address(), url, has_keys, "listening");
    if let Some(listener) = metrics.map(Bound::listen).transpose()? {
        tracing::info!(address = listener.address(), "listening for /metrics");
        let (routes, never) = (metrics_router(&app), std::future::pending());
        tokio::spawn(qwen3_server::serve(listener, routes, options.clone(), never));
    }
    let routes = spans.of_requests(router(app.clone()));
    let finished = qwen3_server::serve(listener, routes, options, stop).await;
    match finished {
        true => tracing::info!("stopped"),
        false => tracing::warn!("stopped; requests that took too long were broken off"),
    }
    for scheduler in app.schedulers() {
        scheduler.stop();
    }
    Ok(())
}

fn start_log(args: &ServeArgs, spans: &Spans) -> Result<(), Error> {
    let filter = EnvFilter::new(&args.operation.log_level);
    let log = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
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
        let source = source(args, model.to_owned(), Kind::Embedding);
        let loaded = load_embedder(&source, scheduling, &metrics);
        let loaded = loaded.map_err(|error| failed("embedding model", &source, &error))?;
        let prompt = loaded.text.prompt(&settings.default_prompt);
        prompt.map_err(|reason| Error::DefaultPrompt { reason })?;
        Ok::<_, Error>(loaded)
    };
    let reranker = |model: &str| {
        let source = source(args, model.to_owned(), Kind::Reranker);
        let loaded = load_reranker(&source, scheduling, &metrics);
        loaded.map_err(|error| failed("reranker", &source, &error))
    };
    let models = match (&args.models.model, &args.models.reranker) {
        (None, None) => Models::Embedder(embedder(DEFAULT_MODEL)?),
        (Some(model), None) => Models::Embedder(embedder(model)?),
        (None, Some(model)) => Models::Reranker(reranker(model)?),
        (Some(model), Some(other)) => Models::Both(embedder(model)?, reranker(other)?),
    };
    Ok(App::new(settings, metrics, models))
}

fn failed(what: &'static str, source: &Source, error: &ReplicaError) -> Error {
    let way_out = match error {
        ReplicaError::Engine(qwen3_engine::Error::WrongKind { .. }) => {
            "; `--model` takes embedding models, `--reranker` rerankers"
        }
        _ => "",
    };
    Error::Serve { what, model: source.model.clone(), reason: format!("{error}{way_out}") }
}

/// Where a model comes from; `wanted` says which of the two it is.
fn source(args: &ServeArgs, model: String, wanted: Kind) -> Source {
    let ModelsArgs { revision, reranker_revision, .. } = &args.models;
    let ModelsArgs { served_model_name, served_reranker_name, .. } = &args.models;
    let ModelsArgs { hf_token, hf_api_token, .. } = &args.models;
    let mut tokens = hf_token.iter().chain(hf_api_token).filter(|token| !token.is_empty());
    let devices = &args.devices;
    let (revision, name, devices) = match wanted {
        Kind::Embedding => (revision, served_model_name, &devices.device),
        _ if devices.reranker_device.is_empty() => {
            (reranker_revision, served_reranker_name, &devices.device)
        }
        _ => (reranker_revision, served_reranker_name, &devices.reranker_device),
    };
    Source {
        model,
        name: name.clone(),
        options: Options {
            device: DeviceChoice::Auto,
            dtype: args.devices.dtype,
            threads: args.devices.threads,
            max_batch_tokens: args.limits.max_batch_tokens,
            max_tokens: args.limits.max_tokens,
            special_tokens: args.models.special_tokens,
            revision: revision.clone(),
            cache_folder: args.models.cache_folder.clone(),
            token: tokens.next().cloned().map(Into::into),
            ..Options::default()
        },
        devices: devices.clone(),
    }
}

fn scheduling(args: &ServeArgs) -> SchedulerSettings {
    let LimitsArgs { max_queue_texts, max_queue_tokens, max_batch_requests, .. } = args.limits;
    SchedulerSettings {
        queue: QueueLimits { texts: max_queue_texts.get(), tokens: max_queue_tokens.get() },
        max_batch_texts: max_batch_requests.map_or(usize::MAX, usize::from),
        cache_bytes: args.limits.cache_bytes,
        idle_unload: args.devices.idle_unload,
        warm_up: !args.devices.no_warmup,
    }
}

fn settings(args: &ServeArgs) -> Result<Settings, Error> {
    let ModelsArgs { default_prompt_name, default_prompt, .. } = &args.models;
    let default_prompt = match (default_prompt_name, default_prompt) {
        (Some(name), _) => Prompt::Name(name.clone()),
        (None, Some(text)) => Prompt::Text(text.clone()),
        (None, None) => Prompt::Default,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = args.devices.tokenization_workers.map(usize::from);
    Ok(Settings {
        max_client_batch_size: args.limits.max_client_batch_size.get(),
        max_concurrent_requests: args.limits.max_concurrent_requests.get(),
        payload_limit: args.limits.payload_limit,
        max_concurrent_bytes: args.limits.max_concurrent_bytes,
        answer_limit: args.limits.answer_limit,
        auto_truncate: args.limits.auto_truncate,
        default_prompt,
        tokenization_workers: workers.unwrap_or((cores - 1).clamp(1, 64)),
        request_timeout: args.limits.request_timeout,
        api_keys: keys(&args.network)?,
        protect_monitoring: args.network.protect_monitoring,
        cors_allow_origins: args.network.cors_allow_origin.clone(),
        ..Settings::default()
    })
}

fn serve_options(args: &ServeArgs) -> Result<ServeOptions, Error> {
    let (files, wanted) = (open_files(), args.network.max_connections.map(usize::from));
    Ok(ServeOptions {
        tls: tls(&args.network)?,
        shutdown_timeout: args.operation.shutdown_timeout,
        // With files left over for all else.
        max_connections: wanted.unwrap_or((files / 4 * 3).clamp(1, MAX_CONNECTIONS)),
        timeouts: Timeouts { keep_alive: args.network.keep_alive, ..Timeouts::default() },
        ..ServeOptions::default()
    })
}

/// How many files this process may have open, after asking the system for more.
fn open_files() -> usize {
    let wanted = 2 * MAX_CONNECTIONS;
    let files = rlimit::increase_nofile_limit(wanted as u64);
    files.ok().and_then(|files| usize::try_from(files).ok()).unwrap_or(wanted)
}

fn tls(args: &NetworkArgs) -> Result<Option<Tls>, Error> {
    let files = args.tls_cert.as_deref().zip(args.tls_key.as_deref());
    Ok(files.map(|(certificate, key)| Tls::from_pem(certificate, key)).transpose()?)
}

fn address(args: &NetworkArgs) -> Address {
    #[cfg(unix)]
    if let Some(path) = &args.uds_path {
        return Address::Unix { path: path.clone(), mode: args.uds_mode };
    }
    Address::Tcp(args.hostname.clone(), args.port)
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
