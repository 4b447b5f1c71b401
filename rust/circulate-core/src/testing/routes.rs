//! An API that answers by what it is asked, for streams whose requests come in no fixed order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use url::Url;

use super::ScriptedResponse;
use crate::api::http::{Request, Response, Transport};
use crate::error::Result;

/// A transport with an answer for every URL; it remembers what it was asked.
#[derive(Debug, Default)]
pub struct Routes {
    answers: Mutex<BTreeMap<String, ScriptedResponse>>,
    asked: Mutex<Vec<String>>,
}

impl Routes {
    /// Answers requests for these paths with their queries. Any other is 404.
    pub fn new<'r>(answers: impl IntoIterator<Item = (&'r str, ScriptedResponse)>) -> Arc<Self> {
        let routes = Self::default();
        for (path, answer) in answers {
            routes.set(path, answer);
        }
        Arc::new(routes)
    }

    /// Gives another answer from now on.
    pub fn set(&self, path: &str, answer: ScriptedResponse) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// The paths asked for since this was last called, sorted.
    pub fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.sort();
        asked
    }
}

/// A transport that makes its answers, as a server does.
pub struct Server {
    respond: Box<dyn Fn(&Url) -> ScriptedResponse + Send + Sync>,
    urls: Mutex<Vec<String>>,
}

impl Server {
    /// Answers each request with what `respond` makes of its URL.
    pub fn new(respond: impl Fn(&Url) -> ScriptedResponse + Send + Sync + 'static) -> Arc<Self> {
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
        Box::pin((self.respond)(&request.url).arrive())
    }
}

impl Transport for Routes {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response>> {
        let path = request.url[url::Position::BeforePath..].to_owned();
        let answer = self.answers.lock().unwrap().get(&path).cloned();
        self.asked.lock().unwrap().push(path);
        Box::pin(async { answer.unwrap_or_else(|| ScriptedResponse::new(404, "{}")).arrive().await })
    }
}
