//! Jobs that make a list: submitted, waited for over as many invocations as it takes, and read in parts.

use std::collections::BTreeSet;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::Value;
use url::Url;

use super::attempt::{Attempt, AttemptEnd};
use super::request::request_about_job;
use crate::MAX_TEXT;
use crate::api::client::ResponseDocument;
use crate::api::http::{ResponseRules, named_wait};
use crate::api::page_request::PageRequest;
use crate::catalog::{Job, JobParts, JobRequest, RecordsPointer, UrlFrom, path_segment};
use crate::clock::later;
use crate::error::{Error, ErrorKind, Meaning, Result};
use crate::extract::cursor::Window;
use crate::extract::plan::Partition;
use crate::page::linked;
use crate::redact::Redactor;
use crate::state::JobPosition;

/// How far a job is.
enum JobProgress {
    Running(String),
    Done,
    Failed(String),
}

impl Attempt<'_> {
    /// Submits the job, unless an earlier attempt did so, waits for it, and lists its parts in the plan. Returns how the attempt ends,
    /// if it ends here.
    pub(super) async fn plan_job(&mut self, job: &Job) -> Result<Option<AttemptEnd>> {
        let mut said = String::new();
        loop {
            let Some(submitted) = self.position.job.clone() else {
                if let Err(error) = self.submit(job).await {
                    return self.end_without_job(error).await.map(Some);
                }
                continue;
            };
            let status = match self.client.fetch_document(self.status_request(job, &submitted)?).await {
                Ok(status) => status,
                Err(error) if self.is_forgotten_job(&error) => {
                    self.pull
                        .progress
                        .note(format!("the API no longer knows the job: submitting another one ({error})"));
                    self.position.job = None;
                    continue;
                }
                Err(error) => return self.end_by(error, None).await.map(Some),
            };
            match state_of(job, &status)? {
                JobProgress::Done => {
                    self.plan_parts(job, &submitted, &status).await?;
                    return Ok(None);
                }
                JobProgress::Failed(state) => {
                    // Another one is to be submitted by the next start.
                    self.position.job = None;
                    self.checkpoint().await?;
                    let what =
                        format!("the job{} ended without a list: its state is `{state}`", named(&submitted));
                    return Err(Error::new(ErrorKind::Api, "wait for job", what));
                }
                JobProgress::Running(state) => {
                    let ends = later(submitted.submitted_at, job.timeout.get());
                    let left = ends.duration_since(self.pull.store.now().await?);
                    let Some(left) = Duration::try_from(left).ok().filter(|left| !left.is_zero()) else {
                        return self.give_up(job, &submitted, &state).await.map(Some);
                    };
                    let why = format!("the job{} is not done yet{state}", named(&submitted));
                    if said != state {
                        self.pull.progress.note(&why);
                        said = state;
                    }
                    let wait = named_wait(&status.headers).unwrap_or(job.every.get()).min(left).max(MIN_WAIT);
                    if let Err(error) = self.client.wait(&why, wait).await {
                        return self.end_by(error, None).await.map(Some);
                    }
                }
            }
        }
    }

    /// How an attempt ends whose job could not be submitted: if the account lacks the feature, there is nothing to have.
    async fn end_without_job(&mut self, error: Error) -> Result<AttemptEnd> {
        if let Some(end) = self.settle_list(self.pull.stream(), error).await? {
            return Ok(end);
        }
        self.checkpoint().await?;
        Ok(AttemptEnd::OfTheList)
    }

    /// Whether the API does not know a job that an earlier attempt submitted.
    pub(super) fn is_forgotten_job(&self, error: &Error) -> bool {
        let forgotten = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Refused)
            || matches!(error.meaning(), Some(Meaning::Forgotten | Meaning::Gone));
        forgotten && self.held.position.job.is_some() && self.held.position.job == self.position.job
    }

    async fn submit(&mut self, job: &Job) -> Result<()> {
        let rule = self.pull.stream().incremental();
        let period = match rule {
            Some(rule) => {
                let since = self.since_of(&Partition::default(), rule)?;
                Window { since, ..self.held.run.window.clone() }
            }
            None => Window::default(),
        };
        let (account, whole) = (&self.pull.account, Partition::default());
        let rules = ResponseRules::of_job(self.pull.stream());
        let request =
            request_about_job(account, &job.submit, rules, http::Method::POST, &whole, rule, &period)?;
        let url = request.address.url.clone();
        let submitted_at = self.pull.store.now().await?;
        let response = self.client.fetch_document(request).await?;
        self.see_date(&response.headers).await?;
        let value = |from: Option<&UrlFrom>| from.map(|from| value_at(from, &response, &url)).transpose();
        let id = value(job.id.as_ref())?;
        if let Some(id) = id.as_ref().filter(|id| path_segment(id).is_none()) {
            let what = format!("the job was submitted, and its id `{id}` cannot be a part of a path");
            return Err(Error::new(ErrorKind::Data, "submit job", what)
                .hint("correct `job.id` in the endpoint's definition"));
        }
        let status_url = match value(job.status_url.as_ref())? {
            Some(address) => Some(self.address_of_job(&url, &address)?.to_string()),
            None => None,
        };
        let submitted = JobPosition { id, status_url, submitted_at };
        self.pull.progress.note(format!("submitted the job{}", named(&submitted)));
        self.position.job = Some(submitted);
        // From here on it is waited for, and not submitted once more.
        self.checkpoint().await
    }

    /// An address of a job, as it is kept.
    fn address_of_job(&self, base: &Url, address: &str) -> Result<Url> {
        let named = self.client.named_address(base, address);
        named.map_err(|error| error.with("address of a job", Redactor::shared().shown(address, MAX_TEXT)))
    }

    fn status_request(&self, job: &Job, submitted: &JobPosition) -> Result<PageRequest> {
        match (&submitted.status_url, &job.status) {
            (Some(address), _) => {
                let url = Url::parse(address).map_err(|error| {
                    let what = "a stored address is not a URL";
                    Error::new(ErrorKind::State, "wait for job", what).caused_by(error)
                })?;
                Ok(PageRequest { rules: ResponseRules::of_job(self.pull.stream()), ..PageRequest::new(url) })
            }
            (None, Some(status)) => self.request_of_job(status, http::Method::GET, submitted),
            (None, None) => {
                Err(Error::new(ErrorKind::Definition, "wait for job", "nothing says how far the job is"))
            }
        }
    }

    fn request_of_job(
        &self,
        request: &JobRequest,
        method: http::Method,
        submitted: &JobPosition,
    ) -> Result<PageRequest> {
        let (account, partition) = (&self.pull.account, of_job(submitted));
        let rules = ResponseRules::of_job(self.pull.stream());
        request_about_job(account, request, rules, method, &partition, None, &Window::default())
    }

    /// Cancels a job that takes too long.
    async fn give_up(&mut self, job: &Job, submitted: &JobPosition, state: &str) -> Result<AttemptEnd> {
        let mut error = Error::new(
            ErrorKind::Api,
            "wait for job",
            format!("the job{} did not end within {}{state}", named(submitted), job.timeout),
        )
        .hint("raise `job.timeout` in the endpoint's definition if it may take longer");
        if let Some(cancel) = &job.cancel {
            let request = self.request_of_job(cancel, http::Method::POST, submitted)?;
            match self.client.fetch_headers(request).await {
                Ok(_) => self.pull.progress.note(format!("cancelled the job{}", named(submitted))),
                Err(why) => error = error.with("not cancelled", why),
            }
        }
        self.position.job = None;
        self.end_by(error, None).await
    }

    /// Lists the parts of a job that is done in the plan.
    async fn plan_parts(
        &mut self,
        job: &Job,
        submitted: &JobPosition,
        status: &ResponseDocument,
    ) -> Result<()> {
        let whole = of_job(submitted);
        // Of an earlier go, which died before its checkpoint.
        let plan = self.plan();
        (plan.last, plan.partitions) = (None, 0);
        match &job.parts {
            None => self.plan_one(whole).await?,
            Some(JobParts::Values(pointer)) => {
                for part in self.named_parts(pointer, status)? {
                    self.plan_one(whole.with_value("part", &part)).await?;
                }
            }
            Some(JobParts::Urls(pointer)) => {
                let base = self.pull.account.base_url().clone();
                for (number, address) in self.named_parts(pointer, status)?.into_iter().enumerate() {
                    let url = self.address_of_job(&base, &address)?;
                    self.plan_one(whole.with_value("part", &number.to_string()).at(url.into())).await?;
                }
            }
        }
        self.plan_is_full(0).await?;
        self.checkpoint().await
    }

    /// What the status names at a place: one text or number, or an array of these. None if it is what counts as an empty list.
    fn named_parts(&self, pointer: &RecordsPointer, status: &ResponseDocument) -> Result<Vec<String>> {
        let empty = &self.pull.stream().empty;
        let wrong = |what: &str| {
            Error::new(ErrorKind::Data, "wait for job", format!("the status of the job {what} at `{pointer}`")).hint(
                "correct `job.parts` in the endpoint's definition; if this is how the API says that nothing was found, add \
                 `empty: null` or `empty: missing`",
            )
        };
        let mut parts = Vec::new();
        for found in found_at(&status.body, pointer) {
            match found {
                None if empty.missing => {}
                None => return Err(wrong("has nothing")),
                Some(Value::Null) if empty.null => {}
                Some(Value::Array(items)) => {
                    let strings: Option<Vec<_>> = items.iter().map(text_of).collect();
                    parts.extend(strings.ok_or_else(|| wrong("has something else than texts and numbers"))?);
                }
                Some(item) => parts.push(text_of(item).ok_or_else(|| wrong("has no texts or numbers"))?),
            }
        }
        let mut seen = BTreeSet::new();
        parts.retain(|part| seen.insert(part.clone()));
        Ok(parts)
    }
}

/// The shortest wait between two requests of a status, whatever the API says.
const MIN_WAIT: Duration = Duration::from_millis(100);

fn of_job(submitted: &JobPosition) -> Partition {
    match &submitted.id {
        Some(id) => Partition::default().with_value("job", id),
        None => Partition::default(),
    }
}

/// The id of a job, for people.
fn named(submitted: &JobPosition) -> String {
    let shown = |id: &String| format!(" `{}`", Redactor::shared().shown(id, MAX_TEXT));
    submitted.id.as_ref().map(shown).unwrap_or_default()
}

fn state_of(job: &Job, status: &ResponseDocument) -> Result<JobProgress> {
    let Some(state) = &job.state else {
        return Ok(match status.status {
            StatusCode::ACCEPTED => JobProgress::Running(String::new()),
            _ => JobProgress::Done,
        });
    };
    let found = status.body.pointer(&state.at.to_string());
    let Some(text) = found.and_then(text_of) else {
        let what = format!("the status of the job has no text or number at `{}`", state.at);
        return Err(Error::new(ErrorKind::Data, "wait for job", what)
            .hint("correct `job.state.at` in the endpoint's definition, or say by `errors` what such a response means"));
    };
    let shown = Redactor::shared().shown(&text, MAX_TEXT);
    Ok(if state.done.contains(&text) {
        JobProgress::Done
    } else if state.failed.contains(&text) {
        JobProgress::Failed(shown)
    } else {
        JobProgress::Running(format!(": its state is `{shown}`"))
    })
}

/// What a response has at a place.
fn value_at(from: &UrlFrom, response: &ResponseDocument, url: &Url) -> Result<String> {
    let (location, found) = match from {
        UrlFrom::Body(pointer) => {
            (format!("`{pointer}`"), response.body.pointer(&pointer.to_string()).and_then(text_of))
        }
        UrlFrom::Header(name) => (format!("the header `{name}`"), text_in(&response.headers, name)),
        UrlFrom::Link(rel) => {
            let link = linked(&response.headers, url, rel)?;
            (format!("the link `{rel}`"), link.map(String::from))
        }
    };
    found.ok_or_else(|| {
        let what = format!("the job was submitted, and the response has no text or number at {location}");
        Error::new(ErrorKind::Data, "submit job", what).hint("correct `job` in the endpoint's definition")
    })
}

fn text_in(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// What a document has at a place, which is in each element of an array if it has a `*`; `None` where there is nothing.
fn found_at<'d>(document: &'d Value, pointer: &RecordsPointer) -> Vec<Option<&'d Value>> {
    let mut found = vec![Some(document)];
    for (number, segment) in pointer.segments().iter().enumerate() {
        found = found
            .into_iter()
            .flat_map(|value| match value {
                Some(Value::Array(items)) if pointer.each() == Some(number) => {
                    items.iter().map(Some).collect()
                }
                Some(Value::Object(members)) if pointer.each() != Some(number) => vec![members.get(segment)],
                _ => vec![None],
            })
            .collect();
    }
    found
}
