//! HTTP as the engine sees it: one request in, one response out, its body a stream of pieces.
//!
//! [`Transport`] is the seam: [`wire`] sends for real, tests respond from memory. What happens around a request
//! (credentials, pacing, retries) is put together in [`crate::api::client`].

mod challenge;
mod classify;
mod concurrency;
mod error_body;
mod exchanges;
mod gunzip;
mod header_time;
mod pace;
mod pacing;
mod query;
mod rate_limit;
mod replayed;
mod retry;
mod transport;
mod trouble;
mod verdict;
mod watched_body;

use std::fmt;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

use crate::error::Result;
pub use crate::redact::Redactor;

pub(crate) use challenge::demands_dpop;
pub use classify::{Classifier, Failure, ResponseRules, Success};
pub(crate) use classify::{MISSING_SCOPE, VendorError, verdict_of};
pub use concurrency::{ConcurrencyLimiter, ConcurrencyPermit};
pub(crate) use error_body::{has_half_a_character, parse as parse_leniently, without_mark};
pub use exchanges::{Exchange, Recorder, RecordingTransport};
pub(crate) use gunzip::unpacked;
pub use pacing::Pacing;
pub(crate) use query::percent_encoded;
pub use query::{add_parameter, parameter, remove_parameter, set_parameter};
pub use rate_limit::{QuotaWait, RateLimitPermit, RateLimiter, named_wait, server_date};
pub use replayed::ReplayedTransport;
pub use retry::{Jitter, Retry, RetryDecision, RetryPolicy, Tally};
pub use transport::ReqwestTransport;

/// A request, complete but for its credentials.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The absolute URL.
    pub url: Url,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
}

impl Request {
    /// A GET of `url` without headers.
    pub fn get(url: Url) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A POST of these fields to `url`, as `application/x-www-form-urlencoded`.
    pub fn post_form<'f>(url: Url, fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, form)]);
        Self { method: Method::POST, url, headers, body: body.into() }
    }
}

impl fmt::Debug for Request {
    /// Without its body, which may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

/// A response whose body is still to be read.
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed. It ends with an error if the connection breaks before its end.
    pub body: BoxStream<'static, Result<Bytes>>,
}

impl Response {
    /// The body, read to its end; `None` if it has more bytes than `limit`.
    pub(crate) async fn read_body(&mut self, limit: usize) -> Result<Option<Vec<u8>>> {
        let mut body = Vec::new();
        while let Some(piece) = self.body.next().await {
            body.extend_from_slice(&piece?);
            if body.len() > limit {
                return Ok(None);
            }
        }
        Ok(Some(body))
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Sends one request and returns once the headers of the response are there.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends `request` as it is. A response of any status is `Ok`; an error means there was none.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response>>;
}
