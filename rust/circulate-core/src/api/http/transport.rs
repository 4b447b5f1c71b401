//! The transport that really sends: the only user of reqwest.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use futures_util::future::BoxFuture;
use futures_util::stream::{StreamExt, try_unfold};
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH};
use http::{HeaderValue, Method};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::gunzip::decoded;
use super::trouble::{Met, connection_error};
use super::{Request, Response, Transport};
use crate::catalog::Timeouts;
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::is_loopback;

/// HTTP/1.1 over TCP or TLS, with timeouts and without redirects: a token is bound to the origin it was made for,
/// so no response may send it elsewhere. Proxies are used as the environment says (`HTTPS_PROXY`, `NO_PROXY`), but never
/// for loopback.
#[derive(Debug, Clone)]
pub struct ReqwestTransport {
    timeouts: Timeouts,
    client: reqwest::Client,
    /// For loopback, once it is needed.
    direct: Arc<OnceLock<reqwest::Client>>,
}

impl ReqwestTransport {
    /// A client with these timeouts; opens no connection yet.
    pub fn new(timeouts: &Timeouts) -> Result<Self> {
        let client = built(builder(timeouts))?;
        Ok(Self { timeouts: timeouts.clone(), client, direct: Arc::default() })
    }

    /// The client for requests of `url`.
    fn client(&self, url: &url::Url) -> Result<&reqwest::Client> {
        if !is_loopback(url) {
            return Ok(&self.client);
        }
        if let Some(direct) = self.direct.get() {
            return Ok(direct);
        }
        let direct = built(builder(&self.timeouts).no_proxy().dns_resolver(Arc::new(Loopback)))?;
        Ok(self.direct.get_or_init(|| direct))
    }

    async fn send(&self, mut request: Request) -> Result<Response> {
        request.headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("gzip"));
        if request.body.is_empty() && matches!(request.method, Method::POST | Method::PUT | Method::PATCH) {
            // Where content has a meaning, servers may want to be told that there is none (RFC 9110, section 8.6): else 411.
            request.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let response = self
            .client(&request.url)?
            .request(request.method, request.url)
            .headers(request.headers)
            .body(request.body)
            .send()
            .await
            .map_err(|error| broken("send request", error))?;
        let (status, mut headers) = (response.status(), response.headers().clone());
        let body = try_unfold(response, |mut response| async move {
            let piece = response.chunk().await.map_err(|error| broken("read response", error))?;
            Ok(piece.map(|piece| (piece, response)))
        });
        let body = decoded(&mut headers, body.boxed());
        Ok(Response { status, headers, body })
    }
}

fn builder(timeouts: &Timeouts) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(timeouts.connect.get())
        .read_timeout(timeouts.read.get())
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        // As other clients read them (RFC 9112, section 5.2): a fold is a space.
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .user_agent(concat!("circulate-core/", env!("CARGO_PKG_VERSION")))
}

fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client> {
    builder.build().map_err(|error| {
        Error::new(ErrorKind::Network, "start HTTP client", "cannot set up TLS").caused_by(error)
    })
}

fn broken(operation: &'static str, error: reqwest::Error) -> Error {
    let met = Met { operation, is_timeout: error.is_timeout(), is_connect: error.is_connect() };
    connection_error(met, &error.without_url())
}

/// Names of loopback (RFC 6761, section 6.3), which are never looked up.
struct Loopback;

impl Resolve for Loopback {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses =
            [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
        let addresses: Addrs = Box::new(addresses.into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

impl Transport for ReqwestTransport {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response>> {
        Box::pin(self.send(request))
    }
}

#[cfg(test)]
#[path = "tests/transport.rs"]
mod tests;
