//! One connection: TLS, HTTP/1 or HTTP/2 on it, and its end.

use crate::bodies::{Ingoing, Outgoing};
use crate::client::{Client, Event};
use crate::listen::Stream;
use crate::paths::without_extra_slashes;
use crate::tls::Tls;
use axum::Router;
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use hyper::body::{Body as _, Incoming};
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tower::ServiceExt;

/// Bytes of a connection that are kept in memory each way; a head must fit.
const BUFFER_BYTES: usize = 64 << 10;
/// A client of HTTP/2 that doesn't answer a ping is gone.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// What answers all connections.
#[derive(Clone)]
pub struct Service {
    /// For TLS.
    pub tls: Option<Tls>,
    /// For the requests.
    pub router: Router,
}

/// Answers one client until it is done with, or has to go. Its troubles are its own: they are
/// counted, not logged.
pub async fn connection(
    stream: Box<dyn Stream>,
    client: Arc<Client>,
    service: Service,
    mut stop: watch::Receiver<bool>,
) {
    let Service { tls, router } = service;
    let socket = Watched { stream: Arc::new(Mutex::new(stream)), client: client.clone() };
    let is_done = match tls {
        None => http(socket.clone(), &client, router, &mut stop).await,
        Some(Tls(acceptor)) => tokio::select! {
            accepted = acceptor.accept(socket.clone()) => match accepted {
                Ok(stream) => http(stream, &client, router, &mut stop).await,
                Err(_) => {
                    client.fails("handshake");
                    true
                }
            },
            // There is nothing to finish.
            _ = client.event(&mut stop) => false,
        },
    };
    if is_done {
        client.closes();
        tokio::select! {
            () = std::future::poll_fn(|context| socket.poll_close(context)) => {}
            _ = client.event(&mut stop) => {}
        }
    }
}

/// Answers requests; `false`: the client was given up.
async fn http(
    stream: impl Stream + 'static,
    client: &Arc<Client>,
    router: Router,
    stop: &mut watch::Receiver<bool>,
) -> bool {
    let mut builder = auto::Builder::new(Streams(client.clone()));
    // `Client` has all times, of idle connections too.
    builder.http1().header_read_timeout(None).max_buf_size(BUFFER_BYTES);
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new()).keep_alive_interval(PING_INTERVAL);
    http2.max_send_buf_size(BUFFER_BYTES);
    let service = service_fn(|request| answer(request, client, router.clone()));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    loop {
        tokio::select! {
            _ = connection.as_mut() => return true,
            event = client.event(stop) => match event {
                Event::Leave => connection.as_mut().graceful_shutdown(),
                Event::End => return false,
            }
        }
    }
}

/// The answer to one request. The client has asked as soon as this is called: [`Streams`] looks
/// for the progress of the answer right after it.
fn answer(
    mut request: Request<Incoming>,
    client: &Arc<Client>,
    router: Router,
) -> impl Future<Output = Result<Response<Outgoing>, Infallible>> + use<> {
    let is_http2 = request.version() == Version::HTTP_2;
    let open = client.asks(is_http2);
    let is_read = Arc::new(AtomicBool::new(is_http2 || request.body().is_end_stream()));
    let ends = is_read.clone();
    without_extra_slashes(request.uri_mut());
    let request = request.map(|body| match body.is_end_stream() {
        true => Body::empty(),
        false => Body::new(Ingoing::new(body, client.sends_body(), is_read)),
    });
    let response = router.oneshot(request);
    async move {
        let mut response = response.await?;
        // hyper ends the connection then, and the next request would be lost.
        if !ends.load(Ordering::Relaxed) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(Outgoing::new(response, open))
    }
}

/// Runs the streams of a connection of HTTP/2. One whose answer isn't taken is dropped; the
/// others may be of other users, behind one proxy.
#[derive(Clone)]
struct Streams(Arc<Client>);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        // hyper runs each stream right after it has asked the service.
        let client = self.0.clone();
        let progress = client.progress();
        tokio::spawn(async move {
            tokio::select! {
                _ = stream => {}
                () = progress.stops(client.timeouts().write) => client.fails("write"),
            }
        });
    }
}

/// A socket that tells what happens on it. Clones are the same one.
#[derive(Clone)]
struct Watched {
    stream: Arc<Mutex<Box<dyn Stream>>>,
    client: Arc<Client>,
}

impl Watched {
    fn stream(&self) -> MutexGuard<'_, Box<dyn Stream>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that nothing more comes, and takes what the client still sends: a system that is left
    /// with unread bytes resets the connection, and the client may lose the answer that says why.
    fn poll_close(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut stream = self.stream();
        // It may be shut already, or broken.
        let _ = ready!(Pin::new(&mut *stream).poll_shutdown(context));
        let mut bytes = [0; 8 << 10];
        loop {
            let mut unread = ReadBuf::new(&mut bytes);
            match Pin::new(&mut *stream).poll_read(context, &mut unread) {
                Poll::Ready(Ok(())) if !unread.filled().is_empty() => {}
                Poll::Pending if !self.client.is_leaving() => return Poll::Pending,
                _ => return Poll::Ready(()),
            }
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut *self.stream()).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.client.sent();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.stream()).poll_write(context, bytes);
        self.client.writes(written.is_pending());
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.stream()).poll_write_vectored(context, parts);
        self.client.writes(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream()).poll_shutdown(context)
    }
}
