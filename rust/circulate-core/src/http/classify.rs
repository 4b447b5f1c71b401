//! What an answer means: success, try again, or give up — and the sentence that says so.

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, StatusCode};

use super::rate_limit::{RateLimiter, Throttle, retry_after};
use super::{Redactor, Response, Verdict};
use crate::error::{Error, ErrorKind, Status};
use crate::spec::{Pointer, Source};

/// A failed attempt: the error to report and whether another attempt may help.
#[derive(Debug)]
pub struct Failure {
    /// What to report if we give up.
    pub error: Error,
    /// What may be done about it.
    pub verdict: Verdict,
    /// A smaller page may succeed where this one failed.
    pub page_too_big: bool,
}

impl From<Error> for Failure {
    /// Errors marked temporary are worth a backoff.
    fn from(error: Error) -> Self {
        let verdict = if error.status() == Status::Temporary { Verdict::Backoff } else { Verdict::Fail };
        Self { error, verdict, page_too_big: false }
    }
}

/// Reads answers by the rules of a source.
#[derive(Debug)]
pub struct Classifier {
    title: String,
    error_fields: Option<(Pointer, Pointer)>,
    request_id: Option<String>,
    credential_hint: String,
}

/// The most of an error answer that is read.
const MAX_ERROR_BODY: usize = 64 * 1024;
/// The most of a vendor's sentence that is shown.
const MAX_ERROR_TEXT: usize = 300;

impl Classifier {
    /// The rules of `source`.
    pub fn new(source: &Source) -> Self {
        let secrets = source.settings.values().filter(|setting| setting.secret);
        let names: Vec<_> = secrets.map(|setting| format!("{} ({})", setting.env, setting.about)).collect();
        Self {
            title: source.title.clone(),
            error_fields: source.error_body.as_ref().map(|body| (body.code.clone(), body.message.clone())),
            request_id: source.request_id.clone(),
            credential_hint: names.join(", "),
        }
    }

    /// Passes a success on; turns any other answer into what to do about it. Reads at most 64 KB of its body.
    pub async fn check(
        &self,
        response: Response,
        limiter: &RateLimiter,
        redactor: &Redactor,
    ) -> Result<Response, Failure> {
        if response.status.is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status, response.headers.clone());
        let (code, message) = self.vendor_fields(&read_start(response).await, redactor);
        let told: Vec<_> = [&code, &message].into_iter().flatten().map(String::as_str).collect();
        let told = Some(told.join(" ")).filter(|told| !told.is_empty());
        let error = self.error(status, &headers, told.as_deref()).answered(status.as_u16(), code);
        let verdict = match status.as_u16() {
            429 => Verdict::Throttled(match limiter.throttle(&headers) {
                Throttle::Until(wait) => Some(wait),
                Throttle::Concurrency | Throttle::Unknown => None,
            }),
            401 => Verdict::Renew,
            408 | 500 | 502 | 503 | 504 => retry_after(&headers).map_or(Verdict::Backoff, Verdict::After),
            _ => Verdict::Fail,
        };
        let for_good = matches!(verdict, Verdict::Fail | Verdict::Renew);
        let error = if for_good { error } else { error.temporary() };
        Err(Failure { error, verdict, page_too_big: status == StatusCode::INTERNAL_SERVER_ERROR })
    }

    fn error(&self, status: StatusCode, headers: &HeaderMap, told: Option<&str>) -> Error {
        let title = &self.title;
        let said = told.map(|text| format!(": {text}")).unwrap_or_default();
        let number = status.as_u16();
        let (kind, message, hint) = match number {
            401 => (
                ErrorKind::Auth,
                format!("{title} refused the credentials (401){said}"),
                Some(format!("check {}; it may be wrong, expired or revoked", self.credential_hint)),
            ),
            403 => (
                ErrorKind::Forbidden,
                format!("{title} refused access (403){said}"),
                Some(format!("the credentials lack the rights for this: see {}", self.credential_hint)),
            ),
            429 => (ErrorKind::RateLimited, format!("{title} asked us to slow down (429){said}"), None),
            300..=399 => (
                ErrorKind::Api,
                format!("{title} answered with a redirect ({number}), which is never followed"),
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
            _ => (ErrorKind::Api, format!("{title} answered {number}{said}"), None),
        };
        let mut error = Error::new(kind, "request page", message);
        if let Some(id) = self.request_id.as_ref().and_then(|name| headers.get(name)?.to_str().ok()) {
            error = error.with("request", id);
        }
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// The vendor's code and sentence out of an error body, each on one line. Secrets are hidden before it is cut to
    /// length, so that no part of one is left at its end.
    fn vendor_fields(&self, body: &[u8], redactor: &Redactor) -> (Option<String>, Option<String>) {
        let Some((code, message)) = &self.error_fields else { return (None, None) };
        let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else { return (None, None) };
        let field = |pointer: &Pointer| {
            let text = redactor.text(body.pointer(&pointer.to_string())?.as_str()?);
            let line: String = text.chars().filter(|c| !c.is_control()).take(MAX_ERROR_TEXT).collect();
            (!line.is_empty()).then_some(line)
        };
        (field(code), field(message))
    }
}

/// The host a redirect leads to; its path and query may be private.
fn redirect_target(headers: &HeaderMap) -> String {
    let target = headers.get(http::header::LOCATION).and_then(|value| value.to_str().ok());
    let url = target.and_then(|target| url::Url::parse(target).ok());
    url.map(|url| format!(", {}", url.origin().ascii_serialization())).unwrap_or_default()
}

/// The start of a body; what breaks while it is read is no news, the answer is an error already.
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
#[path = "classify_tests.rs"]
mod tests;
