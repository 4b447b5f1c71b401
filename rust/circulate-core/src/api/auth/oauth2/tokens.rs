//! Access tokens that are at hand, and what is known of the servers they come from.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::key::SigningKey;
use crate::api::auth::open_sessions::OpenSessions;
use crate::api::http::{Failure, RetryDecision};
use crate::clock::{Clock, earlier, later};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::secrets::Secret;

/// A new token is got when a tenth of its life is left, but not more than five minutes before its end.
const MARGIN: Duration = Duration::from_mins(5);
/// How long no token is requested for a client that was refused, with the same credential: servers lock clients out.
const REFUSED_FOR: Duration = Duration::from_mins(1);
/// How long at least a server that did not give a new token is left alone while the old one is valid.
const PUT_OFF: Duration = Duration::from_secs(10);

/// The tokens of a process, shared by all pulls.
#[derive(Debug)]
pub struct Tokens {
    clock: Clock,
    clients: Mutex<BTreeMap<[String; 2], Arc<TokenCache>>>,
    sessions: OpenSessions,
}

impl Tokens {
    /// None yet. Expiry goes by the wall clock: others stand still while a Lambda function is frozen.
    pub fn new(clock: Clock) -> Self {
        Self { clock, clients: Mutex::default(), sessions: OpenSessions::default() }
    }

    pub(in crate::api::auth) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The sessions that are open.
    pub fn sessions(&self) -> &OpenSessions {
        &self.sessions
    }

    /// What is known of a client: of one id and credential, whose `digest` this is, at one token URL.
    pub(in crate::api::auth) fn client(&self, token_url: &str, digest: &str) -> Arc<TokenCache> {
        let key = [token_url, digest].map(str::to_owned);
        Arc::clone(locked(&self.clients).entry(key).or_default())
    }
}

/// An access token.
pub(in crate::api::auth) struct Token {
    pub(in crate::api::auth) secret: Secret,
    /// The key it is bound to.
    pub(in crate::api::auth) key: Option<Arc<SigningKey>>,
    pub(in crate::api::auth) obtained: Timestamp,
    pub(in crate::api::auth) expires: Timestamp,
    renew_at: Timestamp,
}

impl Token {
    pub(in crate::api::auth) fn new(
        secret: Secret,
        key: Option<Arc<SigningKey>>,
        obtained: Timestamp,
        lifetime: Duration,
    ) -> Self {
        let expires = later(obtained, lifetime);
        Self { secret, key, obtained, expires, renew_at: earlier(expires, MARGIN.min(lifetime / 10)) }
    }

    /// Whether it is time for another one.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        now >= self.renew_at
    }
}

/// Why there is no new token.
pub(in crate::api::auth) struct NoToken {
    pub(in crate::api::auth) failure: Failure,
    /// Who wants it is refused: another try too soon may lock it out.
    pub(in crate::api::auth) is_refused: bool,
}

impl From<Error> for NoToken {
    fn from(error: Error) -> Self {
        Self { failure: error.into(), is_refused: false }
    }
}

/// What they do for whom somebody else gets the next token already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::api::auth) enum Meanwhile {
    /// They go on with the token before, as long as that is valid.
    GoOn,
    /// They wait: the next one may be the end of the one before.
    Wait,
}

/// What is known of a client.
#[derive(Default)]
pub(in crate::api::auth) struct TokenCache {
    /// Held by the one who requests a token.
    turn: tokio::sync::Mutex<()>,
    known: Mutex<CachedClient>,
}

#[derive(Default)]
struct CachedClient {
    /// The server's clock less ours.
    ahead: SignedDuration,
    /// The key that tokens are bound to, once the server required that.
    key: Option<Arc<SigningKey>>,
    /// What the token endpoint gave for the next proof; the same is taken for a day or more.
    nonce: Option<String>,
    /// What APIs gave for theirs, by origin: it is kept apart from that of the token endpoint (RFC 9449, section 9).
    api_nonces: BTreeMap<String, String>,
    tokens: BTreeMap<String, CachedToken>,
}

/// Of one scope.
#[derive(Default)]
struct CachedToken {
    token: Option<Arc<Token>>,
    put_off: Option<Timestamp>,
    /// How often a token was requested.
    requests: u64,
    failed: Option<Failed>,
    /// The last one that the API refused, since there was a good one.
    refused: Option<Secret>,
}

/// Why the last request brought no token.
struct Failed {
    credential: String,
    since: Timestamp,
    until: Timestamp,
    operation: &'static str,
    kind: ErrorKind,
    status: Status,
    verdict: RetryDecision,
    message: String,
    hint: Option<String>,
}

impl Failed {
    fn failure(&self) -> Failure {
        let error = Error::new(self.kind, self.operation, self.message.clone());
        let error = self.hint.iter().fold(error, Error::hint);
        let error = if self.status == Status::Temporary { error.temporary() } else { error };
        Failure { error, verdict: self.verdict, page_too_big: false }
    }
}

/// What a request of a token is made with.
#[derive(Clone)]
pub(in crate::api::auth) struct Basis {
    pub(in crate::api::auth) ahead: SignedDuration,
    pub(in crate::api::auth) key: Option<Arc<SigningKey>>,
    pub(in crate::api::auth) nonce: Option<String>,
}

impl TokenCache {
    /// A token for `scope` that is valid, which `get` gets if need be. One does so, with the credential of this `digest`; the
    /// others take what comes of it.
    pub(in crate::api::auth) async fn token(
        &self,
        scope: &str,
        clock: &Clock,
        others: Meanwhile,
        digest: impl Fn() -> Result<String> + Send,
        get: impl Future<Output = Result<Token, NoToken>> + Send,
    ) -> Result<Arc<Token>, Failure> {
        if let Some(token) = self.ready(scope, clock.now()) {
            return Ok(token);
        }
        let seen = self.count_of_requests(scope);
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => match self.valid(scope, clock.now()).filter(|_| others == Meanwhile::GoOn) {
                Some(token) => return Ok(token),
                None => self.turn.lock().await,
            },
        };
        if let Some(token) = self.ready(scope, clock.now()) {
            return Ok(token);
        }
        let held_off = self.held_off(scope, &digest()?, clock.now());
        if let Some(failure) = self.failed_since(scope, seen).or(held_off) {
            return Err(failure);
        }
        match get.await {
            Ok(token) => Ok(self.keep(scope, token)),
            Err(NoToken { failure, is_refused }) => {
                let now = clock.now();
                self.fail(scope, digest()?, &failure, is_refused, now);
                self.valid(scope, now).ok_or(failure)
            }
        }
    }

    /// The token for `scope` if it is not due, or if getting another one was put off and it is still valid.
    fn ready(&self, scope: &str, now: Timestamp) -> Option<Arc<Token>> {
        let known = self.known();
        let slot = known.tokens.get(scope)?;
        let put_off = slot.put_off.is_some_and(|until| now < until);
        let good = |token: &&Arc<Token>| !token.is_due(now) || put_off && now < token.expires;
        slot.token.as_ref().filter(good).map(Arc::clone)
    }

    /// The token for `scope` if it is valid.
    pub(in crate::api::auth) fn valid(&self, scope: &str, now: Timestamp) -> Option<Arc<Token>> {
        let known = self.known();
        known.tokens.get(scope)?.token.as_ref().filter(|token| now < token.expires).map(Arc::clone)
    }

    /// How often a token for `scope` was requested.
    fn count_of_requests(&self, scope: &str) -> u64 {
        self.known().tokens.get(scope).map_or(0, |slot| slot.requests)
    }

    /// What came of a request that ended while we waited for it: of the ones after the `seen` first.
    fn failed_since(&self, scope: &str, seen: u64) -> Option<Failure> {
        let known = self.known();
        let slot = known.tokens.get(scope).filter(|slot| slot.requests > seen)?;
        slot.failed.as_ref().map(Failed::failure)
    }

    /// Why it is useless, or not polite, to retry yet.
    fn held_off(&self, scope: &str, credential: &str, now: Timestamp) -> Option<Failure> {
        let known = self.known();
        let failed = known.tokens.get(scope)?.failed.as_ref()?;
        // A clock that was set back says nothing.
        let holds = failed.credential == credential && failed.since <= now && now < failed.until;
        holds.then(|| {
            let left = failed.until.duration_since(now);
            let mut failure = failed.failure();
            failure.error = failure.error.with("not requested again for", format!("{left:#}"));
            failure
        })
    }

    fn keep(&self, scope: &str, token: Token) -> Arc<Token> {
        let (token, requests) = (Arc::new(token), self.count_of_requests(scope) + 1);
        let slot = CachedToken { token: Some(Arc::clone(&token)), requests, ..CachedToken::default() };
        self.known().tokens.insert(scope.to_owned(), slot);
        token
    }

    /// Remembers why there is no new token, for those who wait for it, and for as long as the server should be left alone.
    pub(in crate::api::auth) fn fail(
        &self,
        scope: &str,
        credential: String,
        why: &Failure,
        refused: bool,
        now: Timestamp,
    ) {
        let wait = match why.verdict {
            RetryDecision::After(wait) | RetryDecision::Throttled(Some(wait)) => wait,
            _ if refused => REFUSED_FOR,
            _ => Duration::ZERO,
        };
        let mut known = self.known();
        let slot = known.tokens.entry(scope.to_owned()).or_default();
        slot.requests += 1;
        slot.put_off = Some(later(now, wait.max(PUT_OFF)));
        slot.failed = Some(Failed {
            credential,
            since: now,
            until: later(now, wait),
            operation: why.error.operation(),
            kind: why.error.kind(),
            status: why.error.status(),
            verdict: why.verdict,
            message: why.error.to_string(),
            hint: why.error.hint_text().map(str::to_owned),
        });
    }

    /// Forgets the token for `scope`, if it is still the one that the API refused.
    pub(in crate::api::auth) fn forget(&self, scope: &str, is_it: impl Fn(&Token) -> bool) {
        if let Some(slot) = self.known().tokens.get_mut(scope)
            && let Some(token) = slot.token.take_if(|token| is_it(token))
        {
            slot.refused = Some(token.secret.clone());
        }
    }

    /// Whether the API refused this token for `scope`.
    pub(super) fn is_refused(&self, scope: &str, token: &Secret) -> bool {
        self.known().tokens.get(scope).is_some_and(|slot| slot.refused.as_ref() == Some(token))
    }

    pub(in crate::api::auth) fn basis(&self) -> Basis {
        let known = self.known();
        Basis { ahead: known.ahead, key: known.key.clone(), nonce: known.nonce.clone() }
    }

    /// From now on tokens are bound to `key`, unless there is one already.
    pub(in crate::api::auth) fn bind(&self, key: SigningKey) {
        self.known().key.get_or_insert_with(|| Arc::new(key));
    }

    /// From now on tokens are not bound.
    pub(super) fn unbind(&self) {
        self.known().key = None;
    }

    /// Learns from a response what time the server has, and what it wants in the next proof.
    pub(in crate::api::auth) fn learn(&self, date: Option<SignedDuration>, nonce: Option<&str>) {
        let mut known = self.known();
        known.ahead = date.unwrap_or(known.ahead);
        if let Some(nonce) = nonce {
            known.nonce = Some(nonce.to_owned());
        }
    }

    /// What the API at `origin` wants in the next proof.
    pub(in crate::api::auth) fn api_nonce(&self, origin: &str) -> Option<String> {
        self.known().api_nonces.get(origin).cloned()
    }

    /// Learns what the API at `origin` wants in the next proof.
    pub(in crate::api::auth) fn learn_api_nonce(&self, origin: String, nonce: &str) {
        self.known().api_nonces.insert(origin, nonce.to_owned());
    }

    fn known(&self) -> MutexGuard<'_, CachedClient> {
        locked(&self.known)
    }
}

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
