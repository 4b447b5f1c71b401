//! Signing requests in. One file or folder per kind of credentials.

mod header;
mod no_auth;
mod oauth2;
mod token_file;

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::HeaderMap;
use url::Url;

use crate::api::account::Account;
use crate::api::http::{Failure, Pacing, Request, Transport};
use crate::catalog::{Auth, Source};
use crate::error::{Error, ErrorKind, Result};

pub use header::StaticHeader;
pub use no_auth::NoAuth;
pub(crate) use oauth2::dpop::DPOP;
pub use oauth2::{AccessToken, Tokens};
pub use token_file::{FileToken, Minted, Minter, TokenFile, TokenFolder};

/// Puts credentials on a request, once per attempt, so that a retry never carries an old token.
pub trait Authorize: Send + Sync + fmt::Debug {
    /// Adds what signs `request` in. The caller has checked that it goes to the source's own origin.
    fn apply<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Result<(), Failure>>;

    /// The API refused the credentials in these headers. Returns whether there are others now, or will be by the next
    /// [`Authorize::apply`], so that asking again may help.
    fn renew<'a>(&'a self, refused: &'a HeaderMap) -> BoxFuture<'a, Result<bool>>;

    /// Learns from an answer of the API to a request of `url`, whatever its status: what it wants in the next proof of
    /// possession.
    fn learn(&self, _url: &Url, _headers: &HeaderMap) {}
}

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

/// What signs `account` in, for something that needs these OAuth `scopes`; `None` if its definition does not tell.
/// No request is made.
pub fn sign_in(
    source: &Source,
    account: &Account,
    connection: &Connection,
    scopes: Option<&std::collections::BTreeSet<String>>,
) -> Result<Arc<dyn Authorize>> {
    match account.auth() {
        Auth::None => Ok(Arc::new(NoAuth)),
        Auth::Header(header) => Ok(Arc::new(StaticHeader::new(header, account)?)),
        Auth::TokenFile(file) => {
            let profile = account.value(&file.profile).unwrap_or_default();
            Ok(Arc::new(FileToken::new(profile, TokenFolder::standard(), connection.tokens.clock().clone())))
        }
        Auth::Oauth2(oauth) => {
            let untold = || {
                let what = "the definition does not name the OAuth scopes that this needs";
                Error::new(ErrorKind::Definition, "sign in", what).hint(
                    "add `scopes: [...]` to the endpoint and to its parent; `scopes: []` if it needs none",
                )
            };
            let scopes = scopes.ok_or_else(untold)?;
            Ok(Arc::new(AccessToken::new(source, account, oauth, scopes, connection)?))
        }
    }
}
