//! Takes connections until it is time to stop.

use crate::client::Client;
use crate::clients::Clients;
use crate::connection::{Service, connection};
use crate::listen::Listener;
use crate::metrics::Metrics;
use crate::settings::Timeouts;
use crate::tls::Tls;
use axum::Router;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A pause where there is no socket left, or no place.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The log says at most this often that it has none.
const WARNING_INTERVAL: Duration = Duration::from_secs(1);

/// How to serve.
#[derive(Clone)]
pub struct ServeOptions {
    /// For TLS.
    pub tls: Option<Tls>,
    /// How long requests may take to finish after the server was told to stop.
    pub shutdown_timeout: Duration,
    /// Connections at the same time. A new one takes the place of the one that has waited
    /// longest for its client; where all are at work, new ones wait.
    pub max_connections: usize,
    /// How long clients may take.
    pub timeouts: Timeouts,
    /// Where connections are counted.
    pub metrics: Metrics,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            tls: None,
            shutdown_timeout: Duration::from_secs(30),
            max_connections: 10_000,
            timeouts: Timeouts::default(),
            metrics: Metrics::new(),
        }
    }
}

/// Answers until `shutdown` is ready, then lets requests finish; `false`: some
/// took too long and were broken off.
pub async fn serve(
    listener: Listener,
    router: Router,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> bool {
    let (stop, stopped) = watch::channel(false);
    let service = Service { tls: options.tls, router };
    let clients = Arc::new(Clients::default());
    // Dropped, it ends all connections.
    let mut connections = JoinSet::new();
    let mut warned = None;
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                give_way(&error, &clients, &mut warned).await;
                continue;
            }
        };
        tokio::select! {
            biased;
            () = room(&mut connections, &clients, options.max_connections.max(1)) => {}
            () = &mut shutdown => break,
        }
        let place = clients.add(Client::new(options.timeouts, options.metrics.clone()));
        let (service, stopped) = (service.clone(), stopped.clone());
        connections.spawn(async move {
            connection(stream, place.client().clone(), service, stopped).await;
        });
    }
    drop(listener);
    stop.send_replace(true);
    let finished = async { while connections.join_next().await.is_some() {} };
    tokio::time::timeout(options.shutdown_timeout, finished).await.is_ok()
}

/// Lets a connection go where the system has no socket for another one, and waits a little.
async fn give_way(error: &io::Error, clients: &Clients, warned: &mut Option<Instant>) {
    if !is_of_one_client(error) {
        warn(warned, error);
        clients.drop_one();
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

/// Ready as soon as there are fewer connections, or one is on its way out.
async fn room(connections: &mut JoinSet<()>, clients: &Clients, max_connections: usize) {
    while connections.len() >= max_connections && !clients.drop_one() {
        tokio::select! {
            _ = connections.join_next() => {}
            () = tokio::time::sleep(ACCEPT_PAUSE) => {}
        }
    }
}

/// Whether a client went away before it was accepted.
fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn warn(warned: &mut Option<Instant>, error: &io::Error) {
    if warned.is_none_or(|before| before.elapsed() > WARNING_INTERVAL) {
        tracing::warn!(error = error.to_string(), "can't accept a connection");
        *warned = Some(Instant::now());
    }
}
