//! Requests the pages of a stream, one ahead of the worker that takes them in.

use std::ops::Range;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::fetcher::{Fetcher, First, keep_size};
use super::pull::Pull;
use crate::api::client::Client;
use crate::api::page_address::PageAddress;
use crate::api::page_request::PageRequest;
use crate::catalog::TokenPage;
use crate::error::{Error, ErrorKind, Result};
use crate::page::{EndKind, ListEnd, LoopGuard, Next, Page};
use crate::redact::Redactor;
use crate::state::PaginatorProof;
use tokio_util::task::AbortOnDropHandle;

/// Pages that wait to be taken in while the next one is requested.
const PAGES_AHEAD: usize = 1;

/// A page and where it leads.
pub(super) struct Step {
    pub(super) page: Page,
    pub(super) next: Option<PageAddress>,
    /// There is no more to request now, and how that is known.
    pub(super) end: Option<ListEnd>,
    /// How many records the list has, by what its first page says.
    pub(super) total: Option<u64>,
    /// The API gives no more of the list than was read, whatever there is.
    pub(super) capped: bool,
    /// What the next pull goes on with, if this page says so.
    pub(super) durable: Option<String>,
    pub(super) guard: LoopGuard,
    /// Those of the watched members of records that are their key, if they were to be looked at.
    pub(super) key: Range<usize>,
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
                Some(next) => {
                    request.address = next;
                    keep_size(&self.stream, &mut request);
                }
                None => return,
            }
        }
    }

    /// Requests a page, and says where it leads, and what the next pull goes on with.
    pub(super) async fn step(&mut self, request: &mut PageRequest) -> Result<Step> {
        let is_first = self.at_start;
        let mut step = self.judged_step(request).await?;
        if is_first {
            step.durable = self.durable_of(request, &step.page, TokenPage::First)?;
        }
        let durable = self.stream.durable().filter(|durable| durable.page() == TokenPage::Last);
        if durable.is_some()
            && let Some(end) = step.end.as_mut().filter(|end| end.contradicted.is_none())
        {
            step.durable = self.durable_of(request, &step.page, TokenPage::Last)?;
            if step.durable.is_none() {
                let why = "it names neither a next page nor what the next pull goes on with (`durable`)";
                end.contradicted = Some(why.to_owned());
            }
        }
        Ok(step)
    }

    async fn judged_step(&mut self, request: &mut PageRequest) -> Result<Step> {
        let page = self.fetch(request).await?;
        request.condition = None;
        let records = page.record_count() as u64;
        if self.of_parents {
            self.progress.count_page_of_parents(page.bytes, records);
        } else {
            self.progress.count_page(page.bytes, records);
        }
        if let Some(counting) = self.counting.clone() {
            return self.counted_step(&counting, request, page).await;
        }
        let (page, next, end) = match self.next_of(request, &page)? {
            Next::Page(next) => {
                let ended = self.ends_at_short_page() && self.is_short(&page, request);
                if ended { (page, None, Some(EndKind::ShortPage.into())) } else { (page, Some(*next), None) }
            }
            Next::End(_) if page.declared_empty.is_some() && !self.at_start => {
                self.declared_empty_in_the_middle(request).await?
            }
            Next::End(end) => (page, None, Some(end.into())),
            Next::Missing(why) => self.missing_next(request, why).await?,
            Next::Unnamed if self.durable_of(request, &page, TokenPage::Last)?.is_some() => {
                (page, None, Some(EndKind::Durable.into()))
            }
            Next::Unnamed if self.polling => {
                let (page, next) = self.once_more_if_full(request, page).await?;
                let end = next.is_none().then(|| EndKind::NoNext.into());
                (page, next, end)
            }
            Next::Unnamed => self.end_of_list(request, page).await?,
        };
        let mut end = end;
        if let Some(next) = &next {
            if self.next_is_given() {
                self.proof.lock().await.set(PaginatorProof::Seen);
            }
            let leads_to_itself = next.key() == request.address.key();
            if self.polling && (page.record_count() == 0 || leads_to_itself) {
                end = Some(EndKind::CaughtUp.into());
            } else if !self.guard.step(&request.address.key(), &next.key()) {
                return Err(cycle(next));
            }
        }
        let leads_on = self.at_start && !self.polling && next.is_some();
        let total = if leads_on { self.declared_total(request, &page) } else { None };
        self.at_start = false;
        let (capped, durable) = (false, None);
        Ok(Step { page, next, end, total, capped, durable, guard: self.guard.clone(), key: self.key.clone() })
    }
}

fn cycle(next: &PageAddress) -> Error {
    Error::new(
        ErrorKind::Cycle,
        "follow next link",
        "the list runs in a circle: a page leads back to one before it",
    )
    .with("url", Redactor::shared().url(&next.url))
    .hint(
        "nothing of this run counts, and the next pull starts over; if it ends the same way, the fault is the API's \
         or that of something between: its links lead back, or it ignores the parameter that leads on",
    )
}
