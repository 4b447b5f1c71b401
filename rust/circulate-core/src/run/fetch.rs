//! Asks for the pages of a stream, one ahead of the worker that takes them in.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;
use url::Url;

use super::Pull;
use super::renewal::AbortOnDrop;
use crate::client::{Client, PageRequest, header_map};
use crate::clock::rfc3339_millis;
use crate::cursor::Window;
use crate::error::{Error, ErrorKind, Result};
use crate::page::{LoopGuard, Page, PageFacts, PageLimits, Paginator, Watch, paginator, read_page};
use crate::plan::Partition;
use crate::progress::Progress;
use crate::spec::{Incremental, Pointer, StreamSpec, Template};

/// Pages that wait to be taken in while the next one is asked for.
const PAGES_AHEAD: usize = 1;

/// A page and where it leads.
pub(super) struct Step {
    pub(super) page: Page,
    pub(super) next: Option<Url>,
    /// There is no more to ask for now: the list is at its end, or an endless one has no more as yet.
    pub(super) last: bool,
    pub(super) guard: LoopGuard,
}

/// Where pages begin, and how they are read.
pub(super) struct First<'f> {
    pub(super) stream: &'f StreamSpec,
    /// Members that are found in each record.
    pub(super) watched: &'f [Pointer],
    pub(super) url: Url,
    pub(super) guard: &'f LoopGuard,
    pub(super) limits: PageLimits,
    /// The list has no end: it is read until it has no more for now.
    pub(super) polling: bool,
}

/// The pages from a position on. Dropping it stops the asking.
pub(super) struct Pages {
    steps: mpsc::Receiver<Result<Step>>,
    _fetching: AbortOnDrop,
}

impl Pages {
    /// Begins to ask.
    pub(super) fn start(pull: &Pull, client: &Arc<Client>, first: First<'_>) -> Result<Self> {
        let First { stream, watched, url, guard, limits, polling } = first;
        let request =
            PageRequest { url, headers: header_map(&stream.headers)?, page_size: stream.page_size.clone() };
        let paginator = paginator(&stream.paginator);
        let watch = Watch::new(stream.records.clone(), watched, &paginator.page_fields());
        let fetcher = Fetcher {
            client: Arc::clone(client),
            progress: Arc::clone(&pull.progress),
            paginator,
            watch: Arc::new(watch),
            limits,
            guard: guard.clone(),
            polling,
        };
        let (sender, steps) = mpsc::channel(PAGES_AHEAD);
        Ok(Self { steps, _fetching: AbortOnDrop(tokio::spawn(fetcher.run(request, sender))) })
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

/// The first page of `stream`, or of a partition of it, for the part of time that `rule` can ask for.
pub(super) fn first_url(
    pull: &Pull,
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
    Ok(pull.account.url(&partition.path(&stream.path)?, pairs))
}

/// The query parameters that ask for a part of time.
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

struct Fetcher {
    client: Arc<Client>,
    progress: Arc<Progress>,
    paginator: Box<dyn Paginator>,
    watch: Arc<Watch>,
    limits: PageLimits,
    guard: LoopGuard,
    polling: bool,
}

impl Fetcher {
    async fn run(mut self, mut request: PageRequest, steps: mpsc::Sender<Result<Step>>) {
        loop {
            let step = self.step(&mut request).await;
            let next = step.as_ref().ok().filter(|step| !step.last).and_then(|step| step.next.clone());
            if steps.send(step).await.is_err() {
                return;
            }
            match next {
                Some(next) => request.url = next,
                None => return,
            }
        }
    }

    async fn step(&mut self, request: &mut PageRequest) -> Result<Step> {
        let (watch, limits) = (&self.watch, self.limits);
        let page = self
            .client
            .fetch(request, |response| {
                let watch = Arc::clone(watch);
                async move { read_page(response, &watch, limits).await }
            })
            .await?;
        self.progress.count_page(page.bytes, page.record_count() as u64);
        let facts = PageFacts {
            url: &request.url,
            headers: &page.headers,
            fields: &page.fields,
            records: page.record_count(),
        };
        let next = self.paginator.next(&facts)?;
        // A page whose link can't be followed is not taken in: the next start asks for it, and for its link, again.
        next.as_ref().map_or(Ok(()), |next| self.client.check_origin(next))?;
        let caught_up = self.polling && request.asked_for().is_none_or(|asked| page.record_count() < asked);
        if let Some(next) = &next
            && !(caught_up && page.record_count() == 0)
            && !self.guard.step(request.url.as_str(), next.as_str())
        {
            return Err(Error::new(
                ErrorKind::Data,
                "follow next link",
                "the list runs in a circle: a page leads back to one before it",
            )
            .with("url", self.client.redactor().url(next))
            .hint("nothing of this run counts; this is a fault of the API or of something between"));
        }
        let last = next.is_none() || caught_up;
        Ok(Step { page, next, last, guard: self.guard.clone() })
    }
}
