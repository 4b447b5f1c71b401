//! The seam between requests and credentials.

use std::fmt;

use futures_util::future::BoxFuture;
use http::HeaderMap;
use url::Url;

use crate::api::http::{Failure, Request};
use crate::error::Result;

/// Puts credentials on a request, once per attempt, so that a retry never carries an old token.
pub trait Authorize: Send + Sync + fmt::Debug {
    /// Adds what signs `request` in. The caller has checked that it goes to the source's own origin.
    fn apply<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Result<(), Failure>>;

    /// The API refused the credentials of this request. Returns whether there are others now, or will be by the next
    /// [`Authorize::apply`], so that a retry may help.
    fn renew<'a>(&'a self, refused: &'a Request) -> BoxFuture<'a, Result<bool>>;

    /// Whether a request that was refused says a time that is not the server's, as far as that is known by now: signed again, it
    /// may do.
    fn is_misdated(&self, _refused: &Request) -> bool {
        false
    }

    /// Learns from a response of the API to a request of `url`, whatever its status: what it wants in the next proof of
    /// possession.
    fn learn(&self, _url: &Url, _headers: &HeaderMap) {}
}
