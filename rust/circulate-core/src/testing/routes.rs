//! An API that responds by what is requested, for streams whose requests come in no fixed order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use url::Url;

use super::ScriptedResponse;
use crate::api::http::{Request, Response, Transport};
use crate::error::Result;

/// A transport with a response for every URL; it remembers what was requested.
#[derive(Debug, Default)]
pub struct Routes {
    responses: Mutex<BTreeMap<String, ScriptedResponse>>,
    requested: Mutex<Vec<String>>,
}

impl Routes {
    /// Responds to requests for these paths with their queries. Any other is 404.
    pub fn new<'r>(responses: impl IntoIterator<Item = (&'r str, ScriptedResponse)>) -> Arc<Self> {
        let routes = Self::default();
        for (path, response) in responses {
            routes.set(path, response);
        }
        Arc::new(routes)
    }

    /// Gives another response from now on.
    pub fn set(&self, path: &str, response: ScriptedResponse) {
        self.responses.lock().unwrap().insert(path.to_owned(), response);
    }

    /// The paths requested since this was last called, sorted.
    pub fn requested(&self) -> Vec<String> {
        let mut requested = std::mem::take(&mut *self.requested.lock().unwrap());
        requested.sort();
        requested
    }
}

/// A transport that makes its responses, as a server does.
pub struct Server {
    respond: Box<dyn Fn(&Request) -> ScriptedResponse + Send + Sync>,
    urls: Mutex<Vec<String>>,
}

impl Server {
    /// Responds to each request with what `respond` makes of its URL.
    pub fn new(respond: impl Fn(&Url) -> ScriptedResponse + Send + Sync + 'static) -> Arc<Self> {
        Self::of_requests(move |request| respond(&request.url))
    }

    /// Responds to each request with what `respond` makes of it.
    pub fn of_requests(respond: impl Fn(&Request) -> ScriptedResponse + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { respond: Box::new(respond), urls: Mutex::default() })
    }

    /// The URLs requested since this was last called, in order, without the origin.
    pub fn requested(&self) -> Vec<String> {
        std::mem::take(&mut *self.urls.lock().unwrap())
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}

impl Transport for Server {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response>> {
        self.urls.lock().unwrap().push(request.url[url::Position::BeforePath..].to_owned());
        Box::pin((self.respond)(&request).arrive())
    }
}

impl Transport for Routes {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response>> {
        let path = request.url[url::Position::BeforePath..].to_owned();
        let response = self.responses.lock().unwrap().get(&path).cloned();
        self.requested.lock().unwrap().push(path);
        Box::pin(async { response.unwrap_or_else(|| ScriptedResponse::new(404, "{}")).arrive().await })
    }
}
