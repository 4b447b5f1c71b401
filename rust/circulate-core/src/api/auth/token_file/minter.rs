//! Getting tokens for others, who read them from files.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::{SCHEMA, TokenFile, TokenFolder};
use crate::api::account::Account;
use crate::api::auth::{AccessToken, Connection};
use crate::api::http::{Retry, Tally};
use crate::catalog::{Auth, Source};
use crate::error::{Error, ErrorKind, Result};

/// Gets the token of a profile and keeps its file up to date.
#[derive(Debug)]
pub struct Minter {
    profile: String,
    instance: String,
    folder: TokenFolder,
    token: AccessToken,
    retry: Retry,
}

/// A token that was written, as it may be shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Minted {
    /// `Bearer` or `DPoP`.
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
    /// For the tokens of `account`, which signs in by OAuth, with these scopes; `instance` says whose files they are.
    pub fn new(
        (source, account, connection): (&Source, &Account, &Connection),
        scopes: &BTreeSet<String>,
        (profile, instance): (&str, &str),
        folder: TokenFolder,
        retry: Retry,
    ) -> Result<Self> {
        let Auth::Oauth2(oauth) = account.auth() else {
            let what = "only an OAuth client can get tokens";
            let error = Error::new(ErrorKind::Settings, "read settings", what);
            return Err(error.hint("give a client id, and its key or secret"));
        };
        Ok(Self {
            profile: profile.to_owned(),
            instance: instance.to_owned(),
            token: AccessToken::new(source, account, oauth, scopes, connection)?,
            folder,
            retry,
        })
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

    fn file(&self, issued: TokenFile) -> TokenFile {
        TokenFile { schema: SCHEMA, profile: self.profile.clone(), instance: self.instance.clone(), ..issued }
    }

    /// What there is after `span` without a new token: the one before, as long as it is valid. Otherwise the `cause` is
    /// returned, which is what the last request came to; without one, it had no response.
    fn after(&self, span: Duration, cause: Option<Error>) -> Result<TokenFile> {
        let valid = if cause.is_none() { self.token.after_stall()? } else { self.token.valid() };
        if let Some(issued) = valid {
            return Ok(self.file(issued));
        }
        let seconds = span.as_secs_f64();
        let error = if let Some(cause) = cause {
            let message = format!("there was no access token within {seconds:.1} s");
            let error = Error::new(cause.kind(), "get access token", message);
            cause.hint_text().into_iter().fold(error, Error::hint).caused_by(cause)
        } else {
            let message = format!("the token endpoint did not respond within {seconds:.1} s");
            self.token.at_token_url(Error::new(ErrorKind::Network, "get access token", message))
        };
        Err(error.temporary().persistent())
    }

    /// Requests until there is a token, or that is useless. What keeps it from coming is left in `cause`, but for a request
    /// that has no response yet.
    async fn token(&self, refused: Option<&str>, cause: &Mutex<Option<Error>>) -> Result<TokenFile> {
        let set = |to| *cause.lock().unwrap_or_else(PoisonError::into_inner) = to;
        let mut tally = Tally::default();
        let (mut attempts, began) = (0, Instant::now());
        loop {
            attempts += 1;
            let failure = match self.token.issue(refused).await {
                Ok(issued) => return Ok(self.file(issued)),
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
