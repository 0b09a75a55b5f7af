//! Bodies on their way from and to clients.

use crate::client::{Arriving, Open};
use crate::inference::Admission;
use axum::body::{Body, Bytes};
use hyper::Response;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

/// Bytes that are handed on at one time. A client has to take them within the time for writing.
const PART_BYTES: usize = 16 << 10;

/// A request's body, which is awaited as long as somebody reads it.
pub struct Ingoing {
    body: Incoming,
    is_read: Arc<AtomicBool>,
    _arriving: Arriving,
}

impl Ingoing {
    /// What is awaited. `is_read` becomes true at its end.
    pub fn new(body: Incoming, arriving: Arriving, is_read: Arc<AtomicBool>) -> Self {
        Self { body, is_read, _arriving: arriving }
    }
}

impl HttpBody for Ingoing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.is_read.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body, handed on in small parts, so that what isn't taken stays here: with the
/// request's admission, which others wait for.
pub struct Outgoing {
    body: Body,
    rest: Bytes,
    open: Open,
    _admission: Option<Admission>,
}

impl Outgoing {
    /// The answer to a request.
    pub fn new(mut response: Response<Body>, open: Open) -> Response<Self> {
        let admission = response.extensions_mut().remove();
        response.map(|body| Self { body, rest: Bytes::new(), open, _admission: admission })
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.open.moves();
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return Poll::Ready(other),
            }
        }
        let length = self.rest.len().min(PART_BYTES);
        // Copied, as a slice would keep the whole of it in memory.
        let part = Bytes::copy_from_slice(&self.rest.split_to(length));
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let whole = self.body.size_hint().exact().map(|exact| SizeHint::with_exact(exact + rest));
        whole.unwrap_or_default()
    }
}
