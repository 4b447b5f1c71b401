//! Requests and responses as they cross the wire, for who records them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, try_unfold};
use http::{HeaderMap, StatusCode};

use super::{Request, Response, Transport};
use crate::error::{Error, ErrorKind, Result};

/// A request, and the response to it as far as it was read.
pub struct Exchange {
    /// Which request of the connection it is, from 0 on.
    pub number: u64,
    /// The request as it was sent, with its credentials.
    pub request: Request,
    /// The status of the response.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, decompressed where the transport did that.
    pub body: Vec<u8>,
    /// Whether the body was read to its end.
    pub is_whole: bool,
}

impl fmt::Debug for Exchange {
    /// Without what may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("number", &self.number)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Takes exchanges in.
pub trait Recorder: Send + Sync + fmt::Debug {
    /// Whether a request may be sent; else its list stops here.
    fn admits(&self, number: u64, request: &Request) -> bool;

    /// Takes an exchange in, whose response was read or given up.
    fn take(&self, exchange: Exchange);
}

/// A transport that hands on what crosses another one. It stands above TLS and proxies and below everything that decides where
/// requests go, so that recording changes nothing of either.
#[derive(Debug)]
pub struct RecordingTransport {
    inner: Arc<dyn Transport>,
    recorder: Arc<dyn Recorder>,
    requests: AtomicU64,
}

impl RecordingTransport {
    /// Hands what crosses `inner` on to `recorder`.
    pub fn new(inner: Arc<dyn Transport>, recorder: Arc<dyn Recorder>) -> Self {
        Self { inner, recorder, requests: AtomicU64::new(0) }
    }

    async fn send(&self, request: Request) -> Result<Response> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        if !self.recorder.admits(number, &request) {
            return Err(Error::new(ErrorKind::Stopped, "record", "the recording ends here"));
        }
        let Response { status, headers, body } = self.inner.send(request.clone()).await?;
        let exchange =
            Exchange { number, request, status, headers: headers.clone(), body: Vec::new(), is_whole: false };
        let reading = RecordedBody { body, exchange: Some(exchange), recorder: Arc::clone(&self.recorder) };
        let body = try_unfold(reading, |mut reading| async move {
            Ok(reading.next().await?.map(|piece| (piece, reading)))
        });
        Ok(Response { status, headers, body: body.boxed() })
    }
}

impl Transport for RecordingTransport {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response>> {
        Box::pin(self.send(request))
    }
}

/// A body that is being read. Whoever drops it has read as much as was wanted.
struct RecordedBody {
    body: BoxStream<'static, Result<Bytes>>,
    exchange: Option<Exchange>,
    recorder: Arc<dyn Recorder>,
}

impl RecordedBody {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let piece = self.body.next().await.transpose()?;
        match (&mut self.exchange, &piece) {
            (Some(exchange), Some(piece)) => exchange.body.extend_from_slice(piece),
            (Some(exchange), None) => exchange.is_whole = true,
            (None, _) => {}
        }
        Ok(piece)
    }
}

impl Drop for RecordedBody {
    fn drop(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            self.recorder.take(exchange);
        }
    }
}

#[cfg(test)]
#[path = "tests/exchanges.rs"]
mod tests;
