//! From the flags of `qwen3 serve` to what the server and the engine want to be told.

use super::access::keys;
use super::args::{LimitsArgs, ListenArgs, ModelsArgs, ServeArgs};
use crate::error::Error;
use qwen3_engine::{Kind, Options, Prompt, Source};
use qwen3_server::{
    Address, ModelToServe, QueueLimits, SchedulerSettings, ServeOptions, Settings, Timeouts, Tls,
};

/// Connections at the same time, where the system allows so many.
const MAX_CONNECTIONS: usize = 10_000;

/// A model and how it is loaded; `wanted` says which of the two it is.
pub fn model_to_serve(args: &ServeArgs, model: &str, wanted: Kind) -> ModelToServe {
    let (models, devices) = (&args.models, &args.devices);
    let (name, revision, on) = match wanted {
        Kind::Embedding => (&models.served_model_name, &models.revision, &devices.device),
        _ => (
            &models.served_reranker_name,
            &models.reranker_revision,
            match devices.reranker_device.is_empty() {
                true => &devices.device,
                false => &devices.reranker_device,
            },
        ),
    };
    let mut tokens = models.hf_token.iter().chain(&models.hf_api_token);
    let token = tokens.find(|token| !token.is_empty());
    let mut source = Source::new(model);
    source.revision.clone_from(revision);
    source.cache_folder.clone_from(&models.cache_folder);
    source.token = token.cloned().map(Into::into);
    let options = Options::default()
        .dtype(devices.dtype)
        .threads(devices.threads)
        .max_batch_tokens(args.limits.max_batch_tokens)
        .max_tokens(args.limits.max_tokens)
        .special_tokens(models.special_tokens);
    ModelToServe { source, name: name.clone(), options, devices: on.clone() }
}

pub fn scheduling(args: &ServeArgs) -> SchedulerSettings {
    let LimitsArgs { max_queue_texts, max_queue_tokens, max_batch_requests, .. } = args.limits;
    SchedulerSettings {
        queue: QueueLimits { texts: max_queue_texts.get(), tokens: max_queue_tokens.get() },
        max_batch_texts: max_batch_requests.map_or(usize::MAX, usize::from),
        cache_bytes: args.limits.cache_bytes,
        idle_unload: args.devices.idle_unload,
        warm_up: !args.devices.no_warmup,
    }
}

pub fn settings(args: &ServeArgs) -> Result<Settings, Error> {
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
        api_keys: keys(&args.access)?,
        protect_monitoring: args.access.protect_monitoring,
        cors_allow_origins: args.access.cors_allow_origin.clone(),
        ..Settings::default()
    })
}

pub fn serve_options(args: &ServeArgs) -> Result<ServeOptions, Error> {
    let (files, wanted) = (open_files(), args.listen.max_connections.map(usize::from));
    Ok(ServeOptions {
        tls: tls(&args.listen)?,
        shutdown_timeout: args.operation.shutdown_timeout,
        // With files left over for all else.
        max_connections: wanted.unwrap_or((files / 4 * 3).clamp(1, MAX_CONNECTIONS)),
        timeouts: Timeouts { keep_alive: args.listen.keep_alive, ..Timeouts::default() },
        ..ServeOptions::default()
    })
}

/// How many files this process may have open, after asking the system for more.
fn open_files() -> usize {
    let wanted = 2 * MAX_CONNECTIONS;
    let files = rlimit::increase_nofile_limit(wanted as u64);
    files.ok().and_then(|files| usize::try_from(files).ok()).unwrap_or(wanted)
}

fn tls(args: &ListenArgs) -> Result<Option<Tls>, Error> {
    let files = args.tls_cert.as_deref().zip(args.tls_key.as_deref());
    Ok(files.map(|(certificate, key)| Tls::from_pem(certificate, key)).transpose()?)
}

pub fn address(args: &ListenArgs) -> Address {
    #[cfg(unix)]
    if let Some(path) = &args.uds_path {
        return Address::Unix { path: path.clone(), mode: args.uds_mode };
    }
    Address::Tcp(args.hostname.clone(), args.port)
}
