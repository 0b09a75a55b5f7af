//! Sockets: TCP or Unix, with or without TLS, until it is time to stop.

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// How long a client may take for a request's head, or for TLS to be set up.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A pause where the system has no socket left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where to listen.
#[derive(Clone, Debug)]
pub enum Address {
    /// A host name or address, and a port; 0: any that is free.
    Tcp(String, u16),
    /// A socket in the file system.
    #[cfg(unix)]
    Unix(PathBuf),
}

/// A bound socket.
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A socket in the file system, and its path.
    #[cfg(unix)]
    Unix(UnixListener, PathBuf),
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

/// How to serve.
#[derive(Clone)]
pub struct ServeOptions {
    /// For TLS.
    pub tls: Option<Tls>,
    /// How long requests may take to finish after the server was told to stop.
    pub shutdown_timeout: Duration,
}

/// Why nobody listens.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The socket can't be had.
    #[error("can't listen on {address}; is another server running there?")]
    Bind {
        /// Where.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file of TLS can't be used.
    #[error("`{path}` is not a PEM file with a {expected}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// What the parser said.
        source: pem::Error,
    },
    /// Certificate and key don't belong together.
    #[error("the certificate can't be used with this key")]
    Certificate {
        /// What the library said.
        source: rustls::Error,
    },
}

impl Listener {
    /// Binds a socket. One in the file system that nobody listens on any more is replaced.
    ///
    /// # Errors
    /// If it can't be had.
    pub async fn bind(address: &Address) -> Result<Self, ListenError> {
        match address {
            Address::Tcp(host, port) => {
                let socket = TcpListener::bind((host.as_str(), *port)).await;
                socket.map(Self::Tcp).map_err(|source| ListenError::Bind {
                    address: format!("{host}:{port}"),
                    source,
                })
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let is_dead = path.exists() && tokio::net::UnixStream::connect(path).await.is_err();
                if is_dead && is_socket(path) {
                    // If it can't be removed, binding says why.
                    let _ = std::fs::remove_file(path);
                }
                let socket = UnixListener::bind(path);
                socket.map(|socket| Self::Unix(socket, path.clone())).map_err(|source| {
                    ListenError::Bind { address: path.display().to_string(), source }
                })
            }
        }
    }

    /// Where it listens, to show.
    pub fn address(&self) -> String {
        match self {
            Self::Tcp(socket) => {
                socket.local_addr().map_or_else(|error| error.to_string(), |at| at.to_string())
            }
            #[cfg(unix)]
            Self::Unix(_, path) => path.display().to_string(),
        }
    }
}

#[cfg(unix)]
fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

impl Tls {
    /// A certificate (with those above it) and its key from PEM files.
    ///
    /// # Errors
    /// If a file can't be read, or the two don't belong together.
    pub fn from_pem(certificates: &Path, key: &Path) -> Result<Self, ListenError> {
        let bad = |path: &Path, expected, source| ListenError::Pem {
            path: path.to_owned(),
            expected,
            source,
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificates)
            .and_then(Iterator::collect)
            .map_err(|source| bad(certificates, "certificate", source))?;
        let key =
            PrivateKeyDer::from_pem_file(key).map_err(|source| bad(key, "private key", source))?;
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
        let mut config = config.map_err(|source| ListenError::Certificate { source })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
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
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (router, tls) = (router.clone(), options.tls.clone());
        tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener) => match accepted {
                Ok(stream) => {
                    let watcher = graceful.watcher();
                    tokio::spawn(connection(stream, tls, router, watcher));
                }
                Err(error) => {
                    tracing::warn!(error = error.to_string(), "can't accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    #[cfg(unix)]
    if let Listener::Unix(_, path) = &listener {
        let _ = std::fs::remove_file(path);
    }
    drop(listener);
    tokio::time::timeout(options.shutdown_timeout, graceful.shutdown()).await.is_ok()
}

/// What both kinds of sockets give.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn accept(listener: &Listener) -> io::Result<Box<dyn Stream>> {
    match listener {
        Listener::Tcp(socket) => {
            let (stream, _) = socket.accept().await?;
            // Answers are written at once.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
        #[cfg(unix)]
        Listener::Unix(socket, _) => Ok(Box::new(socket.accept().await?.0)),
    }
}

/// One client. Its troubles are its own: nothing is logged.
async fn connection(stream: Box<dyn Stream>, tls: Option<Tls>, router: Router, watcher: Watcher) {
    match tls {
        None => answer(stream, router, watcher).await,
        Some(Tls(acceptor)) => {
            let handshake = tokio::time::timeout(HEAD_TIMEOUT, acceptor.accept(stream));
            if let Ok(Ok(stream)) = handshake.await {
                answer(stream, router, watcher).await;
            }
        }
    }
}

async fn answer(stream: impl Stream + 'static, router: Router, watcher: Watcher) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(HEAD_TIMEOUT);
    let service = TowerToHyperService::new(router);
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let _ = watcher.watch(connection).await;
}
