//! Getting tokens for others, who read them from files.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::{SCHEMA, TokenFile, TokenFolder, digest};
use crate::api::account::Account;
use crate::api::auth::oauth2::tokens::Token;
use crate::api::auth::token_source::TokenSource;
use crate::api::auth::{AccessToken, Connection, Session};
use crate::api::http::{Failure, Retry, Tally};
use crate::catalog::{Auth, Source};
use crate::error::{Error, ErrorKind, Result};

/// Gets the token of a profile and keeps its file up to date.
#[derive(Debug)]
pub struct Minter {
    profile: String,
    instance: String,
    folder: TokenFolder,
    tokens: Box<dyn TokenSource>,
    retry: Retry,
}

/// A token that was written, as it may be shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Minted {
    /// `Bearer`, `DPoP` or `Session`.
    pub token_type: String,
    /// What it is for.
    pub scope: String,
    /// When it was requested.
    pub obtained_at: i64,
    /// When it ends.
    pub expires_at: i64,
    /// Whether the file holds another token than before.
    pub renewed: bool,
}

impl Minter {
    /// For the tokens of `account`, which signs in by OAuth, with these scopes, or by a login; `instance` says whose files they
    /// are.
    pub fn new(
        (source, account, connection): (&Source, &Account, &Connection),
        scopes: &BTreeSet<String>,
        (profile, instance): (&str, &str),
        folder: TokenFolder,
        retry: Retry,
    ) -> Result<Self> {
        let tokens: Box<dyn TokenSource> = match account.auth() {
            Auth::Oauth2(oauth) => Box::new(AccessToken::new(source, account, oauth, scopes, connection)?),
            Auth::Session(session) => Box::new(Session::new(source, account, session, connection)?),
            _ => {
                let what = "only an OAuth client, or who logs in, can get tokens";
                let error = Error::new(ErrorKind::Settings, "read settings", what);
                return Err(error.hint("give the settings of `oauth2` or `session` in the definition"));
            }
        };
        Ok(Self { profile: profile.to_owned(), instance: instance.to_owned(), tokens, folder, retry })
    }

    /// Sees to it that the file holds a token that is not due, and not the one that was `refused`; gives up after `span`.
    pub async fn mint(&self, refused: Option<&str>, span: Duration) -> Result<Minted> {
        let cause = Mutex::new(None);
        let token = match tokio::time::timeout(span, self.token(refused, &cause)).await {
            Ok(token) => token?,
            Err(_) => self.after(span, cause.into_inner().unwrap_or_else(PoisonError::into_inner))?,
        };
        // A file of a life before, or of another writer, is not ours to leave there.
        let there = self.folder.read(&self.profile).ok().flatten();
        let renewed = there.as_ref() != Some(&token);
        if renewed {
            self.folder.write(&token)?;
        }
        let TokenFile { token_type, scope, obtained_at, expires_at, .. } = token;
        Ok(Minted { token_type, scope, obtained_at, expires_at, renewed })
    }

    /// What a file says of a token.
    fn file(&self, token: &Token) -> TokenFile {
        TokenFile {
            schema: SCHEMA,
            profile: self.profile.clone(),
            instance: self.instance.clone(),
            access_token: token.secret.expose().to_owned(),
            token_type: self.tokens.token_type(token).to_owned(),
            scope: self.tokens.scope().to_owned(),
            obtained_at: token.obtained.as_second(),
            expires_at: token.expires.as_second(),
            dpop_jwk: token.key.as_ref().and_then(|key| key.private_jwk()),
        }
    }

    /// What there is after `span` without a new token: the one before, as long as it is valid. Otherwise the `cause` is
    /// returned, which is what the last request came to; without one, it had no response.
    fn after(&self, span: Duration, cause: Option<Error>) -> Result<TokenFile> {
        let (cache, scope, now) = (self.tokens.cache(), self.tokens.scope(), self.tokens.clock().now());
        if cause.is_none() {
            // The server is left alone for a while.
            let failure = Failure::from(self.tokens.too_slow(span));
            cache.fail(scope, self.tokens.credential()?, &failure, false, now);
        }
        if let Some(token) = cache.valid(scope, now) {
            return Ok(self.file(&token));
        }
        let error = match cause {
            None => self.tokens.too_slow(span),
            Some(cause) => {
                let message = format!("there was no token within {:.1} s", span.as_secs_f64());
                let error = Error::new(cause.kind(), cause.operation(), message);
                cause.hint_text().into_iter().fold(error, Error::hint).caused_by(cause)
            }
        };
        Err(error.temporary().persistent())
    }

    /// Requests until there is a token other than the one with the digest `refused`, or that is useless. What keeps it from
    /// coming is left in `cause`, but for a request that has no response yet.
    async fn token(&self, refused: Option<&str>, cause: &Mutex<Option<Error>>) -> Result<TokenFile> {
        let set = |to| *cause.lock().unwrap_or_else(PoisonError::into_inner) = to;
        // A file knows whole seconds only: a token of the last one has ended for all who read it there.
        let now = self.tokens.clock().now().as_second();
        self.tokens.cache().forget(self.tokens.scope(), |token| {
            token.expires.as_second() <= now || Some(&*digest(token.secret.expose())) == refused
        });
        let mut tally = Tally::default();
        let (mut attempts, began) = (0, Instant::now());
        loop {
            attempts += 1;
            let failure = match self.tokens.token().await {
                Ok(token) => return Ok(self.file(&token)),
                Err(failure) => failure,
            };
            let error = failure.error.after(attempts, began.elapsed());
            let Some(wait) = self.retry.wait(failure.verdict, &mut tally) else {
                return Err(error.persistent());
            };
            set(Some(error));
            tokio::time::sleep(wait).await;
            set(None);
        }
    }
}
