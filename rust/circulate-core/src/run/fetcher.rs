//! Requests a page of a list, and reads from it where it leads.

use std::ops::Range;
use std::sync::Arc;

use http::header::{ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;

use super::learning::SharedProof;
use crate::api::client::Client;
use crate::api::hooks::HookedPage;
use crate::api::http::server_date;
use crate::api::page_address::PageAddress;
use crate::api::page_request::PageRequest;
use crate::catalog::{Durable, PaginatorSpec, Pointer, RecordKind, StreamSpec, TokenPage};
use crate::error::{Error, ErrorKind, Result};
use crate::page::{
    Counting, LoopGuard, MAX_WATCHED, Next, Page, PageFacts, PageForHook, PageLimits, Paginator,
    ThroughHooks, Watch, paginator, read_page,
};
use crate::progress::Progress;
use crate::redact::Redactor;

/// Where pages begin, and how they are read.
pub(super) struct First<'f> {
    pub(super) stream: &'f StreamSpec,
    /// Members that are found in each record.
    pub(super) watched: Vec<Pointer>,
    pub(super) request: PageRequest,
    /// Where the list begins.
    pub(super) start: PageAddress,
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
    /// The members that identify records, if these are looked at, too.
    pub(super) key: Vec<Pointer>,
}

impl<'f> First<'f> {
    /// The first page of a list of `stream` whose records are taken in.
    pub(super) fn keyed(
        stream: &'f StreamSpec,
        request: PageRequest,
        guard: &'f LoopGuard,
        proof: SharedProof,
    ) -> Self {
        let is_entity = stream.kind() == RecordKind::Entity;
        let members = if is_entity { stream.primary_key.members() } else { &[] };
        Self { key: members.to_vec(), ..Self::of(stream, request, guard, proof) }
    }

    /// The first page of a list of `stream`.
    pub(super) fn of(
        stream: &'f StreamSpec,
        request: PageRequest,
        guard: &'f LoopGuard,
        proof: SharedProof,
    ) -> Self {
        Self {
            stream,
            watched: stream.times().to_vec(),
            start: request.address.clone(),
            request,
            at_start: true,
            guard,
            limits: PageLimits::default(),
            proof,
            polling: false,
            of_parents: false,
            key: Vec::new(),
        }
    }
}

/// What requests the pages of one list.
pub(super) struct Fetcher {
    pub(super) client: Arc<Client>,
    pub(super) progress: Arc<Progress>,
    pub(super) stream: StreamSpec,
    paginator: Box<dyn Paginator>,
    /// What leads to the next pull, and where the members are that it reads, among those of the page.
    durable: Option<(Box<dyn Paginator>, usize)>,
    start: PageAddress,
    /// How its requests count, if they do.
    pub(super) counting: Option<Counting>,
    /// Members of records that are for those who take them in; the paginator's stand behind them.
    watched: usize,
    /// Those of them that identify a record, where that is looked at: for keys, where requests count or a page is one record.
    pub(super) key: Range<usize>,
    watch: Arc<Watch>,
    /// What pages pass through.
    hooks: Option<Arc<ThroughHooks>>,
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
        let First {
            stream,
            watched,
            mut request,
            start,
            at_start,
            guard,
            limits,
            proof,
            polling,
            of_parents,
            key,
        } = first;
        let durable = stream.durable().and_then(|durable| durable.paginator(&stream.paginator));
        let durable = durable.map(|spec| paginator(&spec));
        let paginator = paginator(&stream.paginator);
        let mut in_page = paginator.page_fields();
        let of_paginator = in_page.len();
        in_page.extend(durable.iter().flat_map(|durable| durable.page_fields()));
        let errors = client.watched(&request.rules);
        let counting = Counting::of(&stream.paginator);
        let of_takers = watched.len();
        let mut in_records = [watched, paginator.record_fields()].concat();
        let before_key = in_records.len();
        if !key.is_empty() {
            in_records.extend(key);
        } else if counting.is_some() || stream.records.is_one() {
            in_records.extend(stream.primary_key.members().iter().cloned());
        }
        if in_records.len() + in_page.len() + errors.len() > MAX_WATCHED {
            return Err(too_many_watched(in_records.len(), errors.len()));
        }
        if !at_start {
            keep_size(stream, &mut request);
        }
        let watch = Watch::of(stream, &in_records, &in_page).with_errors(&errors);
        let fetcher = Self {
            client: Arc::clone(client),
            progress: Arc::clone(progress),
            stream: stream.clone(),
            paginator,
            durable: durable.map(|durable| (durable, of_paginator)),
            start,
            counting,
            watched: of_takers,
            key: before_key..in_records.len(),
            watch: Arc::new(watch),
            hooks: ThroughHooks::of(stream, client.hooks()).map(Arc::new),
            limits,
            guard: guard.clone(),
            at_start,
            proof,
            polling,
            of_parents,
            page_size: stream.page_size.as_ref().map(|size| size.requested() as usize),
        };
        Ok((fetcher, request))
    }

    /// Requests a page. One that should be a record has what identifies it: otherwise it may be anything, such as an error.
    pub(super) async fn fetch(&self, request: &mut PageRequest) -> Result<Page> {
        let page = self.fetch_any(request).await?;
        if !self.stream.records.is_one() || page.record_count() == 0 {
            return Ok(page);
        }
        let key = page.fields_of_last_record(self.key.clone())?;
        match self.stream.primary_key.members().iter().zip(key).find(|(_, value)| value.is_none()) {
            None => Ok(page),
            Some((member, _)) => {
                let what = format!("the response has no `{member}`, which identifies a record");
                Err(Error::new(ErrorKind::Data, "read page", what).hint(
                    "if it is an error, say so by `errors` in the endpoint's definition; otherwise correct `records` or \
                     `primary_key`",
                ))
            }
        }
    }

    async fn fetch_any(&self, request: &mut PageRequest) -> Result<Page> {
        let (client, watch, limits, rules) = (&self.client, &self.watch, self.limits, request.rules.clone());
        let mut page = client
            .fetch(request, |response| {
                let (client, watch, rules) = (Arc::clone(client), Arc::clone(watch), rules.clone());
                let hooks = self.hooks.clone();
                async move {
                    let judge = |status, headers: &_, found: &[_]| {
                        client.check_success(status, headers, found, &rules)
                    };
                    read_page(response, &watch, limits, hooks.as_deref(), judge).await
                }
            })
            .await?;
        if let (Some(hooks), Some(taken)) = (&self.hooks, page.for_hook.take()) {
            let PageForHook { status, body, .. } = taken;
            let read = HookedPage { status: status.as_u16(), headers: page.headers.clone(), body };
            let next = client.run_hook(hooks.next(request, read)).await;
            let at = |error: Error| error.with("url", Redactor::shared().url(&request.address.url));
            page.next_by_hook = next.map_err(at)?;
        }
        Ok(page)
    }

    /// Where a page leads. A page whose link can't be followed is not taken in: the next start requests it, and its link,
    /// again.
    pub(super) fn next_of(&self, request: &PageRequest, page: &Page) -> Result<Next> {
        let facts = PageFacts {
            request,
            headers: &page.headers,
            fields: &page.fields,
            last: &self.last_fields(page)?,
            records: page.record_count(),
        };
        let next = match &page.next_by_hook {
            Some(next) => next.clone(),
            None => self.paginator.next(&facts)?,
        };
        if let Next::Page(next) = &next {
            self.client.check_next(next)?;
        }
        Ok(next)
    }

    /// What the next pull goes on with, by what the first page, or the last one, of its list says.
    pub(super) fn durable_of(
        &self,
        request: &PageRequest,
        page: &Page,
        is: TokenPage,
    ) -> Result<Option<String>> {
        let Some(kind) = self.stream.durable().filter(|durable| durable.page() == is) else {
            return Ok(None);
        };
        let Some((durable, first)) = &self.durable else { return Ok(validator(kind, &page.headers)) };
        // A value is sent with the first request of a list; an address is relative to the page that has it.
        let start = matches!(kind, Durable::Token(_)).then(|| request.clone().at(self.start.clone()));
        let facts = PageFacts {
            request: start.as_ref().unwrap_or(request),
            headers: &page.headers,
            fields: page.fields.get(*first..).unwrap_or_default(),
            last: &[],
            records: page.record_count(),
        };
        let Next::Page(address) = durable.next(&facts)? else { return Ok(None) };
        self.client.check_next(&address)?;
        Ok(Some(address.stored()))
    }

    /// What the paginator looks at in the last record of a page.
    pub(super) fn last_fields(&self, page: &Page) -> Result<Vec<Option<Vec<u8>>>> {
        page.fields_of_last_record(self.watched..self.watched + self.paginator.record_fields().len())
    }

    /// Whether the API says where the next page is, rather than that we count on.
    pub(super) fn next_is_given(&self) -> bool {
        !matches!(self.stream.paginator, PaginatorSpec::LastRecord(_))
    }

    pub(super) fn ends_at_short_page(&self) -> bool {
        let declared = self.stream.end.as_ref().is_some_and(|end| end.short_page);
        declared && (self.counting.is_some() || !self.next_is_given())
    }

    /// How many records a page was requested with.
    pub(super) fn requested(&self, request: &PageRequest) -> Option<usize> {
        request.requested_size().or(self.page_size)
    }

    /// Whether a page has fewer records than were requested.
    pub(super) fn is_short(&self, page: &Page, request: &PageRequest) -> bool {
        self.requested(request).is_some_and(|requested| page.record_count() < requested)
    }
}

/// Lets the request of a page behind the first one keep the size of its page, if a hook leads from page to page: it may count
/// them.
pub(super) fn keep_size(stream: &StreamSpec, request: &mut PageRequest) {
    if matches!(stream.paginator, PaginatorSpec::Hook(_)) {
        request.page_size = None;
    }
}

/// More than can be found on the one pass through a page.
fn too_many_watched(in_records: usize, for_errors: usize) -> Error {
    let message = format!(
        "the definition looks for too many members of a page: {in_records} of each record, and {for_errors} by `errors` and \
         `error_body`; {MAX_WATCHED} in all, with those of the paginator, can be found"
    );
    Error::new(ErrorKind::Definition, "read definition", message)
        .hint("rules that are about error responses only take none of these if they name their `status`")
}

/// What a response is known by, as the next request names it. `Last-Modified` shows no change within its second, so one of the
/// second of the response is worth nothing (RFC 9110, section 8.8.2.2).
fn validator(kind: &Durable, headers: &HeaderMap) -> Option<String> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim).map(str::to_owned);
    match kind {
        Durable::Etag(_) => {
            text(ETAG).filter(|tag| names_one(tag) && headers.get_all(ETAG).iter().count() == 1)
        }
        Durable::LastModified => text(LAST_MODIFIED).filter(|modified| {
            let modified =
                httpdate::parse_http_date(modified).ok().and_then(|time| Timestamp::try_from(time).ok());
            modified < server_date(headers) && modified.is_some()
        }),
        Durable::NextUrl(_) | Durable::LinkHeader(_) | Durable::Token(_) | Durable::Paginator => None,
    }
}

/// Whether an `ETag` names one version in `If-None-Match`. `*` would stand for any, commas may make two of it, and an empty one
/// names none: the API could say "unchanged" for ever. Some send no quotes.
fn names_one(tag: &str) -> bool {
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    match tag.strip_prefix('"').map(|rest| rest.strip_suffix('"')) {
        Some(Some(quoted)) => !quoted.is_empty() && !quoted.contains('"'),
        Some(None) => false,
        None => {
            !tag.is_empty()
                && tag != "*"
                && !tag.contains(|c: char| c == ',' || c == '"' || c.is_whitespace())
        }
    }
}
