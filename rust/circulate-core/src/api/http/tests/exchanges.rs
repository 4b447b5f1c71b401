//! What is handed on of what crosses.

use std::sync::Mutex;

use super::*;
use crate::testing::{ScriptedResponse, Server};

/// Takes so many requests.
#[derive(Debug, Default)]
struct Taking {
    limit: u64,
    taken: Mutex<Vec<Exchange>>,
}

impl Recorder for Taking {
    fn admits(&self, number: u64, _: &Request) -> bool {
        number < self.limit
    }

    fn take(&self, exchange: Exchange) {
        self.taken.lock().unwrap().push(exchange);
    }
}

fn get(url: &str) -> Request {
    Request::get(url.parse().unwrap())
}

#[tokio::test]
async fn an_exchange_is_handed_on_once_its_body_was_read() {
    let recorder = Arc::new(Taking { limit: 2, ..Taking::default() });
    let api = Server::new(|url| ScriptedResponse::new(200, url.path()));
    let transport = RecordingTransport::new(api, Arc::<Taking>::clone(&recorder));
    let mut first = Transport::send(&transport, get("https://a.example/one")).await.unwrap();
    assert!(recorder.taken.lock().unwrap().is_empty());
    assert_eq!(first.read_body(100).await.unwrap().unwrap(), b"/one");
    drop(first);
    drop(Transport::send(&transport, get("https://a.example/two")).await.unwrap());
    let taken = recorder.taken.lock().unwrap();
    let seen: Vec<_> = taken
        .iter()
        .map(|each| (each.number, each.request.url.path(), &each.body[..], each.is_whole))
        .collect();
    assert_eq!(seen, [(0, "/one", &b"/one"[..], true), (1, "/two", &b""[..], false)]);
}

#[tokio::test]
async fn what_is_not_admitted_is_not_sent() {
    let recorder = Arc::new(Taking::default());
    let api = Server::new(|_| ScriptedResponse::new(200, "[]"));
    let transport = RecordingTransport::new(Arc::<Server>::clone(&api), recorder);
    let error = Transport::send(&transport, get("https://a.example/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped);
    assert!(api.requested().is_empty());
}
