//! What sign-in and requests share.

use std::sync::Arc;

use super::oauth2::Tokens;
use crate::api::hooks::Hooks;
use crate::api::http::{Pacing, Transport};

/// What all pulls of an account share in a process.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Sends requests.
    pub transport: Arc<dyn Transport>,
    /// Keeps to the account's limits.
    pub pacing: Arc<Pacing>,
    /// Access tokens at hand.
    pub tokens: Arc<Tokens>,
    /// Runs the hooks of the definition that is pulled by.
    pub hooks: Hooks,
}

impl Connection {
    /// The same, with what runs the hooks of a definition.
    #[must_use]
    pub fn with_hooks(self, hooks: Hooks) -> Self {
        Self { hooks, ..self }
    }
}
