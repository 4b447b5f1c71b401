//! Requests the pages of a stream, one ahead of the worker that takes them in.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;
use url::Url;

use super::fetcher::{Fetcher, First};
use super::pull::Pull;
use crate::api::account::Account;
use crate::api::client::{Client, PageRequest};
use crate::catalog::{Incremental, StreamSpec, Template};
use crate::clock::rfc3339_millis;
use crate::error::{Error, ErrorKind, Result};
use crate::extract::cursor::Window;
use crate::extract::plan::Partition;
use crate::page::{EndKind, ListEnd, LoopGuard, Page};
use crate::redact::Redactor;
use crate::state::PaginatorProof;
use tokio_util::task::AbortOnDropHandle;

/// Pages that wait to be taken in while the next one is requested.
const PAGES_AHEAD: usize = 1;

/// A page and where it leads.
pub(super) struct Step {
    pub(super) page: Page,
    pub(super) next: Option<Url>,
    /// There is no more to request now, and how that is known.
    pub(super) end: Option<ListEnd>,
    /// How many records the list has, by what its first page says.
    pub(super) total: Option<u64>,
    pub(super) guard: LoopGuard,
}

/// The pages from a position on. Dropping it stops the requests.
pub(super) struct Pages {
    steps: mpsc::Receiver<Result<Step>>,
    _fetching: AbortOnDropHandle<()>,
}

impl Pages {
    /// Begins to request them.
    pub(super) fn start(pull: &Pull, client: &Arc<Client>, first: First<'_>) -> Result<Self> {
        let (fetcher, request) = Fetcher::new(client, &pull.progress, first)?;
        let (sender, steps) = mpsc::channel(PAGES_AHEAD);
        Ok(Self { steps, _fetching: AbortOnDropHandle::new(tokio::spawn(fetcher.run(request, sender))) })
    }

    /// The next page. After an error, or a page that leads nowhere, there is none.
    pub(super) async fn next(&mut self) -> Result<Step> {
        let ended =
            || Err(Error::new(ErrorKind::Stopped, "request page", "no more pages are being asked for"));
        self.steps.recv().await.unwrap_or_else(ended)
    }
}

/// The URL of a page as state holds it.
pub(super) fn stored_url(url: &str) -> Result<Url> {
    Url::parse(url).map_err(|error| {
        Error::new(ErrorKind::State, "read checkpoint", "the stored page address is not a URL")
            .caused_by(error)
    })
}

/// The first page of `stream`, or of a partition of it, for the part of time that `rule` can filter by.
pub(super) fn first_url(
    account: &Account,
    stream: &StreamSpec,
    partition: Option<&Partition>,
    rule: Option<&Incremental>,
    window: &Window,
) -> Result<Url> {
    let whole = Partition::default();
    let partition = partition.unwrap_or(&whole);
    let mut query = BTreeMap::new();
    for (name, template) in &stream.query {
        query.insert(name.clone(), partition.fill(template)?);
    }
    query.extend(stream.page_size.as_ref().map(|size| (size.param.clone(), size.max.to_string())));
    if let Some(rule) = rule {
        query.extend(window_parameters(rule, window)?);
    }
    let pairs = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Ok(account.url(&partition.path(&stream.path)?, pairs))
}

/// The query parameters that select a period.
fn window_parameters(rule: &Incremental, window: &Window) -> Result<BTreeMap<String, String>> {
    let fill = |template: &Template, bound: Option<Timestamp>| {
        let Some(bound) = bound.map(rfc3339_millis) else { return Ok(None) };
        template.fill(|_| Some(&bound)).map(Some).map_err(|name| {
            Error::new(ErrorKind::Definition, "build request", format!("no value for `{{{name}}}`"))
        })
    };
    let (since, until) = (fill(&rule.since, window.since)?, fill(&rule.until, window.until)?);
    let mut parameters = BTreeMap::new();
    if let Some(param) = &rule.until_param {
        parameters.extend(since.map(|since| (rule.param.clone(), since)));
        parameters.extend(until.map(|until| (param.clone(), until)));
    } else {
        let bounds: Vec<_> = [since, until].into_iter().flatten().collect();
        if !bounds.is_empty() {
            parameters.insert(rule.param.clone(), bounds.join(&rule.join));
        }
    }
    Ok(parameters)
}

impl Fetcher {
    async fn run(mut self, mut request: PageRequest, steps: mpsc::Sender<Result<Step>>) {
        loop {
            let step = self.step(&mut request).await;
            let next =
                step.as_ref().ok().filter(|step| step.end.is_none()).and_then(|step| step.next.clone());
            if steps.send(step).await.is_err() {
                return;
            }
            match next {
                Some(next) => request.url = next,
                None => return,
            }
        }
    }

    /// Requests a page, and says where it leads.
    pub(super) async fn step(&mut self, request: &mut PageRequest) -> Result<Step> {
        let page = self.fetch(request).await?;
        let records = page.record_count() as u64;
        if self.of_parents {
            self.progress.count_page_of_parents(page.bytes, records);
        } else {
            self.progress.count_page(page.bytes, records);
        }
        let next = self.next_of(&request.url, &page)?;
        let (page, next, end) = match next {
            Some(next) => (page, Some(next), None),
            None if self.polling => {
                let (page, next) = self.once_more_if_full(request, page).await?;
                let end = next.is_none().then(|| EndKind::NoNext.into());
                (page, next, end)
            }
            None => self.end_of_list(request, page).await?,
        };
        let mut end = end;
        if let Some(next) = &next {
            self.proof.lock().await.set(PaginatorProof::Seen);
            let leads_to_itself = *next == request.url;
            if self.polling && (page.record_count() == 0 || leads_to_itself) {
                end = Some(EndKind::CaughtUp.into());
            } else if !self.guard.step(request.url.as_str(), next.as_str()) {
                return Err(cycle(next));
            }
        }
        let leads_on = self.at_start && !self.polling && next.is_some();
        let total = if leads_on { self.declared_total(request, &page) } else { None };
        self.at_start = false;
        Ok(Step { page, next, end, total, guard: self.guard.clone() })
    }
}

fn cycle(next: &Url) -> Error {
    Error::new(
        ErrorKind::Cycle,
        "follow next link",
        "the list runs in a circle: a page leads back to one before it",
    )
    .with("url", Redactor::shared().url(next))
    .hint(
        "nothing of this run counts, and the next pull starts over; if it ends the same way, the fault is the API's \
         or that of something between: its links lead back",
    )
}
