//! Sessions: a login gives a token, by which requests are signed in until it expires or is refused. Many requests log in once.

mod cookie;
mod login;
mod response;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode};
use jiff::SignedDuration;

use self::login::{LoginSettings, method};
use self::response::{LoginResponse, UNTIL_REFUSED};
use super::oauth2::tokens::{Meanwhile, NoToken, Token, TokenCache};
use super::open_sessions::OpenSession;
use super::session_token::{put, token_in};
use super::token_source::TokenSource;
use super::{Authorize, Connection, TokenFile};
use crate::api::account::Account;
use crate::api::http::{Classifier, Failure, Request, RetryDecision, VendorError, server_date, verdict_of};
use crate::catalog::{LoginRequest, SessionAuth, SessionToken, Source, Span};
use crate::clock::{Clock, ahead_by};
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::Secret;

/// How long a login may take, a second step included.
const PATIENCE: Duration = Duration::from_secs(30);
/// A clock that is further off may be why a signed note was refused.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(4);
/// There is one token of a login.
const SCOPE: &str = "";

/// Signs requests in with the token of a session.
#[derive(Debug)]
pub struct Session {
    title: String,
    spec: SessionAuth,
    settings: LoginSettings,
    /// What distinguishes it from other sessions of the connection.
    key: String,
    cache: Arc<TokenCache>,
    connection: Connection,
    classifier: Classifier,
}

impl Session {
    /// A session by what `spec` says, out of those that the connection has. What can't be sent is refused here, before any
    /// request.
    pub fn new(
        source: &Source,
        account: &Account,
        spec: &SessionAuth,
        connection: &Connection,
    ) -> Result<Self> {
        let settings = LoginSettings::new(account, spec);
        let now = connection.tokens.clock().now();
        let login = settings.request(&spec.login, None, now)?;
        if let Some(exchange) = &spec.exchange {
            settings.request(exchange, Some(&Secret::not_secret("token")), now)?;
        }
        if let Some(logout) = &spec.logout {
            settings.address(&logout.path)?;
        }
        let said = serde_json::to_string(spec).map_err(|error| {
            Error::new(ErrorKind::Definition, "prepare login", "the definition can't be written")
                .caused_by(error)
        })?;
        let key = format!("{} {said}", login.url);
        Ok(Self {
            title: source.title.clone(),
            cache: connection.tokens.client(&key, &settings.digest()?),
            key,
            spec: spec.clone(),
            settings,
            connection: connection.clone(),
            classifier: Classifier::new(source, account),
        })
    }

    /// Logs in. Tries again where the response shows what was wrong; what may go away by itself is left to the caller.
    async fn log_in(&self) -> Result<Token, NoToken> {
        let (mut redated, mut read_again) = (false, false);
        loop {
            let (ahead, before) = (self.cache.basis().ahead, self.settings.digest()?);
            let steps = tokio::time::timeout(PATIENCE, self.steps());
            let failed = match steps.await.unwrap_or_else(|_| Err(self.too_slow(PATIENCE).into())) {
                Ok(token) => {
                    self.log_out_later(&token.secret);
                    return Ok(token);
                }
                Err(failed) if !failed.is_refused => return Err(failed),
                Err(failed) => failed,
            };
            let is_off = (self.cache.basis().ahead - ahead).abs() > CLOCK_TOLERANCE;
            if self.settings.says_when() && is_off && !std::mem::replace(&mut redated, true) {
                continue;
            }
            // What keeps us from knowing what the stored secret holds by now adds nothing to the refusal.
            if !std::mem::replace(&mut read_again, true)
                && self.settings.read_again().await.is_ok()
                && self.settings.digest()? != before
            {
                continue;
            }
            return Err(failed);
        }
    }

    /// The login, and what follows it.
    async fn steps(&self) -> Result<Token, NoToken> {
        let (spec, requested) = (&self.spec, self.connection.tokens.clock().now());
        let of_session = &spec.token;
        let Some(exchange) = &spec.exchange else {
            let response = self.send(&spec.login, None, of_session).await?;
            return self.token_of(&response, requested);
        };
        let location = spec.login.token.as_ref().unwrap_or(of_session);
        let first = self.token_at(location, &self.send(&spec.login, None, location).await?, &spec.login)?;
        let response = self.send(exchange, Some(&first), of_session).await?;
        self.token_of(&response, requested)
    }

    fn token_of(&self, response: &LoginResponse, requested: jiff::Timestamp) -> Result<Token, NoToken> {
        let last = self.spec.exchange.as_ref().unwrap_or(&self.spec.login);
        let token = self.token_at(&self.spec.token, response, last)?;
        let named = response.lifetime(&self.spec).map_err(|error| self.at(last, error))?;
        let lifetime = named.or(self.spec.lifetime.map(Span::get)).unwrap_or(UNTIL_REFUSED);
        Ok(Token::new(token, None, requested, lifetime))
    }

    /// The token in a response. One without it is what pages for people say to a wrong password.
    fn token_at(
        &self,
        location: &SessionToken,
        response: &LoginResponse,
        spec: &LoginRequest,
    ) -> Result<Secret, NoToken> {
        let refused = |error| NoToken { failure: self.at(spec, error).into(), is_refused: true };
        response.token(location).map_err(refused)
    }

    /// Sends one request of a login; `location` is where its response has a token.
    async fn send(
        &self,
        spec: &LoginRequest,
        token: Option<&Secret>,
        location: &SessionToken,
    ) -> Result<LoginResponse, NoToken> {
        let clock = self.connection.tokens.clock();
        let now = ahead_by(clock.now(), self.cache.basis().ahead);
        let request = self.settings.request(spec, token, now)?;
        let response = self.connection.transport.send(request).await.map_err(|error| self.at(spec, error))?;
        let ahead = server_date(&response.headers).map(|date| date.duration_since(clock.now()));
        self.cache.learn(ahead, None);
        let (status, headers) = (response.status, response.headers.clone());
        // Pages for people lead on once somebody is logged in: the token comes with that.
        let leads_on = status.is_redirection() && response::is_beside_body(&headers, location, clock.now());
        if status.is_success() || leads_on {
            return LoginResponse::read(response, clock.now())
                .await
                .map_err(|error| self.at(spec, error).into());
        }
        let vendor = self.classifier.vendor_error_of(response).await;
        Err(self.refusal(spec, status, &headers, &vendor))
    }

    fn refusal(
        &self,
        spec: &LoginRequest,
        status: StatusCode,
        headers: &HeaderMap,
        vendor: &VendorError,
    ) -> NoToken {
        let (title, number, said) = (&self.title, status.as_u16(), vendor.after_colon());
        let verdict = match verdict_of(status, headers, &self.connection.pacing.limiter) {
            // There is nothing to renew here: what is refused is what a session would begin with.
            RetryDecision::Renew | RetryDecision::Nonce => RetryDecision::Fail,
            verdict => verdict,
        };
        let (kind, message) = match number {
            _ if matches!(verdict, RetryDecision::Throttled(_)) => {
                (ErrorKind::RateLimited, format!("{title} asked us to log in later ({number}){said}"))
            }
            300..=399 => (
                ErrorKind::Auth,
                format!("{title}'s login returned a redirect ({number}), which is never followed"),
            ),
            400..=499 => (ErrorKind::Auth, format!("{title} refused the login ({number}){said}")),
            _ => (ErrorKind::Api, format!("{title}'s login returned {number}{said}")),
        };
        let is_refused = verdict == RetryDecision::Fail;
        let known = vendor.code.as_deref().and_then(|code| self.classifier.hint_for(code));
        let check = if status.is_redirection() {
            "check the path of the login; a page for people responds so to a wrong user or password, too"
                .to_owned()
        } else {
            format!("check {}", self.classifier.credentials())
        };
        let error = self.at(spec, Error::new(kind, "log in", message));
        let error = if is_refused { error.hint(known.unwrap_or(&check)) } else { error.temporary() };
        NoToken { failure: Failure { error, verdict, page_too_big: false }, is_refused }
    }

    fn at(&self, spec: &LoginRequest, error: Error) -> Error {
        match self.settings.address(&spec.path) {
            Ok(address) => error.with("login", address),
            Err(_) => error,
        }
    }

    /// What cannot be logged out of ends by itself.
    fn log_out_later(&self, token: &Secret) {
        let Some(logout) = &self.spec.logout else { return };
        let Ok(url) = self.settings.address(&logout.path) else { return };
        let mut request = Request { method: method(logout.method, Method::DELETE), ..Request::get(url) };
        if put(&self.spec.send, &mut request, token).is_ok() {
            let open = OpenSession { request, transport: Arc::clone(&self.connection.transport) };
            self.connection.tokens.sessions().opened(&self.key, open);
        }
    }
}

impl TokenSource for Session {
    fn token(&self) -> BoxFuture<'_, Result<Arc<Token>, Failure>> {
        let (cache, clock, digest) = (&self.cache, self.clock(), || self.settings.digest());
        Box::pin(cache.token(SCOPE, clock, Meanwhile::Wait, digest, self.log_in()))
    }

    fn cache(&self) -> &TokenCache {
        &self.cache
    }

    fn scope(&self) -> &str {
        SCOPE
    }

    fn clock(&self) -> &Clock {
        self.connection.tokens.clock()
    }

    fn credential(&self) -> Result<String> {
        self.settings.digest()
    }

    fn token_type(&self, _: &Token) -> &'static str {
        TokenFile::SESSION
    }

    fn too_slow(&self, span: Duration) -> Error {
        let message = format!("{} did not log us in within {:.1} s", self.title, span.as_secs_f64());
        Error::new(ErrorKind::Network, "log in", message).temporary()
    }
}

impl Authorize for Session {
    fn apply<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(put(&self.spec.send, request, &self.token().await?.secret)?) })
    }

    fn renew<'a>(&'a self, refused: &'a Request) -> BoxFuture<'a, Result<bool>> {
        let refused = token_in(&self.spec.send, refused);
        // The next attempt logs in, unless somebody did so already.
        self.cache.forget(SCOPE, |token| refused.as_deref() == Some(token.secret.expose()));
        Box::pin(std::future::ready(Ok(true)))
    }
}
