//! Signing requests in. One file or folder per kind of credentials.

mod authorize;
mod basic;
mod body;
mod connection;
mod duo;
mod header;
mod no_auth;
mod oauth2;
mod open_sessions;
mod query;
mod session;
mod session_token;
mod sign;
mod signer;
mod sigv4;
mod token_file;
mod token_source;

use std::sync::Arc;

use crate::api::account::Account;
use crate::catalog::{Auth, GrantType, HeaderAuth, Source};
use crate::error::{Error, ErrorKind, Result};

use header::StaticHeaders;
use sign::SignedByHook;
use signer::Signer;
use sigv4::AwsSigner;

pub use authorize::Authorize;
pub use connection::Connection;
pub use no_auth::NoAuth;
pub(crate) use oauth2::dpop::DPOP;
pub use oauth2::{AccessToken, Tokens, settled};
pub use open_sessions::OpenSessions;
pub use session::Session;
pub use signer::SignedBySettings;
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
        Auth::Header(header) => {
            by_settings(StaticHeaders::new(std::slice::from_ref(header))?, account, connection)
        }
        Auth::Bearer(secret) => {
            by_settings(StaticHeaders::new(&[HeaderAuth::bearer(secret)])?, account, connection)
        }
        Auth::Headers(headers) => by_settings(StaticHeaders::new(headers)?, account, connection),
        Auth::Basic(basic) => by_settings(basic.clone(), account, connection),
        Auth::Query(query) => by_settings(query.clone(), account, connection),
        Auth::Body(body) => by_settings(body.clone(), account, connection),
        Auth::DuoV5(duo) => by_settings(duo.clone(), account, connection),
        Auth::AwsSigv4(aws) => by_settings(AwsSigner::new(aws, account)?, account, connection),
        Auth::Sign(sign) => Ok(Arc::new(SignedByHook::new(sign, account, connection)?)),
        Auth::Session(session) => Ok(Arc::new(Session::new(source, account, session, connection)?)),
        Auth::TokenFile(file) => {
            let profile = account.value(&file.profile).unwrap_or_default();
            let (folder, clock) = (TokenFolder::standard(), connection.tokens.clock().clone());
            Ok(Arc::new(FileToken::new(profile, folder, clock, account.session_send().cloned())))
        }
        Auth::Oauth2(oauth) => {
            let unnamed = || {
                let what = "the definition does not name the OAuth scopes that this needs";
                Error::new(ErrorKind::Definition, "sign in", what).hint(
                    "add `scopes: [...]` to the endpoint and to its parent; `scopes: []` if it needs none",
                )
            };
            // Those of a refresh token are what a person agreed to, whether an endpoint names them or not.
            let agreed = std::collections::BTreeSet::new();
            let agreed = (oauth.grant == GrantType::RefreshToken).then_some(&agreed);
            let scopes = scopes.or(agreed).ok_or_else(unnamed)?;
            Ok(Arc::new(AccessToken::new(source, account, oauth, scopes, connection)?))
        }
    }
}

/// What signs in by settings alone.
fn by_settings(
    signer: impl Signer + 'static,
    account: &Account,
    connection: &Connection,
) -> Result<Arc<dyn Authorize>> {
    Ok(Arc::new(SignedBySettings::new(signer, account, connection.tokens.clock())?))
}
