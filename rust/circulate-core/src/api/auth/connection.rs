//! What sign-in and requests share.

use std::sync::Arc;

use super::oauth2::Tokens;
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
}
