//! The transport that really sends: the only user of reqwest.

use futures_util::future::BoxFuture;
use futures_util::stream::{StreamExt, try_unfold};

use super::{Request, Response, Transport};
use crate::error::{Error, ErrorKind, Result};
use crate::spec::Timeouts;

/// HTTP/1.1 over TCP or TLS, with timeouts and without redirects: a token is bound to the origin it was made for,
/// so no answer may send it elsewhere.
#[derive(Debug, Clone)]
pub struct Wire(reqwest::Client);

impl Wire {
    /// A client with these timeouts; opens no connection yet.
    pub fn new(timeouts: &Timeouts) -> Result<Self> {
        reqwest::Client::builder()
            .connect_timeout(timeouts.connect.get())
            .read_timeout(timeouts.read.get())
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(concat!("circulate-core/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(Self)
            .map_err(|error| {
                Error::new(ErrorKind::Network, "start HTTP client", "cannot set up TLS").caused_by(error)
            })
    }

    async fn send(&self, request: Request) -> Result<Response> {
        let answer = self
            .0
            .request(request.method, request.url)
            .headers(request.headers)
            .body(request.body)
            .send()
            .await
            .map_err(|error| network_error("send request", error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = try_unfold(answer, |mut answer| async move {
            let piece = answer.chunk().await.map_err(|error| network_error("read answer", error))?;
            Ok(piece.map(|piece| (piece, answer)))
        });
        Ok(Response { status, headers, body: body.boxed() })
    }
}

impl Transport for Wire {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response>> {
        Box::pin(self.send(request))
    }
}

/// Says what a person would look at first, and the innermost cause: those between repeat each other. The URL is left to
/// the caller, who redacts it.
fn network_error(operation: &'static str, error: reqwest::Error) -> Error {
    let message = if error.is_timeout() && error.is_connect() {
        "the API did not accept a connection in time"
    } else if error.is_timeout() {
        "the API stopped answering"
    } else if error.is_connect() {
        "cannot connect to the API"
    } else {
        "the connection broke before the answer was complete"
    };
    let why = innermost(&error.without_url());
    let untrusted = why.contains("certificate");
    let error = Error::new(ErrorKind::Network, operation, message).temporary().caused_by(why);
    if untrusted {
        return error.hint("set SSL_CERT_FILE to a PEM file with the certificate of your CA");
    }
    error
}

fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}
