//! Access tokens of OAuth 2.0 (RFC 6749), where the server requires it bound to a key of ours (RFC 9449).

mod assertion;
mod base64url;
mod credential;
pub(super) mod dpop;
mod granted;
pub(super) mod jws;
pub(super) mod key;
mod metadata;
mod random;
mod refresh;
mod refreshing;
mod service_account;
mod settings;
mod terms;
pub(super) mod tokens;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use url::Url;

use self::credential::Credential;
use self::dpop::{DPOP, DpopProof, nonce_of, proof};
use self::granted::{Granted, Reply, reply};
use self::key::SigningKey;
use self::refresh::{RefreshClaim, RefreshTokens};
use self::settings::ClientSettings;
use self::terms::TokenTerms;
use self::tokens::{Basis, Meanwhile, NoToken, Token, TokenCache};
use super::token_source::TokenSource;
use super::{Authorize, Connection};
use crate::api::account::Account;
use crate::api::http::{
    Classifier, Failure, MISSING_SCOPE, Pacing, Request, RetryDecision, Transport, VendorError, demands_dpop,
    server_date, verdict_of,
};
use crate::catalog::{GrantType, OAuth2, Source};
use crate::clock::{Clock, ahead_by};
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::Secret;

pub use self::refresh::settled;
pub use self::tokens::Tokens;

/// How long a token endpoint may take to respond.
const PATIENCE: Duration = Duration::from_secs(30);
/// A clock that is further off may be why a signed note was refused.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(4);

/// Signs requests in with an access token.
#[derive(Debug, Clone)]
pub struct AccessToken {
    title: String,
    settings: ClientSettings,
    terms: TokenTerms,
    token_url: Url,
    client: Arc<TokenCache>,
    clock: Clock,
    transport: Arc<dyn Transport>,
    pacing: Arc<Pacing>,
    classifier: Classifier,
    /// What tokens are got by, if not by the client's own credentials.
    refresh: Option<Arc<RefreshTokens>>,
}

/// What a token endpoint says.
enum TokenResponse {
    Granted(Granted),
    Refused(StatusCode, HeaderMap, VendorError),
}

/// No token.
struct Refusal {
    failure: Failure,
    /// The client itself is refused: a retry too soon may lock it out.
    of_client: bool,
    /// What the server said, if it said something.
    status: Option<StatusCode>,
    code: Option<String>,
}

impl Refusal {
    /// Whether what was presented for a token is not, or no longer, good for one (RFC 6749, section 5.2).
    fn is_of_grant(&self) -> bool {
        self.failure.verdict == RetryDecision::Fail && self.code.as_deref() == Some("invalid_grant")
    }
}

impl From<Refusal> for NoToken {
    fn from(refusal: Refusal) -> Self {
        Self { failure: refusal.failure, is_refused: refusal.of_client }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { failure: error.into(), of_client: false, status: None, code: None }
    }
}

/// What may be done about a refusal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Remedy {
    /// A proof with the nonce that was demanded.
    Nonce,
    /// What is signed goes by the server's clock.
    Clock,
    /// The stored secret is read again.
    Secret,
    /// Proof of possession, although it was not said to be missing.
    Proof,
}

/// What was done about refusals, each at most once.
#[derive(Default)]
struct Tried(Vec<Remedy>);

impl Tried {
    /// Whether this was not tried yet. From now on it was.
    fn first(&mut self, remedy: Remedy) -> bool {
        let first = !self.0.contains(&remedy);
        self.0.push(remedy);
        first
    }
}

impl AccessToken {
    /// Tokens for `scopes` by what `spec` says, out of `tokens` as far as they are there. A key that can't be used is refused
    /// here, before any request.
    pub fn new(
        source: &Source,
        account: &Account,
        spec: &OAuth2,
        scopes: &BTreeSet<String>,
        connection: &Connection,
    ) -> Result<Self> {
        let settings = ClientSettings::of(account, spec);
        let token_url = account.token_url(&spec.token_url)?;
        let terms = TokenTerms::of(account, spec, scopes)?;
        let client_id = settings.credential()?.client_id;
        let digest = format!("{} {}", settings.digest()?, terms.digest());
        let clock = connection.tokens.clock().clone();
        let refresh = spec
            .refresh_token
            .as_ref()
            .map(|name| RefreshTokens::new(source, account, name, &client_id, &token_url, clock.clone()));
        Ok(Self {
            title: source.title.clone(),
            refresh: refresh.transpose()?.map(Arc::new),
            client: connection.tokens.client(token_url.as_str(), &digest),
            settings,
            terms,
            token_url,
            clock,
            transport: Arc::clone(&connection.transport),
            pacing: Arc::clone(&connection.pacing),
            classifier: Classifier::new(source, account),
        })
    }

    async fn get(&self) -> Result<Token, Refusal> {
        if let Some(refresh) = &self.refresh {
            return self.refreshed(refresh).await;
        }
        let (granted, basis, requested) = self.granted(None).await?;
        Ok(self.token_of(granted, basis, requested)?)
    }

    /// What the server grants, what that was requested with, and when. Retries where the response says what was missing; what
    /// may go away by itself is left to the caller.
    async fn granted(
        &self,
        mut claim: Option<&mut dyn RefreshClaim>,
    ) -> Result<(Granted, Basis, Timestamp), Refusal> {
        let mut tried = Tried::default();
        loop {
            let credential = self.settings.credential()?;
            let basis = self.client.basis();
            let requested = self.clock.now();
            if let Some(claim) = &mut claim {
                claim.begin()?;
            }
            let refresh_token = claim.as_ref().map(|claim| &claim.record().refresh_token);
            let request = self.request(&credential, refresh_token, &basis, requested)?;
            let response = tokio::time::timeout(PATIENCE, self.request_token(request)).await;
            match response.map_err(|_| self.too_slow(PATIENCE)).flatten()? {
                TokenResponse::Granted(granted) => return Ok((granted, basis, requested)),
                TokenResponse::Refused(status, headers, vendor) => {
                    let failure = self.failure(status, &headers, &vendor);
                    // What goes away by itself says nothing of the client, whatever its body says.
                    let for_good = failure.verdict == RetryDecision::Fail;
                    let demands = demands_dpop(&headers);
                    if !for_good
                        || !self.amend((status, &vendor), demands, &credential, &basis, &mut tried).await
                    {
                        let of_client = for_good && self.is_of_client(status, &vendor);
                        return Err(Refusal { failure, of_client, status: Some(status), code: vendor.code });
                    }
                }
            }
        }
    }

    async fn request_token(&self, request: Request) -> Result<TokenResponse> {
        let response = self.transport.send(request).await.map_err(|error| self.at_token_url(error))?;
        let ahead = server_date(&response.headers).map(|date| date.duration_since(self.clock.now()));
        self.client.learn(ahead, nonce_of(&response.headers));
        let (status, headers) = (response.status, response.headers.clone());
        let refusal = if status.is_success() {
            match reply(response).await.map_err(|error| self.at_token_url(error))? {
                Reply::Granted(granted) => return Ok(TokenResponse::Granted(granted)),
                Reply::Refused(refusal) => refusal,
            }
        } else {
            response
        };
        Ok(TokenResponse::Refused(status, headers, self.classifier.vendor_error_of(refusal).await))
    }

    fn token_of(&self, granted: Granted, basis: Basis, requested: Timestamp) -> Result<Token> {
        let granted = granted.access.map_err(|error| self.at_token_url(error))?;
        let key = basis.key.filter(|_| granted.bound);
        if granted.bound && key.is_none() {
            let what = "the token endpoint bound the token to a key that we did not name";
            return Err(self.at_token_url(Error::new(ErrorKind::Data, "get access token", what)));
        }
        // RFC 6749, section 5.1: the scope is named if it is not what was requested.
        let is_missing =
            |scope: &str, granted: &str| !granted.split([' ', ',']).any(|granted| granted == scope);
        let missing: Vec<_> = match &granted.scope {
            Some(granted) => self
                .terms
                .scope
                .split(' ')
                .filter(|scope| !scope.is_empty() && is_missing(scope, granted))
                .collect(),
            None => Vec::new(),
        };
        if missing.is_empty() {
            return Ok(Token::new(granted.token, key, requested, granted.lifetime));
        }
        let what = format!("{} gave an access token without the scope {}", self.title, missing.join(" "));
        let error = self.at_token_url(Error::new(ErrorKind::Auth, "get access token", what));
        Err(error.hint(self.classifier.hint_for(MISSING_SCOPE).unwrap_or("let the client have this scope")))
    }

    fn request(
        &self,
        credential: &Credential,
        refresh_token: Option<&Secret>,
        basis: &Basis,
        now: Timestamp,
    ) -> Result<Request> {
        let now = ahead_by(now, basis.ahead);
        let mut request = self.terms.request(credential, refresh_token, &self.token_url, now)?;
        if let Some(key) = &basis.key {
            let nonce = basis.nonce.as_deref();
            let about = DpopProof { method: &request.method, url: &request.url, now, nonce, token: None };
            request.headers.insert(DPOP, proof(key, &about)?);
        }
        Ok(request)
    }

    fn at_token_url(&self, error: Error) -> Error {
        error.with("token URL", &self.token_url)
    }

    /// Does what a refusal demands; returns whether there is a point in a retry.
    async fn amend(
        &self,
        (status, vendor): (StatusCode, &VendorError),
        demands_dpop: bool,
        credential: &Credential,
        basis: &Basis,
        tried: &mut Tried,
    ) -> bool {
        // Some say it by a code of DPoP, others in the sentence of `invalid_grant` or of `invalid_request`, or by a challenge. We
        // sent no proof, so it can only be missing.
        let about_proof = demands_dpop || vendor.mentions("dpop");
        if basis.key.is_none() && about_proof {
            return SigningKey::generate().map(|key| self.client.bind(key)).is_ok();
        }
        let now = self.client.basis();
        let wants_nonce = basis.key.is_some() && (about_proof || vendor.mentions("nonce"));
        if wants_nonce && now.nonce != basis.nonce && tried.first(Remedy::Nonce) {
            return true;
        }
        // What is signed says when; a clock that is off makes it expired, or not yet valid, by whatever code that is said.
        let signed = credential.key.is_some() || basis.key.is_some();
        if signed && (now.ahead - basis.ahead).abs() > CLOCK_TOLERANCE && tried.first(Remedy::Clock) {
            return true;
        }
        let of_client = self.is_of_client(status, vendor);
        if of_client && tried.first(Remedy::Secret) && self.reads_another_secret().await {
            return true;
        }
        // `oidc-provider` says nothing but `invalid_grant` where proof is missing. Where it was not, no token is to be bound.
        let may_want_proof = basis.key.is_none() && vendor.code.as_deref() == Some("invalid_grant");
        if may_want_proof && self.takes_proofs().await && tried.first(Remedy::Proof) {
            return SigningKey::generate().map(|key| self.client.bind(key)).is_ok();
        }
        if tried.0.contains(&Remedy::Proof) {
            self.client.unbind();
        }
        false
    }

    /// Whether a proof of possession may be what was missing. A refresh token that was refused is sent again only to a server that
    /// says that it takes proofs: each use of one that is used up is what thieves do.
    async fn takes_proofs(&self) -> bool {
        if self.terms.grant != GrantType::RefreshToken {
            return true;
        }
        let said = metadata::takes_proofs(&*self.transport, &self.token_url);
        tokio::time::timeout(PATIENCE, said).await.unwrap_or_default()
    }

    /// Whether a refusal is about who the client is, rather than about what it wants. The key of an assertion is not right where
    /// the grant is not.
    fn is_of_client(&self, status: StatusCode, vendor: &VendorError) -> bool {
        match vendor.code.as_deref() {
            Some("invalid_client" | "unauthorized_client") => true,
            Some("invalid_grant") if self.terms.grant == GrantType::JwtBearer => true,
            // Many have codes of their own, or none.
            _ => status == StatusCode::UNAUTHORIZED,
        }
    }

    /// Whether the stored secret holds something else by now. What keeps us from knowing adds nothing to the refusal.
    async fn reads_another_secret(&self) -> bool {
        let before = self.settings.digest().ok();
        self.settings.read_again().await.is_ok() && self.settings.digest().ok() != before
    }

    fn failure(&self, status: StatusCode, headers: &HeaderMap, vendor: &VendorError) -> Failure {
        let (title, number, said) = (&self.title, status.as_u16(), vendor.after_colon());
        let verdict = match verdict_of(status, headers, &self.pacing.limiter) {
            // There is nothing to renew here: what is refused is what a token would be got with.
            RetryDecision::Renew | RetryDecision::Nonce => RetryDecision::Fail,
            RetryDecision::Fail if vendor.code.as_deref() == Some("temporarily_unavailable") => {
                RetryDecision::Backoff
            }
            verdict => verdict,
        };
        let (kind, message) = match number {
            _ if matches!(verdict, RetryDecision::Throttled(_)) => (
                ErrorKind::RateLimited,
                format!("{title}'s token endpoint asked us to slow down ({number}){said}"),
            ),
            300..=399 => (
                ErrorKind::Auth,
                format!("{title}'s token endpoint returned a redirect ({number}), which is never followed"),
            ),
            200..=299 | 400..=499 => {
                (ErrorKind::Auth, format!("{title} gave no access token ({number}){said}"))
            }
            _ => (ErrorKind::Api, format!("{title}'s token endpoint returned {number}{said}")),
        };
        let known = vendor.code.as_deref().and_then(|code| self.classifier.hint_for(code));
        let hint = match known {
            Some(hint) => hint.to_owned(),
            None if vendor.code.as_deref() == Some("invalid_scope") && self.terms.scope.is_empty() => {
                "the API has scopes: add `scopes: [...]` to the endpoint and to its parent".to_owned()
            }
            None => format!("check the token URL, {}", self.classifier.credentials()),
        };
        // Not reported as a response of the API: that a token is refused says nothing of what the account has.
        let error = self
            .at_token_url(Error::new(kind, "get access token", message))
            .with("scopes", if self.terms.scope.is_empty() { "none" } else { &self.terms.scope });
        let error = if verdict == RetryDecision::Fail { error.hint(hint) } else { error.temporary() };
        Failure { error, verdict, page_too_big: false }
    }

    fn header(token: &Token) -> Result<HeaderValue> {
        let kind = if token.key.is_some() { "DPoP" } else { "Bearer" };
        let value = format!("{kind} {}", token.secret.expose()).parse();
        let mut value: HeaderValue = value.map_err(|_| {
            Error::new(ErrorKind::Data, "sign in", "the access token is nothing a header can hold")
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl TokenSource for AccessToken {
    fn token(&self) -> BoxFuture<'_, Result<Arc<Token>, Failure>> {
        let get = async { Ok(self.get().await?) };
        let digest = || self.settings.digest();
        Box::pin(self.client.token(&self.terms.scope, &self.clock, Meanwhile::GoOn, digest, get))
    }

    fn cache(&self) -> &TokenCache {
        &self.client
    }

    fn scope(&self) -> &str {
        &self.terms.scope
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn credential(&self) -> Result<String> {
        self.settings.digest()
    }

    fn token_type(&self, token: &Token) -> &'static str {
        if token.key.is_some() { "DPoP" } else { "Bearer" }
    }

    fn too_slow(&self, span: Duration) -> Error {
        let message = format!("the token endpoint did not respond within {:.1} s", span.as_secs_f64());
        self.at_token_url(Error::new(ErrorKind::Network, "get access token", message).temporary())
    }
}

impl Authorize for AccessToken {
    fn apply<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async {
            let token = self.token().await?;
            request.headers.insert(AUTHORIZATION, Self::header(&token)?);
            if let Some(key) = &token.key {
                let now = ahead_by(self.clock.now(), self.client.basis().ahead);
                let (method, url) = (&request.method, &request.url);
                let nonce = self.client.api_nonce(&url.origin().ascii_serialization());
                let about =
                    DpopProof { method, url, now, nonce: nonce.as_deref(), token: Some(&token.secret) };
                request.headers.insert(DPOP, proof(key, &about)?);
            }
            Ok(())
        })
    }

    fn renew<'a>(&'a self, refused: &'a Request) -> BoxFuture<'a, Result<bool>> {
        let refused = refused.headers.get(AUTHORIZATION);
        // The next attempt gets another one, unless somebody did so already.
        self.client.forget(&self.terms.scope, |token| Self::header(token).ok().as_ref() == refused);
        Box::pin(std::future::ready(Ok(true)))
    }

    fn learn(&self, url: &Url, headers: &HeaderMap) {
        if let Some(nonce) = nonce_of(headers) {
            self.client.learn_api_nonce(url.origin().ascii_serialization(), nonce);
        }
        if demands_dpop(headers) && self.client.basis().key.is_none() {
            // Without a key the next token is as this one, and the API says so again.
            let _ = SigningKey::generate().map(|key| self.client.bind(key));
        }
    }
}

#[cfg(test)]
#[path = "tests/oauth2.rs"]
mod tests;

#[cfg(test)]
#[path = "tests/requests.rs"]
mod requests_tests;

#[cfg(test)]
#[path = "tests/vectors.rs"]
mod vectors_tests;
