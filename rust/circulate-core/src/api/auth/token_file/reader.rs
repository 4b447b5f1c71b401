//! Signing in with a token that somebody else gets.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::HeaderMap;
use url::{Origin, Url};

use super::extension::{ExtensionOutcome, request_token};
use super::{TokenFile, TokenFolder, digest, in_authorization};
use crate::api::auth::Authorize;
use crate::api::auth::oauth2::dpop::{DPOP, DpopProof, nonce_of, proof};
use crate::api::auth::oauth2::key::SigningKey;
use crate::api::auth::session_token::{put, token_in};
use crate::api::http::{Failure, Request};
use crate::catalog::SessionSend;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::Secret;

/// How long a file is waited for if there is no extension.
const WAIT: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often a token is requested that ends before it is read.
const REQUESTS: usize = 3;

/// The token of a profile, as its file has it.
#[derive(Debug)]
pub struct FileToken {
    profile: String,
    folder: TokenFolder,
    clock: Clock,
    /// Where requests carry the token of a login.
    session: Option<SessionSend>,
    /// Where the last one carried its token.
    sent: Mutex<SessionSend>,
    /// What the API wants in the next proof, and its origin.
    nonce: Mutex<Option<(Origin, String)>>,
}

impl FileToken {
    /// The token of `profile` in `folder`, which requests carry as `session` says if it is that of a login; nothing is read yet.
    pub fn new(profile: &str, folder: TokenFolder, clock: Clock, session: Option<SessionSend>) -> Self {
        let sent = Mutex::new(in_authorization("Bearer"));
        Self { profile: profile.to_owned(), folder, clock, session, sent, nonce: Mutex::default() }
    }

    /// A token that has not ended. If there is none, as after a function was frozen for long, or if the file is not to be
    /// trusted, one is requested and waited for, but not for longer than ten seconds or so.
    pub async fn current(&self) -> Result<TokenFile> {
        match self.valid() {
            Ok(Some(token)) => Ok(token),
            Ok(None) | Err(_) => self.after_request(None).await,
        }
    }

    /// A token other than the one with this digest, which the API refused.
    pub async fn other_than(&self, refused: &str) -> Result<TokenFile> {
        match self.valid().ok().flatten().filter(|token| token.digest() != refused) {
            Some(token) => Ok(token),
            None => self.after_request(Some(refused)).await,
        }
    }

    async fn after_request(&self, refused: Option<&str>) -> Result<TokenFile> {
        let is_other = |token: &TokenFile| refused.is_none_or(|refused| token.digest() != refused);
        for _ in 0..REQUESTS {
            let (why, retryable) = match request_token(&self.folder, &self.profile, refused).await {
                ExtensionOutcome::Written => (None, false),
                ExtensionOutcome::Refused(why, retryable) => (Some(why), retryable),
                ExtensionOutcome::Absent => (self.wait_for(&is_other).await?, false),
            };
            match self.valid()?.filter(is_other) {
                Some(token) => return Ok(token),
                // It has ended on its way to us.
                None if why.is_none() => {}
                None => return Err(self.missing(why, retryable)),
            }
        }
        Err(self.missing(Some("each one ended before it could be read".to_owned()), true))
    }

    /// Waits for a file that somebody may be about to write; returns what to say if nobody did.
    async fn wait_for(&self, is_other: &(impl Fn(&TokenFile) -> bool + Sync)) -> Result<Option<String>> {
        let end = tokio::time::Instant::now() + WAIT;
        while tokio::time::Instant::now() < end {
            if self.valid().is_ok_and(|token| token.is_some_and(|token| is_other(&token))) {
                return Ok(None);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(Some("nobody is there to be asked for one".to_owned()))
    }

    fn valid(&self) -> Result<Option<TokenFile>> {
        let now = self.clock.now().as_second();
        Ok(self.folder.read(&self.profile)?.filter(|token| token.expires_at > now))
    }

    /// A token that may come a little later is a matter of the network: credentials that were refused are not.
    fn missing(&self, why: Option<String>, retryable: bool) -> Error {
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        let message = format!("there is no valid access token of the profile `{}`{why}", self.profile);
        if retryable {
            return Error::new(ErrorKind::Network, "sign in", message)
                .temporary()
                .hint("the extension's log says more");
        }
        Error::new(ErrorKind::Auth, "sign in", message)
            .hint("is the token extension attached to the function, and does it know this profile? Its log says more")
    }

    fn nonce(&self) -> MutexGuard<'_, Option<(Origin, String)>> {
        self.nonce.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sign(&self, request: &mut Request, token: &TokenFile) -> Result<()> {
        let (send, secret) = (token.send(self.session.as_ref())?, Secret::new(token.access_token.clone()));
        put(&send, request, &secret)?;
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner) = send;
        if let Some(jwk) = token.dpop_jwk.as_ref().filter(|_| token.is_bound()) {
            let key = SigningKey::read(&jwk.to_string(), None).map_err(|why| {
                Error::new(
                    ErrorKind::Auth,
                    "sign in",
                    format!("the key in the token file can't be used: {why}"),
                )
            })?;
            let (method, url) = (&request.method, &request.url);
            let nonce =
                self.nonce().clone().filter(|(origin, _)| *origin == url.origin()).map(|(_, nonce)| nonce);
            let (now, nonce) = (self.clock.now(), nonce.as_deref());
            let about = DpopProof { method, url, now, nonce, token: Some(&secret) };
            request.headers.insert(DPOP, proof(&key, &about)?);
        }
        Ok(())
    }
}

impl Authorize for FileToken {
    fn apply<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async {
            let token = self.current().await?;
            Ok(self.sign(request, &token)?)
        })
    }

    fn renew<'a>(&'a self, refused: &'a Request) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async {
            let token = token_in(&self.sent.lock().unwrap_or_else(PoisonError::into_inner), refused);
            let Some(token) = token else { return Ok(false) };
            self.other_than(&digest(&token)).await.map(|_| true)
        })
    }

    fn learn(&self, url: &Url, headers: &HeaderMap) {
        if let Some(nonce) = nonce_of(headers) {
            *self.nonce() = Some((url.origin(), nonce.to_owned()));
        }
    }
}
