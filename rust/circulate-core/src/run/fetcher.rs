//! Requests a page of a list, and reads from it where it leads.

use std::sync::Arc;

use url::Url;

use super::learning::SharedProof;
use crate::api::client::{Client, PageRequest, header_map};
use crate::catalog::{Pointer, StreamSpec};
use crate::error::Result;
use crate::page::{LoopGuard, Page, PageFacts, PageLimits, Paginator, Watch, paginator, read_page};
use crate::progress::Progress;

/// Where pages begin, and how they are read.
pub(super) struct First<'f> {
    pub(super) stream: &'f StreamSpec,
    /// Members that are found in each record.
    pub(super) watched: &'f [Pointer],
    pub(super) url: Url,
    /// It is the first page of its list.
    pub(super) at_start: bool,
    pub(super) guard: &'f LoopGuard,
    pub(super) limits: PageLimits,
    /// What is known of the stream's paginator.
    pub(super) proof: SharedProof,
    /// The list has no end: it is read until it has no more for now.
    pub(super) polling: bool,
    /// The list is that of the parents of the stream.
    pub(super) of_parents: bool,
}

impl<'f> First<'f> {
    /// The first page of a list of `stream`.
    pub(super) fn of(stream: &'f StreamSpec, url: Url, guard: &'f LoopGuard, proof: SharedProof) -> Self {
        Self {
            stream,
            watched: stream.times(),
            url,
            at_start: true,
            guard,
            limits: PageLimits::default(),
            proof,
            polling: false,
            of_parents: false,
        }
    }
}

/// What requests the pages of one list.
pub(super) struct Fetcher {
    pub(super) client: Arc<Client>,
    pub(super) progress: Arc<Progress>,
    pub(super) stream: StreamSpec,
    paginator: Box<dyn Paginator>,
    watch: Arc<Watch>,
    limits: PageLimits,
    pub(super) guard: LoopGuard,
    pub(super) at_start: bool,
    pub(super) proof: SharedProof,
    pub(super) polling: bool,
    pub(super) of_parents: bool,
    /// As many as the first page was requested with: addresses of next pages may not say it.
    pub(super) page_size: Option<usize>,
}

impl Fetcher {
    pub(super) fn new(
        client: &Arc<Client>,
        progress: &Arc<Progress>,
        first: First<'_>,
    ) -> Result<(Self, PageRequest)> {
        let First { stream, watched, url, at_start, guard, limits, proof, polling, of_parents } = first;
        let request = PageRequest {
            url,
            headers: header_map(&stream.headers)?,
            page_size: stream.page_size.clone(),
            empty_statuses: stream.empty.statuses.clone(),
        };
        let paginator = paginator(&stream.paginator);
        let watch = Watch::new(stream.records.clone(), watched, &paginator.page_fields());
        let watch = watch.with_empty(stream.empty.clone());
        let fetcher = Self {
            client: Arc::clone(client),
            progress: Arc::clone(progress),
            stream: stream.clone(),
            paginator,
            watch: Arc::new(watch),
            limits,
            guard: guard.clone(),
            at_start,
            proof,
            polling,
            of_parents,
            page_size: stream.page_size.as_ref().map(|size| size.max as usize),
        };
        Ok((fetcher, request))
    }

    pub(super) async fn fetch(&self, request: &mut PageRequest) -> Result<Page> {
        let (watch, limits) = (&self.watch, self.limits);
        self.client
            .fetch(request, |response| {
                let watch = Arc::clone(watch);
                async move { read_page(response, &watch, limits).await }
            })
            .await
    }

    /// Where a page leads. A page whose link can't be followed is not taken in: the next start requests it, and its link,
    /// again.
    pub(super) fn next_of(&self, url: &Url, page: &Page) -> Result<Option<Url>> {
        let facts =
            PageFacts { url, headers: &page.headers, fields: &page.fields, records: page.record_count() };
        let next = self.paginator.next(&facts)?;
        next.as_ref().map_or(Ok(()), |next| self.client.check_next(next))?;
        Ok(next)
    }
}
