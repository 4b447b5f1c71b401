//! Signing requests in. One file per kind of credentials.

mod header;

use std::fmt;

use futures_util::future::BoxFuture;
use http::HeaderMap;

use crate::error::Result;
use crate::http::Request;

pub use header::StaticHeader;

/// Puts credentials on a request, once per attempt, so that a retry never carries an old token.
pub trait Authorize: Send + Sync + fmt::Debug {
    /// Adds what signs `request` in. The caller has checked that it goes to the source's own origin.
    fn apply<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Result<()>>;

    /// The API refused the credentials in these headers. Gets others, if there are any; returns whether there are, so that
    /// asking again may help.
    fn renew<'a>(&'a self, refused: &'a HeaderMap) -> BoxFuture<'a, Result<bool>>;
}
