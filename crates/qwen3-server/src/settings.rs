//! What may be chosen about a server.

use crate::api_key::ApiKey;
use crate::cors::Origin;
use qwen3_engine::Prompt;
use std::time::Duration;

/// Everything about requests. `Settings::default()` suits one machine behind nothing.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Texts of one request.
    pub max_client_batch_size: usize,
    /// Requests for inference at the same time; beyond: 429.
    pub max_concurrent_requests: usize,
    /// Bytes of a request's body; beyond: 413.
    pub payload_limit: usize,
    /// Bytes of all bodies at the same time; beyond: 429. One body always has room.
    pub max_concurrent_bytes: usize,
    /// Bytes of an answer before it is JSON, 4 for each number; beyond: 422.
    pub answer_limit: usize,
    /// Whether longer texts are cut where a request doesn't say.
    pub auto_truncate: bool,
    /// The prompt of texts whose request names none.
    pub default_prompt: Prompt,
    /// Threads for texts to tokens.
    pub tokenization_workers: usize,
    /// How long a request may take from its head to its answer; `None`: as long as it takes.
    pub request_timeout: Option<Duration>,
    /// How long a client may take to send a body.
    pub body_timeout: Duration,
    /// Keys of which clients must send one; none: everybody may.
    pub api_keys: Vec<ApiKey>,
    /// Whether `/metrics` and `/health` want a key too.
    pub protect_monitoring: bool,
    /// Origins of web pages that may send requests; none: every one.
    pub cors_allow_origins: Vec<Origin>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            // What OpenAI's API takes, so that its clients needn't split.
            max_client_batch_size: 2048,
            max_concurrent_requests: 512,
            // 300,000 tokens as OpenAI's API takes them, in any script and written as `\u` escapes.
            payload_limit: 8_000_000,
            max_concurrent_bytes: 256 << 20,
            answer_limit: 64 << 20,
            auto_truncate: true,
            default_prompt: Prompt::Default,
            tokenization_workers: 1,
            request_timeout: None,
            body_timeout: Duration::from_secs(60),
            api_keys: vec![],
            protect_monitoring: false,
            cors_allow_origins: vec![],
        }
    }
}

/// How long clients may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the head of a request: of the first, TLS included, from the start; of others from
    /// their first byte.
    pub head: Duration,
    /// From an answer to the next request.
    pub keep_alive: Duration,
    /// For the next part of an answer.
    pub write: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(30),
            // Clients and load balancers must be the first to close, or they send a request just
            // then. Most keep a connection for 60 or 90 seconds, Google's balancer for 600.
            keep_alive: Duration::from_secs(620),
            write: Duration::from_secs(30),
        }
    }
}
