//! Everything that happens around one request, in the one place that says in which order.
//!
//! An attempt is: wait for the quota and a place → sign in → send → learn the quota → classify the status → read the body to its
//! end. All of it is inside the one retry loop, because a body that breaks off is as good a reason to retry as a
//! 503, and because every attempt needs a fresh place in the quota and a current token. Nothing below retries.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use crate::MAX_TEXT;
use crate::api::account::Account;
use crate::api::auth::{Authorize, Connection, DPOP, settled};
use crate::api::hooks::{Hooks, LeftCall};
use crate::api::http::{
    Classifier, ConcurrencyPermit, Failure, Pacing, QuotaWait, RateLimitPermit, Redactor, Request, Response,
    ResponseRules, Retry, RetryDecision, Success, Tally, Transport, parse_leniently, remove_parameter,
    unpacked, without_mark,
};
use crate::api::page_address::PageAddress;
use crate::api::page_request::PageRequest;
use crate::catalog::{Pointer, RateLimit, Share, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Progress;
use crate::stop::{Stop, StopReason};

/// A polite client of one account.
#[derive(Debug)]
pub struct Client {
    account: Account,
    headers: HeaderMap,
    transport: Arc<dyn Transport>,
    authorize: Arc<dyn Authorize>,
    pacing: Arc<Pacing>,
    hooks: Hooks,
    classifier: Classifier,
    /// Share of the quota that is left to others.
    headroom: Share,
    retry: Retry,
    total_timeout: Duration,
    progress: Arc<Progress>,
    stop: Stop,
}

/// When to come back to an API that kept throttling us and did not say for how long.
const UNNAMED_WAIT: Duration = Duration::from_secs(30);

/// A JSON document that is no page.
#[derive(Debug)]
pub struct ResponseDocument {
    /// The status of the response.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// The document as it was received; empty if there was none.
    pub text: Vec<u8>,
    /// The document; `null` if there was none.
    pub body: Value,
}

impl ResponseDocument {
    /// Refuses one that is not JSON.
    fn check(&self) -> Result<()> {
        if !self.body.is_null() || self.text.is_empty() {
            return Ok(());
        }
        serde_json::from_slice(&self.text).map(|_: Value| ()).map_err(|error| {
            Error::new(ErrorKind::Data, "read response", "the response is not JSON").caused_by(error)
        })
    }
}

/// When a request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resend {
    /// Whenever that may help: it has the same effect however often it is sent.
    Always,
    /// If it is known that it had no effect: nothing of it was sent, or the API refused it (4xx).
    WithoutEffect,
    /// In no case.
    Never,
}

/// What a request that failed may have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing: it was not sent.
    Unsent,
    /// Nothing: the API refused it.
    Refused,
    /// What it was meant to do, or nothing.
    Unknown,
}

/// A request that failed, and what it may have done all the same.
#[derive(Debug)]
pub struct FailedRequest {
    /// Why it failed.
    pub error: Error,
    /// What it may have done, in any of its attempts.
    pub effect: Effect,
}

/// Asked before anything is sent of a request that may change something.
pub trait BeforeSend: Send + Sync {
    /// Before each attempt, before it waits for its turn. `again` says whether there was one before.
    fn attempt(&self, again: bool) -> BoxFuture<'_, Result<()>>;

    /// Right before an attempt is sent, which it is not after an error.
    fn send(&self) -> BoxFuture<'_, Result<()>>;
}

/// What is known of a request over its attempts.
struct Trail<'b> {
    resend: Resend,
    before: Option<&'b dyn BeforeSend>,
    effect: Effect,
    /// The last error that was worth a retry.
    retried: Option<String>,
}

impl<'b> Trail<'b> {
    fn new(resend: Resend, before: Option<&'b dyn BeforeSend>) -> Self {
        Self { resend, before, effect: Effect::Unsent, retried: None }
    }

    /// Takes a failed attempt in. Returns whether another one may be made.
    fn may_go_on(&mut self, failure: &Failure) -> bool {
        self.effect = self.effect.max(failure.effect());
        match self.resend {
            Resend::Always => true,
            Resend::WithoutEffect => self.effect < Effect::Unknown,
            Resend::Never => false,
        }
    }
}

impl Failure {
    /// The same, of an attempt that sent nothing.
    fn unsent(self) -> Self {
        Self { error: self.error.unsent(), ..self }
    }

    /// What the request of an attempt that failed may have done.
    fn effect(&self) -> Effect {
        match self.error.response() {
            _ if self.error.is_unsent() => Effect::Unsent,
            // 408 and 499 say that somebody on the way did not wait, and not what the API did.
            Some((400..=407 | 409..=498, _)) => Effect::Refused,
            _ => Effect::Unknown,
        }
    }
}

/// The largest of them.
const MAX_DOCUMENT: usize = 16_000_000;

fn text_at(document: &Value, pointer: &Pointer) -> Option<Vec<u8>> {
    serde_json::to_vec(document.pointer(&pointer.to_string())?).ok()
}

impl Client {
    /// A client that sends requests to `account` of `source`, signed in by `authorize`, and keeps to its limits together
    /// with all that share the `connection`.
    pub fn new(
        source: &Source,
        account: &Account,
        connection: &Connection,
        authorize: Arc<dyn Authorize>,
        retry: Retry,
        progress: Arc<Progress>,
        stop: Stop,
    ) -> Result<Self> {
        Ok(Self {
            account: account.clone(),
            headers: header_map(&source.headers)?,
            transport: Arc::clone(&connection.transport),
            authorize,
            pacing: Arc::clone(&connection.pacing),
            hooks: connection.hooks.clone(),
            classifier: Classifier::new(source, account),
            headroom: RateLimit::headroom_of(source),
            retry,
            total_timeout: source.timeouts.total.get(),
            progress,
            stop,
        })
    }

    /// The same, that leaves another share of the quota to others than the definition says, if one is given.
    pub fn with_headroom(self, headroom: Option<Share>) -> Self {
        Self { headroom: headroom.unwrap_or(self.headroom), ..self }
    }

    /// What calls hooks of the definition.
    pub fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// The members of a page that show whether it is an error; see [`Self::check_success`].
    pub fn watched(&self, rules: &ResponseRules) -> Vec<Pointer> {
        self.classifier.watched(rules)
    }

    /// Whether a success is an error by a rule; `found` are the members that [`Self::watched`] names.
    pub fn check_success(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        found: &[Option<Vec<u8>>],
        rules: &ResponseRules,
    ) -> Result<Success, Failure> {
        self.classifier.check_success(status, headers, found, &self.pacing.limiter, rules)
    }

    /// Requests a page of which nothing but the headers is of interest, as [`Self::fetch`] does.
    pub async fn fetch_headers(&self, mut request: PageRequest) -> Result<HeaderMap> {
        let (classifier, limiter, rules) = (&self.classifier, &self.pacing.limiter, request.rules.clone());
        self.fetch(&mut request, |response| classifier.check_headers(response, limiter, &rules)).await
    }

    /// Requests a JSON document that is no page, as [`Self::fetch`] does: a status, or what was submitted. A response without a
    /// body is `null`.
    pub async fn fetch_document(&self, mut request: PageRequest) -> Result<ResponseDocument> {
        let rules = request.rules.clone();
        self.fetch(&mut request, |response| async {
            let document = self.document_of(response, rules.clone()).await?;
            document.check().map_err(Failure::from)?;
            Ok::<_, Failure>(document)
        })
        .await
    }

    /// Requests whatever there is, JSON or not, as [`Self::fetch`] does. What is not JSON is `null`, and its text as it was received.
    pub async fn fetch_anything(&self, mut request: PageRequest) -> Result<ResponseDocument> {
        let rules = request.rules.clone();
        self.fetch(&mut request, |response| self.document_of(response, rules.clone())).await
    }

    /// Sends a request that may change something. It is sent again as `resend` allows. A response that is not JSON is `null`: what
    /// was to be done is done.
    pub async fn send(
        &self,
        mut request: PageRequest,
        resend: Resend,
        before: &dyn BeforeSend,
    ) -> Result<ResponseDocument, FailedRequest> {
        let rules = request.rules.clone();
        let mut trail = Trail::new(resend, Some(before));
        self.check_origin(&request.address.url)
            .map_err(|error| FailedRequest { error, effect: Effect::Unsent })?;
        let read = |response| self.document_of(response, rules.clone());
        let sent = self.try_until_read(&mut request, read, &mut trail).await;
        sent.map_err(|error| FailedRequest { error, effect: trail.effect })
    }

    async fn document_of(
        &self,
        response: Response,
        rules: ResponseRules,
    ) -> Result<ResponseDocument, Failure> {
        let (status, headers) = (response.status, response.headers);
        let mut pieces = unpacked(response.body).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece?);
            if bytes.len() > MAX_DOCUMENT {
                let what = format!(
                    "the response is larger than {MAX_DOCUMENT} bytes, where a document was expected"
                );
                return Err(Failure::from(Error::new(ErrorKind::Limit, "read response", what)));
            }
        }
        let text = without_mark(&bytes).to_vec();
        let body = parse_leniently(&text);
        let found: Vec<_> = self.watched(&rules).iter().map(|pointer| text_at(&body, pointer)).collect();
        self.check_success(status, &headers, &found, &rules)?;
        Ok(ResponseDocument { status, headers, text, body })
    }

    /// Waits, or stops the run now if it has less time left than that.
    pub async fn wait(&self, why: &str, wait: Duration) -> Result<()> {
        self.pause(why, wait, StopReason::Wait(wait)).await
    }

    /// Requests a page until `read` has taken it in, the policy gives up, or the run is to stop. Temporary errors
    /// of `read` are retried too. The request's page size may have been made smaller on return.
    pub async fn fetch<T, E, F, Fut>(&self, request: &mut PageRequest, read: F) -> Result<T>
    where
        F: Fn(Response) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, E>> + Send,
        E: Into<Failure>,
        T: Send,
    {
        self.check_origin(&request.address.url)?;
        let mut trail = Trail::new(Resend::Always, None);
        let done = self.try_until_read(request, read, &mut trail).await;
        if let (Err(error), Some(retried)) = (&done, trail.retried)
            && error.kind() == ErrorKind::Stopped
        {
            self.stop.was_retrying(retried);
        }
        done
    }

    /// The one retry loop. `trail` is left with what is known of the attempts.
    async fn try_until_read<T, E, F, Fut>(
        &self,
        request: &mut PageRequest,
        read: F,
        trail: &mut Trail<'_>,
    ) -> Result<T>
    where
        F: Fn(Response) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, E>> + Send,
        E: Into<Failure>,
        T: Send,
    {
        let mut tally = Tally::default();
        let (mut attempts, mut began) = (0, None);
        let mut server_errors = 0;
        let mut signed = Request::get(request.address.url.clone());
        let (mut renewed, mut redated, mut nonces) = (false, false, 0);
        loop {
            if let Some(before) = trail.before {
                before.attempt(attempts > 0).await?;
            }
            // The quota first: who waits for it must not keep a place from requests that it does not concern.
            let pass = self.pass(request.address.url.path()).await?;
            let slot = self.slot().await?;
            let began = *began.get_or_insert_with(Instant::now);
            attempts += 1;
            let failure = match self.attempt(request, &read, &pass, &mut signed, trail.before).await {
                Ok(done) => {
                    self.retry.succeeded();
                    slot.succeeded();
                    return Ok(done);
                }
                Err(failure) => failure,
            };
            if failure.verdict == RetryDecision::Throttled(None) {
                slot.crowded();
            }
            drop((pass, slot));
            let may_go_on = trail.may_go_on(&failure);
            let url = Redactor::shared().url(&request.address.url);
            let error = failure.error.with("url", &url).after(attempts, began.elapsed());
            if matches!(failure.verdict, RetryDecision::Throttled(_)) {
                self.progress.throttled(&url, &error);
            }
            if !may_go_on {
                return Err(error.persistent());
            }
            let is_bound = signed.headers.contains_key(DPOP);
            if failure.verdict == RetryDecision::Nonce && is_bound && nonces < MAX_NONCES {
                nonces += 1;
                self.progress.count_retry();
                continue;
            }
            let for_good = matches!(failure.verdict, RetryDecision::Fail | RetryDecision::Renew);
            if for_good && !redated && self.authorize.is_misdated(&signed) {
                redated = true;
                self.progress.count_retry();
                continue;
            }
            if failure.verdict == RetryDecision::SmallerPage {
                if !self.make_smaller(request) {
                    return Err(as_small_as_it_gets(request, error));
                }
                self.progress.count_retry();
                continue;
            }
            let renewable = match failure.verdict {
                RetryDecision::Renew | RetryDecision::Session => true,
                // It wants a token that is bound to a key, which the next one is.
                RetryDecision::Nonce => !signed.headers.contains_key(DPOP),
                _ => false,
            };
            if renewable && !renewed {
                renewed = true;
                match self.renew(&signed).await {
                    Ok(true) => continue,
                    // The same credentials may do in another session.
                    _ if failure.verdict == RetryDecision::Session => {}
                    Ok(false) => return Err(self.name_secret(error)),
                    Err(why) => return Err(error.with("not renewed", why)),
                }
            }
            let Some(wait) = self.retry.wait(failure.verdict, &mut tally) else {
                if let RetryDecision::Throttled(wait) = failure.verdict {
                    let wait = wait.filter(|wait| !wait.is_zero()).unwrap_or(UNNAMED_WAIT);
                    self.stop.request_because(StopReason::Wait(wait), error.to_string());
                }
                return Err(error.persistent());
            };
            server_errors += u32::from(failure.page_too_big);
            if failure.page_too_big && server_errors > 1 {
                self.make_smaller(request);
            }
            self.progress.retrying(&url, attempts, wait, &error);
            let error = error.to_string();
            let too_long = match failure.verdict {
                RetryDecision::After(_) | RetryDecision::Throttled(_) => StopReason::Wait(wait),
                _ => StopReason::Deadline,
            };
            trail.retried.replace(error.clone());
            self.pause(&error, wait, too_long).await?;
        }
    }

    /// One go at a request. `signed` is left with what was sent.
    async fn attempt<T, E, F, Fut>(
        &self,
        request: &PageRequest,
        read: &F,
        pass: &RateLimitPermit<'_>,
        signed: &mut Request,
        before: Option<&dyn BeforeSend>,
    ) -> Result<T, Failure>
    where
        F: Fn(Response) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, E>> + Send,
        E: Into<Failure>,
    {
        let mut sent = request.to_http()?;
        for (name, value) in &self.headers {
            sent.headers.entry(name).or_insert_with(|| value.clone());
        }
        let is_sent = AtomicBool::new(false);
        let attempt = async {
            self.authorize.apply(&mut sent).await.map_err(Failure::unsent)?;
            signed.clone_from(&sent);
            if let Some(before) = before {
                before.send().await.map_err(|error| Failure::from(error).unsent())?;
            }
            self.progress.count_request();
            is_sent.store(true, Ordering::Relaxed);
            let response = self.transport.send(sent).await?;
            self.authorize.learn(&request.address.url, &response.headers);
            if let Some(quota) = pass.observe(&response.headers) {
                self.progress.set_quota(quota);
            }
            if let Some(note) = self.pacing.limiter.take_note() {
                self.progress.note(note);
            }
            let (limiter, rules) = (&self.pacing.limiter, &request.rules);
            let response = self.classifier.check(response, limiter, rules).await?;
            read(response).await.map_err(Into::into)
        };
        let done = tokio::select! {
            // First, so that nothing more is sent once the run is to stop.
            biased;
            reason = self.stop.requested() => {
                settled().await;
                Err(Some(reason))
            }
            done = tokio::time::timeout(self.total_timeout, attempt) => done.map_err(|_| None),
        };
        match done {
            Ok(done) => done,
            Err(why) => {
                let is_sent = is_sent.load(Ordering::Relaxed);
                let failure = match why {
                    Some(reason) => self.stopped(reason).into(),
                    None => self.blocked_hook().map_or_else(|| self.too_slow(is_sent), Failure::from),
                };
                Err(if is_sent { failure } else { failure.unsent() })
            }
        }
    }

    /// Waits for a hook as long as for an attempt of a request, unless the run is to stop.
    pub async fn run_hook<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let done = tokio::select! {
            biased;
            reason = self.stop.requested() => Err(Some(reason)),
            done = tokio::time::timeout(self.total_timeout, call) => done.map_err(|_| None),
        };
        done.unwrap_or_else(|reason| match reason {
            Some(reason) => Err(self.stopped(reason)),
            None => Err(self.blocked_hook().unwrap_or_else(|| self.too_slow(true).error)),
        })
    }

    /// The error of a hook that took the time of an attempt, rather than the API.
    fn blocked_hook(&self) -> Option<Error> {
        let call = self.hooks.take_left().filter(LeftCall::seems_blocked)?;
        Some(call.error(&format!("within {} s", self.total_timeout.as_secs())))
    }

    /// The error of what was given up because the run is to stop. A hook that seems to block is the error then: the next run
    /// would come no further. One that was only at work is named in the report.
    fn stopped(&self, reason: StopReason) -> Error {
        let Some(call) = self.hooks.take_left() else { return stopped(reason) };
        match reason {
            StopReason::Deadline if call.seems_blocked() => return call.error("at the deadline"),
            StopReason::Deadline => self.stop.was_running(&format!("the hook {}", call.hook())),
            StopReason::Interrupted | StopReason::Wait(_) => self.progress.note(format!(
                "the hook {} has not returned; its thread stays until it does, or this process ends",
                call.hook()
            )),
        }
        stopped(reason)
    }

    fn name_secret(&self, error: Error) -> Error {
        match self.account.stored_in() {
            Some(id) => {
                error.hint(format!("correct what the secret `{id}` holds; it was read again just now"))
            }
            None => error,
        }
    }

    /// Whether there are other credentials than those that were refused.
    async fn renew(&self, refused: &Request) -> Result<bool> {
        let renewed = self.authorize.renew(refused).await?;
        if renewed {
            self.progress.count_retry();
            self.progress
                .note("the credentials were refused, and have changed since they were read: retrying");
        }
        Ok(renewed)
    }

    /// A token must never leave for another origin than the account's.
    pub fn check_origin(&self, url: &Url) -> Result<()> {
        if self.account.is_at_home(url) {
            return Ok(());
        }
        if url.origin() == self.account.base_url().origin() {
            let what = "the address of the next page has a user or a password in it; it was not asked for";
            return Err(Error::new(ErrorKind::Data, "follow next link", what)
                .with("next", Redactor::shared().url(url)));
        }
        Err(Error::new(
            ErrorKind::Data,
            "follow next link",
            "the next page is on another origin; it was not asked for",
        )
        .with("next", Redactor::shared().url(url))
        .with("expected", self.account.base_url().origin().ascii_serialization())
        .hint("the API (or something between) sent a link that would have taken your token elsewhere"))
    }

    /// The address of a page that follows is on the account's origin, and can be kept where the run goes on from.
    pub fn check_next(&self, address: &PageAddress) -> Result<()> {
        let url = &address.url;
        self.check_origin(url)?;
        let stored = address.stored();
        if stored.len() > MAX_ADDRESS {
            let length = stored.len();
            let what =
                format!("the address of the next page has {length} characters, more than any server takes");
            return Err(Error::new(ErrorKind::Data, "follow next link", what));
        }
        if !Redactor::shared().reveals(&stored) {
            return Ok(());
        }
        let what = "the address of the next page holds a secret of this account; it was not requested, since it would be stored";
        Err(Error::new(ErrorKind::Data, "follow next link", what).with("next", Redactor::shared().url(url)))
    }

    /// An address that a response names, as it is kept: of the account's own origin, and without the key by which requests are
    /// signed in. One that is not absolute goes out from `base`.
    pub fn named_address(&self, base: &Url, address: &str) -> Result<Url> {
        let mut url = base.join(address).map_err(|error| {
            let shown = Redactor::shared().shown(address, MAX_TEXT);
            Error::new(ErrorKind::Data, "read address", format!("`{shown}` is not an address"))
                .caused_by(error)
        })?;
        for parameter in self.account.query_parameters() {
            remove_parameter(&mut url, parameter);
        }
        self.check_next(&PageAddress::from(url.clone()))?;
        Ok(url)
    }

    /// Waits for a place among the requests that are on their way.
    async fn slot(&self) -> Result<ConcurrencyPermit<'_>> {
        tokio::select! {
            biased;
            reason = self.stop.requested() => Err(stopped(reason)),
            slot = self.pacing.slots.take() => Ok(slot),
        }
    }

    /// Waits for the quota.
    async fn pass(&self, path: &str) -> Result<RateLimitPermit<'_>> {
        loop {
            match self.pacing.limiter.admit(path, self.headroom) {
                Ok(pass) => return Ok(pass),
                Err(QuotaWait { why, wait }) => self.pause(&why, wait, StopReason::Wait(wait)).await?,
            }
        }
    }

    /// Waits, unless the wait could not end in time, which is `too_long`, or the run is to stop.
    async fn pause(&self, why: &str, wait: Duration, too_long: StopReason) -> Result<()> {
        if !self.stop.allows(wait) {
            self.stop.request_because(too_long, why);
        }
        let _waiting = self.progress.waiting(why, wait);
        tokio::select! {
            biased;
            reason = self.stop.requested() => Err(stopped(reason)),
            () = self.pacing.limiter.clock().sleep(wait) => Ok(()),
        }
    }

    /// Requests fewer records from now on; `false` if there is no smaller page.
    fn make_smaller(&self, request: &mut PageRequest) -> bool {
        let Some(size) = request.make_smaller() else { return false };
        self.progress.note(format!("the API failed at this page size: asking for {size} records a page"));
        true
    }

    /// Signing in may have taken the time, before the request was sent.
    fn too_slow(&self, is_sent: bool) -> Failure {
        let message = format!("the response took longer than {} s", self.total_timeout.as_secs());
        let error = Error::new(ErrorKind::Network, "read response", message).temporary();
        Failure { error, verdict: RetryDecision::Backoff, page_too_big: is_sent }
    }
}

/// How often a request is sent again with the nonce of a refusal: another request may have used it up.
const MAX_NONCES: u32 = 5;

/// Characters of an address that is followed: little more can be sent (`http::Uri` takes 65,534).
const MAX_ADDRESS: usize = 65_000;

/// A page that is too large for its API, and can't be made smaller.
fn as_small_as_it_gets(request: &PageRequest, error: Error) -> Error {
    let why = match (&request.page_size, request.requested_size()) {
        (None, _) => {
            "the definition has no `page_size`, by which a smaller page could be requested".to_owned()
        }
        (Some(size), None) => {
            format!("the request of the page does not say {}, so that it can't be made smaller", size.param)
        }
        (Some(size), Some(requested)) => format!(
            "{requested} records a page are as few as `page_size` allows (min: {}): lower `min` if the API takes less",
            size.min
        ),
    };
    // What the vendor's code means to the definition says more.
    let hint = error.hint_text().map_or_else(|| why.clone(), |known| format!("{known}; {why}"));
    error.hint(hint)
}

fn stopped(reason: StopReason) -> Error {
    Error::new(ErrorKind::Stopped, "wait", format!("stopped: {}", reason.as_str()))
}

/// Headers of a definition, checked.
pub fn header_map(headers: &std::collections::BTreeMap<String, String>) -> Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let wrong = || {
            Error::new(ErrorKind::Definition, "read definition", format!("invalid header `{name}: {value}`"))
        };
        let name: HeaderName = name.parse().map_err(|_| wrong())?;
        let value: HeaderValue = value.parse().map_err(|_| wrong())?;
        map.insert(name, value);
    }
    Ok(map)
}

#[cfg(test)]
#[path = "tests/client.rs"]
mod tests;
