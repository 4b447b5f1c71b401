//! Whether a response is what was requested, and the sentence that says what it is instead.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::challenge::challenge;
use super::error_body;
use super::rate_limit::RateLimiter;
use super::verdict::{Facts, Judgement, ResponseKind, declared, judge};
use super::watched_body::{body_of, watched};
use super::{Redactor, Response, RetryDecision};
use crate::api::account::Account;
use crate::catalog::{ErrorBody, ErrorRule, Pointer, Source, StreamSpec, Then};
use crate::error::{Error, ErrorKind, Meaning, Status};

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

/// What a stream's definition says of responses that are no pages.
#[derive(Debug, Clone, Default)]
pub struct ResponseRules {
    /// Its rules, which come before those of the source.
    pub errors: Arc<[ErrorRule]>,
    /// Statuses that mean an empty list here, so that they are not errors.
    pub empty: BTreeSet<u16>,
}

impl ResponseRules {
    /// Those of a stream.
    pub fn of(stream: &StreamSpec) -> Self {
        Self { errors: stream.errors.clone().into(), empty: stream.empty.statuses.clone() }
    }

    /// Those of a stream for responses that are about its job: no list ends there, and none is empty.
    pub fn of_job(stream: &StreamSpec) -> Self {
        let of_lists = |rule: &&ErrorRule| rule.then != Then::End;
        Self { errors: stream.errors.iter().filter(of_lists).cloned().collect(), empty: BTreeSet::new() }
    }
}

/// What a success is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Success {
    /// A page, if it has the form of one.
    Page,
    /// The end of the list, as a rule declares.
    End,
}

/// Reads responses by the rules of a source.
#[derive(Debug, Clone)]
pub struct Classifier {
    title: String,
    errors: Vec<ErrorRule>,
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

/// Members of an error (RFC 6749, section 5.2).
const STANDARD: [&str; 2] = ["error", "error_description"];
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
        let used = source.settings_of(account.auth()).filter(|name| account.is_set(name)).filter_map(named);
        Self {
            title: source.title.clone(),
            errors: source.errors.clone(),
            error_body: source.error_body.clone(),
            request_id: source.request_id.clone(),
            credentials: used.collect::<Vec<_>>().join(", "),
        }
    }

    /// Passes a success on, and without its body a response that means the end of the list; turns any other into what to do
    /// about it. Reads at most 64 KB of its body. A success may turn out to be an error too: see [`Self::check_success`].
    pub async fn check(
        &self,
        response: Response,
        limiter: &RateLimiter,
        rules: &ResponseRules,
    ) -> Result<Response, Failure> {
        if response.status.is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status, response.headers.clone());
        let body = error_body::parse(&read_start(response).await);
        let vendor = self.vendor_error(&headers, &body);
        let facts = self.facts(status, &headers, &body, &vendor, rules);
        let judgement = judge(&facts, self.rules(rules), limiter);
        if judgement.kind == ResponseKind::Known(Then::End) {
            return Ok(Response { status, headers, body: futures_util::stream::empty().boxed() });
        }
        Err(self.failure(&judgement, &facts, vendor, limiter))
    }

    /// Whether a success is an error by a rule. `found` are the members of its body that [`Self::watched`] names, as JSON
    /// text, as far as they are there; none if there is no body, or it is no JSON.
    pub fn check_success(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        found: &[Option<Vec<u8>>],
        limiter: &RateLimiter,
        rules: &ResponseRules,
    ) -> Result<Success, Failure> {
        self.judge_success(status, headers, &body_of(&self.watched(rules), found), limiter, rules)
    }

    /// The headers of a success of which nothing else is of interest, unless it is an error by a rule. At most 64 KB of its body
    /// are read, and none if no rule may be about it.
    pub async fn check_headers(
        &self,
        response: Response,
        limiter: &RateLimiter,
        rules: &ResponseRules,
    ) -> Result<HeaderMap, Failure> {
        let (status, headers) = (response.status, response.headers.clone());
        if self.rules(rules).any(|rule| rule.when.may_be_a_page()) {
            let body = error_body::parse(&read_start(response).await);
            self.judge_success(status, &headers, &body, limiter, rules)?;
        }
        Ok(headers)
    }

    fn judge_success(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &Value,
        limiter: &RateLimiter,
        rules: &ResponseRules,
    ) -> Result<Success, Failure> {
        let vendor = self.vendor_error(headers, body);
        let facts = self.facts(status, headers, body, &vendor, rules);
        match declared(&facts, self.rules(rules)) {
            None => Ok(Success::Page),
            Some(judgement) if judgement.kind == ResponseKind::Known(Then::End) => Ok(Success::End),
            Some(judgement) => Err(self.failure(&judgement, &facts, vendor, limiter)),
        }
    }

    /// The members of a page that show whether it is an error by a rule, and which one.
    pub fn watched(&self, rules: &ResponseRules) -> Vec<Pointer> {
        let of_pages: Vec<_> = self.rules(rules).filter(|rule| rule.when.may_be_a_page()).collect();
        if of_pages.is_empty() {
            return Vec::new();
        }
        let said = match &self.error_body {
            Some(at) => [Some(&at.code), Some(&at.message), at.detail.as_ref()]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
            None => STANDARD.map(|member| Pointer::of(vec![member.to_owned()])).to_vec(),
        };
        watched(of_pages.iter().flat_map(|rule| rule.when.body.keys()).chain(&said))
    }

    /// The rules of a stream, and then those of the source.
    fn rules<'r>(&'r self, rules: &'r ResponseRules) -> impl Iterator<Item = &'r ErrorRule> {
        rules.errors.iter().chain(&self.errors)
    }

    fn facts<'r>(
        &self,
        status: StatusCode,
        headers: &'r HeaderMap,
        body: &'r Value,
        vendor: &VendorError,
        rules: &'r ResponseRules,
    ) -> Facts<'r> {
        let invalid_session = vendor.code.as_ref().is_some_and(|code| self.is_session_code(code));
        let (status, empty) = (status.as_u16(), &rules.empty);
        Facts { status, headers, body, missing_scope: vendor.missing_scope, invalid_session, empty }
    }

    /// The error that a response is, and what may be done about it.
    fn failure(
        &self,
        judgement: &Judgement<'_>,
        facts: &Facts<'_>,
        vendor: VendorError,
        limiter: &RateLimiter,
    ) -> Failure {
        let (status, headers) = (facts.status, facts.headers);
        let verdict = judgement.kind.decision(headers, limiter);
        let error = match (judgement.kind, judgement.rule) {
            (ResponseKind::MissingScope, _) => self.scope_error(&vendor),
            (ResponseKind::InvalidSession, _) => self.session_error(status, &vendor),
            (_, Some(rule)) => self.declared_error(rule.then, facts, &vendor),
            (ResponseKind::Known(Then::Throttled), None) => self.throttled_error(status, &vendor),
            (_, None) => self.status_error(status, headers, &vendor),
        };
        let code = if judgement.kind == ResponseKind::MissingScope {
            Some(MISSING_SCOPE.to_owned())
        } else {
            vendor.code
        };
        let error = self.with_request_id(error, headers).with_response(status, code);
        let for_good = matches!(
            verdict,
            RetryDecision::Fail | RetryDecision::Renew | RetryDecision::Nonce | RetryDecision::SmallerPage
        );
        let error = if for_good { error } else { error.temporary() };
        // A rule says itself what a response has to do with the page size.
        let page_too_big = judgement.rule.is_none() && status == 500;
        Failure { error, verdict, page_too_big }
    }

    fn is_session_code(&self, code: &str) -> bool {
        self.error_body
            .as_ref()
            .is_some_and(|fields| fields.invalid_session.iter().any(|known| known == code))
    }

    /// Not about what was requested, whatever the status says.
    fn session_error(&self, number: u16, vendor: &VendorError) -> Error {
        let (title, said) = (&self.title, vendor.after_colon());
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

    fn throttled_error(&self, number: u16, vendor: &VendorError) -> Error {
        let (title, said) = (&self.title, vendor.after_colon());
        let message = format!("{title} asked us to slow down ({number}){said}");
        self.hinted(Error::new(ErrorKind::RateLimited, "request page", message), vendor, None)
    }

    /// What a rule of the definition says of a response, which may be a success.
    fn declared_error(&self, then: Then, facts: &Facts<'_>, vendor: &VendorError) -> Error {
        let (title, number, said) = (&self.title, facts.status, vendor.after_colon());
        let error = |kind, message| Error::new(kind, "request page", message);
        let error = match then {
            Then::Throttled => self.throttled_error(number, vendor),
            Then::Renew => {
                let hint = self
                    .unless_open(format!("check {}; it may be wrong, expired or revoked", self.credentials));
                let message = format!("{title} refused the credentials ({number}){said}");
                self.hinted(error(ErrorKind::Auth, message), vendor, Some(hint))
            }
            Then::Unavailable => {
                let message = format!("{title} says that the account does not have this ({number}){said}");
                self.hinted(error(ErrorKind::Api, message), vendor, None)
            }
            Then::Gone => {
                let message = format!("{title} says that this no longer exists ({number}){said}");
                self.hinted(error(ErrorKind::NotFound, message), vendor, None)
            }
            Then::Gap => {
                let message = format!("{title} does not give us this ({number}){said}");
                self.hinted(error(ErrorKind::Forbidden, message), vendor, None)
            }
            Then::SmallerWindow => {
                let message = format!("{title} has more of this period than it gives ({number}){said}");
                self.hinted(error(ErrorKind::Api, message), vendor, None)
            }
            Then::Restart => {
                let message = format!("{title} no longer knows where the list stood ({number}){said}");
                self.hinted(error(ErrorKind::Refused, message), vendor, None)
            }
            Then::SmallerPage => {
                let message = format!("{title} finds the page too large ({number}){said}");
                self.hinted(error(ErrorKind::Api, message), vendor, None)
            }
            Then::Retry | Then::Fail | Then::End if matches!(number, 200..=299) => {
                let message = format!("{title} returned an error inside of a success ({number}){said}");
                self.hinted(error(ErrorKind::Api, message), vendor, None)
            }
            Then::Retry | Then::Fail | Then::End => self.status_error(number, facts.headers, vendor),
        };
        let meaning = match then {
            Then::Unavailable => Some(Meaning::Unavailable),
            Then::Gone => Some(Meaning::Gone),
            Then::Gap => Some(Meaning::Gap),
            Then::SmallerWindow => Some(Meaning::TooMany),
            Then::Restart => Some(Meaning::Forgotten),
            _ => None,
        };
        error.with("rule", format!("then: {then}")).with_meaning(meaning)
    }

    /// What the status alone says.
    fn status_error(&self, number: u16, headers: &HeaderMap, vendor: &VendorError) -> Error {
        let title = &self.title;
        let said = vendor.after_colon();
        let (kind, message, hint) =
            match number {
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
        self.hinted(Error::new(kind, "request page", message), vendor, hint)
    }

    /// With what the definition knows of the vendor's code, or else `hint`.
    fn hinted(&self, error: Error, vendor: &VendorError, hint: Option<String>) -> Error {
        let known = vendor.code.as_deref().and_then(|code| self.hint_for(code)).map(str::to_owned);
        match known.or(hint) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// The vendor's code and sentences out of an error body, or else out of a challenge, each as it may be shown.
    pub(crate) async fn vendor_error_of(&self, response: Response) -> VendorError {
        let headers = response.headers.clone();
        self.vendor_error(&headers, &error_body::parse(&read_start(response).await))
    }

    fn vendor_error(&self, headers: &HeaderMap, body: &Value) -> VendorError {
        let challenge = challenge(headers);
        let line = |text: &str| {
            let line = Redactor::shared().shown(text, MAX_ERROR_TEXT);
            (!line.is_empty()).then_some(line)
        };
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

/// What a response that is not a success allows, by its status and its `Retry-After`, for token endpoints too.
pub(crate) fn verdict_of(status: StatusCode, headers: &HeaderMap, limiter: &RateLimiter) -> RetryDecision {
    let (body, empty, status) = (&Value::Null, &BTreeSet::new(), status.as_u16());
    let facts = Facts { status, headers, body, missing_scope: false, invalid_session: false, empty };
    judge(&facts, std::iter::empty(), limiter).kind.decision(headers, limiter)
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
