//! What gets tokens: an OAuth client, or who logs in.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::oauth2::tokens::{Token, TokenCache};
use crate::api::http::Failure;
use crate::clock::Clock;
use crate::error::{Error, Result};

/// Gets tokens, and shares them with all others of a process that want the same.
pub(super) trait TokenSource: Send + Sync + fmt::Debug {
    /// A token that is valid, got if need be.
    fn token(&self) -> BoxFuture<'_, Result<Arc<Token>, Failure>>;

    /// What is known by now.
    fn cache(&self) -> &TokenCache;

    /// What its tokens are for.
    fn scope(&self) -> &str;

    /// By which tokens end.
    fn clock(&self) -> &Clock;

    /// A digest that differs between credentials.
    fn credential(&self) -> Result<String>;

    /// What a token is, as the files of tokens say it.
    fn token_type(&self, token: &Token) -> &'static str;

    /// Nothing came within a span of time.
    fn too_slow(&self, span: Duration) -> Error;
}
