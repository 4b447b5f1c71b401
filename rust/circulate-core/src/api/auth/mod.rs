//! Signing requests in. One file or folder per kind of credentials.

mod authorize;
mod connection;
mod header;
mod no_auth;
mod oauth2;
mod token_file;

use std::sync::Arc;

use crate::api::account::Account;
use crate::catalog::{Auth, Source};
use crate::error::{Error, ErrorKind, Result};

pub use authorize::Authorize;
pub use connection::Connection;
pub use header::StaticHeader;
pub use no_auth::NoAuth;
pub(crate) use oauth2::dpop::DPOP;
pub use oauth2::{AccessToken, Tokens};
pub use token_file::{FileToken, Minted, Minter, TokenFile, TokenFolder};

/// What signs `account` in, for something that needs these OAuth `scopes`; `None` if its definition does not say that.
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
            let unnamed = || {
                let what = "the definition does not name the OAuth scopes that this needs";
                Error::new(ErrorKind::Definition, "sign in", what).hint(
                    "add `scopes: [...]` to the endpoint and to its parent; `scopes: []` if it needs none",
                )
            };
            let scopes = scopes.ok_or_else(unnamed)?;
            Ok(Arc::new(AccessToken::new(source, account, oauth, scopes, connection)?))
        }
    }
}
