//! Sessions that are open at a server, and should not stay so when the process ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

use crate::api::http::{Request, Transport};

/// How to log out of sessions, by what distinguishes these.
#[derive(Debug, Default)]
pub struct OpenSessions(Mutex<BTreeMap<String, OpenSession>>);

/// How to log out of one.
#[derive(Debug)]
pub(super) struct OpenSession {
    /// Signed in.
    pub(super) request: Request,
    pub(super) transport: Arc<dyn Transport>,
}

impl OpenSessions {
    /// A login took place; the one before it is over.
    pub(super) fn opened(&self, key: &str, session: OpenSession) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), session);
    }

    /// Logs out of all of them, as far as their servers let us within `patience`: nobody can do anything about those that do
    /// not.
    pub async fn log_out(&self, patience: Duration) {
        let open = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let outs = open.into_values().map(|session| async move {
            let _ = tokio::time::timeout(patience, session.transport.send(session.request)).await;
        });
        join_all(outs).await;
    }
}
