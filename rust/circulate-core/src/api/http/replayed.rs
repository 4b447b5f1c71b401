//! The transport of a replay: whatever the address, the response comes from a server on this machine.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream;
use http::{HeaderMap, HeaderValue};
use url::Url;

use super::trouble::{Met, connection_error};
use super::{Request, Response, Transport};
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::is_loopback;

/// The origin that a request is for, in the header of the same name; and what became of it, in that of the response.
const HEADER: &str = "circulate-replay";
/// The longest explanation that is read.
const MAX_EXPLANATION: usize = 100_000;

/// Sends every request to a server on loopback, which answers for all origins. Definitions, next links and signatures keep the
/// addresses that they have, so that everything that looks at addresses is tried, too.
///
/// The server's header `circulate-replay` says `missing` (the body explains which request is not recorded), `end` (the
/// recording ends before this request) or `stalled` (the rest of the body would not come in time: the timeout passes at
/// once).
#[derive(Debug)]
pub struct ReplayedTransport {
    inner: Arc<dyn Transport>,
    server: Url,
}

impl ReplayedTransport {
    /// Sends requests by `inner` to `server`.
    pub fn new(inner: Arc<dyn Transport>, server: &str) -> Result<Self> {
        let at_home = |url: &Url| is_loopback(url) && url.scheme() == "http";
        let Some(server) = server.parse().ok().filter(at_home) else {
            let what = "recordings are served on this machine only, by http";
            return Err(Error::new(ErrorKind::Settings, "replay", what).with("address", server));
        };
        Ok(Self { inner, server })
    }

    async fn send(&self, mut request: Request) -> Result<Response> {
        let origin = request.url.origin().ascii_serialization();
        let mut url = self.server.clone();
        url.set_path(request.url.path());
        url.set_query(request.url.query());
        request.url = url;
        let origin = HeaderValue::try_from(origin)
            .map_err(|error| Error::new(ErrorKind::Data, "replay", "invalid origin").caused_by(error))?;
        request.headers.insert(HEADER, origin);
        let mut response = self.inner.send(request).await?;
        match word(&mut response.headers).as_deref() {
            None => Ok(response),
            Some("missing") => {
                let text = response.read_body(MAX_EXPLANATION).await?.unwrap_or_default();
                Err(Error::new(ErrorKind::Data, "replay", String::from_utf8_lossy(&text)))
            }
            Some("stalled") => {
                Ok(Response { body: response.body.chain(stream::iter([stalled()])).boxed(), ..response })
            }
            Some(_) => Err(Error::new(ErrorKind::Stopped, "replay", "the recording ends here")),
        }
    }
}

fn word(headers: &mut HeaderMap) -> Option<String> {
    headers.remove(HEADER).and_then(|value| value.to_str().ok().map(str::to_owned))
}

/// What a read ends with that has waited for too long.
fn stalled() -> Result<Bytes> {
    let met = Met { operation: "read response", is_timeout: true, is_connect: false };
    Err(connection_error(met, &io::Error::from(io::ErrorKind::TimedOut)))
}

impl Transport for ReplayedTransport {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response>> {
        Box::pin(self.send(request))
    }
}

#[cfg(test)]
#[path = "tests/replayed.rs"]
mod tests;
