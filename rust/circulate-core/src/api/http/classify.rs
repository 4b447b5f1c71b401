//! What a response means: success, retry or failure, and the sentence that says so.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, StatusCode};

use super::challenge::{challenge, gives_nonce};
use super::error_body;
use super::rate_limit::{RateLimiter, Throttle, retry_after};
use super::{Redactor, Response, RetryDecision};
use crate::api::account::Account;
use crate::catalog::{ErrorBody, Pointer, Source};
use crate::error::{Error, ErrorKind, Status};

/// A failed attempt: the error to report and whether another attempt may help.
#[derive(Debug)]
pub struct Failure {
    /// What to report if we give up.
    pub error: Error,
    /// What may be done about it.
    pub verdict: RetryDecision,
    /// A smaller page may succeed where this one failed.
    pub page_too_big: bool,
}

impl From<Error> for Failure {
    /// Errors marked temporary are worth a backoff.
    fn from(error: Error) -> Self {
        let verdict = match error.status() {
            Status::Temporary if error.is_worth_one_retry() => RetryDecision::Once,
            Status::Temporary => RetryDecision::Backoff,
            Status::Permanent | Status::Persistent => RetryDecision::Fail,
        };
        Self { error, verdict, page_too_big: false }
    }
}

/// Reads responses by the rules of a source.
#[derive(Debug)]
pub struct Classifier {
    title: String,
    error_body: Option<ErrorBody>,
    request_id: Option<String>,
    /// What the credentials are, for hints.
    credentials: String,
}

/// What the vendor says, as far as it can be shown.
#[derive(Debug)]
pub(crate) struct VendorError {
    pub(crate) code: Option<String>,
    message: Option<String>,
    /// The token lacks a scope, whatever the code says.
    missing_scope: bool,
    scope: Option<String>,
}

impl VendorError {
    /// Whether code or sentence speak of it.
    pub(crate) fn mentions(&self, word: &str) -> bool {
        let said = [&self.code, &self.message].into_iter().flatten();
        said.map(|said| said.to_lowercase()).any(|said| said.contains(word))
    }

    /// Code and sentence after a colon, or nothing.
    pub(crate) fn after_colon(&self) -> String {
        let said: Vec<_> = [&self.code, &self.message].into_iter().flatten().map(String::as_str).collect();
        if said.is_empty() { String::new() } else { format!(": {}", said.join(" ")) }
    }
}

/// RFC 6750, section 3.1.
pub(crate) const MISSING_SCOPE: &str = "insufficient_scope";
/// How many bytes of an error response are read.
const MAX_ERROR_BODY: usize = 64 * 1024;
/// How many characters of a vendor's sentence are shown.
const MAX_ERROR_TEXT: usize = 300;

impl Classifier {
    /// The rules of `source`, for an account that signs in as `account` does.
    pub fn new(source: &Source, account: &Account) -> Self {
        let named =
            |name| source.settings.get(name).map(|setting| format!("{} ({})", setting.env, setting.about));
        let used = account.auth().settings().filter(|name| account.is_set(name)).filter_map(named);
        Self {
            title: source.title.clone(),
            error_body: source.error_body.clone(),
            request_id: source.request_id.clone(),
            credentials: used.collect::<Vec<_>>().join(", "),
        }
    }

    /// Passes a success on, and a response whose status means an empty list; turns any other into what to do about it. Reads
    /// at most 64 KB of its body.
    pub async fn check(
        &self,
        response: Response,
        limiter: &RateLimiter,
        empty: &BTreeSet<u16>,
    ) -> Result<Response, Failure> {
        if response.status.is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status, response.headers.clone());
        let vendor = self.vendor_error(response).await;
        let missing_scope = vendor.missing_scope && matches!(status.as_u16(), 400..=428);
        let is_session = vendor.code.as_ref().is_some_and(|code| self.is_session_code(code));
        // A missing scope is said with 401 by some, with 403 by most (RFC 6750, section 3.1). Another token would have no more.
        let verdict = match verdict_of(status, &headers, limiter) {
            _ if missing_scope => RetryDecision::Fail,
            RetryDecision::Fail if empty.contains(&status.as_u16()) => {
                return Ok(Response { status, headers, body: futures_util::stream::empty().boxed() });
            }
            RetryDecision::Fail if is_session => RetryDecision::Session,
            verdict => verdict,
        };
        let error = if missing_scope {
            self.scope_error(&vendor)
        } else if verdict == RetryDecision::Session {
            self.session_error(status, &vendor)
        } else {
            self.error(status, &headers, &vendor, verdict)
        };
        let code = if missing_scope { Some(MISSING_SCOPE.to_owned()) } else { vendor.code };
        let error = self.with_request_id(error, &headers).with_response(status.as_u16(), code);
        let for_good = matches!(verdict, RetryDecision::Fail | RetryDecision::Renew | RetryDecision::Nonce);
        let error = if for_good { error } else { error.temporary() };
        Err(Failure { error, verdict, page_too_big: status == StatusCode::INTERNAL_SERVER_ERROR })
    }

    fn is_session_code(&self, code: &str) -> bool {
        self.error_body
            .as_ref()
            .is_some_and(|fields| fields.invalid_session.iter().any(|known| known == code))
    }

    /// Not about what was requested, whatever the status says.
    fn session_error(&self, status: StatusCode, vendor: &VendorError) -> Error {
        let (title, number, said) = (&self.title, status.as_u16(), vendor.after_colon());
        let message = format!("{title} says that the session is not valid ({number}){said}");
        let known = vendor.code.as_deref().and_then(|code| self.hint_for(code)).map(str::to_owned);
        let hint = || {
            format!("it said so twice: check {}; it may have been revoked, or have expired", self.credentials)
        };
        Error::new(ErrorKind::Auth, "request page", message).hint(known.unwrap_or_else(hint))
    }

    /// It says something about the token and nothing about what was requested: no other request would fare better.
    fn scope_error(&self, vendor: &VendorError) -> Error {
        let scope = vendor.scope.as_deref().unwrap_or("another");
        let message = format!("{} refused the access token: this needs the scope {scope}", self.title);
        let hint = self.hint_for(MISSING_SCOPE).unwrap_or("let the client have this scope");
        Error::new(ErrorKind::Auth, "request page", message).hint(hint)
    }

    /// What the settings are that the account signs in with.
    pub(crate) fn credentials(&self) -> &str {
        &self.credentials
    }

    /// What the definition knows of an error.
    pub(crate) fn hint_for(&self, code: &str) -> Option<&str> {
        self.error_body.as_ref()?.hints.get(code).map(String::as_str)
    }

    /// What to do about credentials, unless there are none.
    fn unless_open(&self, hint: String) -> String {
        if self.credentials.is_empty() {
            return "it wants to know who asks: add `auth` to the definition of the source".to_owned();
        }
        hint
    }

    fn with_request_id(&self, error: Error, headers: &HeaderMap) -> Error {
        match self.request_id.as_ref().and_then(|name| headers.get(name)) {
            Some(id) => error.with("request", Redactor::shared().shown_bytes(id.as_bytes(), MAX_ERROR_TEXT)),
            None => error,
        }
    }

    fn error(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        vendor: &VendorError,
        verdict: RetryDecision,
    ) -> Error {
        let title = &self.title;
        let said = vendor.after_colon();
        let number = status.as_u16();
        let (kind, message, hint) =
            match number {
                _ if matches!(verdict, RetryDecision::Throttled(_)) => {
                    (ErrorKind::RateLimited, format!("{title} asked us to slow down ({number}){said}"), None)
                }
                401 => (
                    ErrorKind::Auth,
                    format!("{title} refused the credentials (401){said}"),
                    Some(self.unless_open(format!(
                        "check {}; it may be wrong, expired or revoked",
                        self.credentials
                    ))),
                ),
                403 => (
                    ErrorKind::Forbidden,
                    format!("{title} refused access (403){said}"),
                    Some(self.unless_open(format!(
                        "the credentials lack the rights for this: see {}",
                        self.credentials
                    ))),
                ),
                304 => (
                    ErrorKind::Api,
                    format!("{title} returned 304 (not modified), although no earlier response was named"),
                    Some("a cache between us and the API may do so: ask without it".to_owned()),
                ),
                300..=399 => (
                    ErrorKind::Api,
                    format!("{title} returned a redirect ({number}), which is never followed"),
                    Some(format!("use the address it leads to{}", redirect_target(headers))),
                ),
                404 => (
                    ErrorKind::NotFound,
                    format!("{title} does not know this address (404){said}"),
                    Some("check the base URL: it is the API's host, without a path".to_owned()),
                ),
                400 | 410 | 422 => {
                    (ErrorKind::Refused, format!("{title} refused the request ({number}){said}"), None)
                }
                _ => (ErrorKind::Api, format!("{title} returned {number}{said}"), None),
            };
        let error = Error::new(kind, "request page", message);
        let known = vendor.code.as_deref().and_then(|code| self.hint_for(code)).map(str::to_owned);
        match known.or(hint) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// The vendor's code and sentences out of an error body, or else out of a challenge, each as it may be shown.
    pub(crate) async fn vendor_error(&self, response: Response) -> VendorError {
        let challenge = challenge(&response.headers);
        let line = |text: &str| {
            let line = Redactor::shared().shown(text, MAX_ERROR_TEXT);
            (!line.is_empty()).then_some(line)
        };
        let body = read_start(response).await;
        let body = error_body::parse(&body);
        let text = |pointer: &str| line(body.pointer(pointer)?.as_str()?);
        let at = |pointer: Option<&Pointer>| pointer.and_then(|pointer| text(&pointer.to_string()));
        let fields = self.error_body.as_ref();
        let code = at(fields.map(|fields| &fields.code)).or_else(|| text("/error"));
        let message = at(fields.map(|fields| &fields.message)).or_else(|| text("/error_description"));
        let message = match (message, at(fields.and_then(|fields| fields.detail.as_ref()))) {
            (Some(message), Some(detail)) => Some(format!("{message} ({detail})")),
            (message, detail) => message.or(detail),
        };
        let missing_scope = code.as_deref() == Some(MISSING_SCOPE);
        let Some(challenge) = challenge else {
            return VendorError { code, message, missing_scope, scope: None };
        };
        VendorError {
            missing_scope: missing_scope || challenge.error == MISSING_SCOPE,
            code: code.or_else(|| line(&challenge.error)),
            message: message.or_else(|| line(&challenge.description?)),
            scope: challenge.scope.as_deref().and_then(line),
        }
    }
}

/// What a response that is not a success allows, by its status (RFC 9110, section 15) and its `Retry-After`: decided here
/// for APIs and for token endpoints alike.
///
/// Any 4xx with `Retry-After` demands a later retry, but for 401, which is about the credentials, and those that are about
/// the request itself. So does 403 with no quota left, as GitHub says it. What is not known is treated as the first of its
/// class, and what is of no class as a 5xx. Of these 501 and 505 say that the server never does what was requested, and 511
/// that a network in between wants somebody to sign in.
pub(crate) fn verdict_of(status: StatusCode, headers: &HeaderMap, limiter: &RateLimiter) -> RetryDecision {
    let retry_after = retry_after(headers);
    match (status.as_u16(), retry_after) {
        (401, _) if gives_nonce(headers) => RetryDecision::Nonce,
        (401, _) => RetryDecision::Renew,
        (408 | 425, retry_after) => later(retry_after),
        // About the request itself, which would be the same later.
        (400 | 404 | 405 | 410 | 414 | 415 | 422, _) => RetryDecision::Fail,
        (420 | 429, _) | (400..=499, Some(_)) => throttled(limiter, headers),
        (403, None) if limiter.is_used_up(headers) => throttled(limiter, headers),
        (501 | 505 | 511, None) | (..=499, _) => RetryDecision::Fail,
        (_, retry_after) => later(retry_after),
    }
}

fn later(retry_after: Option<Throttle>) -> RetryDecision {
    match retry_after {
        Some(Throttle::Until(wait)) => RetryDecision::After(wait),
        _ => RetryDecision::Backoff,
    }
}

fn throttled(limiter: &RateLimiter, headers: &HeaderMap) -> RetryDecision {
    RetryDecision::Throttled(match limiter.throttle(headers) {
        Throttle::Until(wait) => Some(wait),
        Throttle::Concurrency | Throttle::Unknown => None,
    })
}

/// The host a redirect leads to; its path and query may be private.
fn redirect_target(headers: &HeaderMap) -> String {
    let target = headers.get(http::header::LOCATION).and_then(|value| value.to_str().ok());
    let url = target.and_then(|target| url::Url::parse(target).ok());
    url.map(|url| format!(", {}", url.origin().ascii_serialization())).unwrap_or_default()
}

/// The start of a body; what breaks while it is read changes nothing, the response is an error already.
async fn read_start(mut response: Response) -> Vec<u8> {
    let mut start: Vec<u8> = Vec::new();
    while start.len() < MAX_ERROR_BODY {
        let Some(Ok(piece)) = response.body.next().await else { break };
        let piece: Bytes = piece;
        start.extend_from_slice(&piece[..piece.len().min(MAX_ERROR_BODY - start.len())]);
    }
    start
}

#[cfg(test)]
#[path = "tests/classify.rs"]
mod tests;
