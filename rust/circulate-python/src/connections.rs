//! Connections that calls of a process share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use circulate_core::api::account::Account;
use circulate_core::api::auth::{Connection, Tokens};
use circulate_core::api::hooks::Hooks;
use circulate_core::api::http::{Pacing, ReqwestTransport};
use circulate_core::catalog::Source;
use circulate_core::clock::Clock;
use circulate_core::error::Result;

/// Connections by base URL and the rules of the source.
#[derive(Default)]
pub(crate) struct Connections(Mutex<BTreeMap<(String, String), Connection>>);

impl Connections {
    pub(crate) fn of(&self, source: &Source, account: &Account) -> Result<Connection> {
        let rules = format!("{:?} {:?}", source.rate_limit, source.timeouts);
        let mut connections = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (account.base_url().to_string(), rules);
        if let Some(known) = connections.get(&key) {
            return Ok(known.clone());
        }
        let made = Connection {
            transport: Arc::new(ReqwestTransport::new(&source.timeouts)?),
            pacing: Arc::new(Pacing::new(source, Clock::system())),
            tokens: Arc::new(Tokens::new(Clock::system())),
            hooks: Hooks::default(),
        };
        connections.insert(key, made.clone());
        Ok(made)
    }

    /// Keeps a connection that was made for one pull, so that its session is logged out at the end.
    pub(crate) fn keep(&self, connection: &Connection) {
        let mut connections = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // No address is a number.
        let key = (connections.len().to_string(), String::new());
        connections.insert(key, connection.clone());
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
