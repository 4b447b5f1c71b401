//! Whether a page that names no next one is the last of its list. A page is not taken for the whole list unless something
//! shows that it is, or nothing can: then the run says that it assumes so.

use url::Url;

use super::fetcher::Fetcher;
use crate::api::page_address::PageAddress;
use crate::api::page_request::PageRequest;
use crate::catalog::PaginatorSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::page::{
    EndKind, EnvelopeMember, Evidence, LastPage, ListEnd, Next, Page, declared_total, goes_on, misplaced_link,
};
use crate::redact::Redactor;
use crate::state::PaginatorProof;

/// Query parameters whose values leave records out, by the words in their names.
const FILTERS: [&str; 5] = ["filter", "search", "query", "where", "q"];

/// A page, where it leads, and how its list ends if it leads nowhere.
pub(super) type Judged = (Page, Option<PageAddress>, Option<ListEnd>);

impl Fetcher {
    /// Judges a page without a next one. A full one is requested once more, since a gateway may have dropped a header; the
    /// first page of a list whose paginator was never seen to work is looked through for hints that the list goes on, and
    /// requested in a smaller size, which must lead to a next page.
    pub(super) async fn end_of_list(&mut self, request: &mut PageRequest, page: Page) -> Result<Judged> {
        // By a status, or for want of a body: there is nothing on the page to look at.
        if page.declared_empty.is_some() && !self.at_start {
            return self.declared_empty_in_the_middle(request).await;
        }
        if page.declared_empty.is_some() && page.bytes == 0 {
            return Ok((page, None, Some(EndKind::Status.into())));
        }
        let none = self.stream.paginator == PaginatorSpec::None;
        let of_job = none && self.stream.job.is_some();
        let plain = match self.stream.paginator {
            PaginatorSpec::None if of_job => EndKind::Job,
            PaginatorSpec::None => EndKind::Single,
            PaginatorSpec::Hook(_) => EndKind::Hook,
            _ => EndKind::NoNext,
        };
        let certain = self.stream.single.is_some() || self.stream.records.is_one() || of_job;
        let (mut page, mut repeated) = (page, false);
        if !none && !certain && self.is_full(&page, request) {
            let next;
            (page, next) = self.once_more_if_full(request, page).await?;
            if next.is_some() {
                return Ok((page, next, None));
            }
            if let Next::Missing(why) = self.next_of(request, &page)? {
                return Ok((page, None, Some(ListEnd::contradicted(EndKind::NoNext, why))));
            }
            repeated = self.is_full(&page, request);
        }
        let envelope = page.envelope()?.unwrap_or_default();
        for pointer in self.stream.paginator.next_members() {
            misplaced_link(pointer, &envelope)?;
        }
        let records = page.record_count();
        let known = self.proof.lock().await.proof;
        if !self.at_start || (known == Some(PaginatorProof::Seen) && !none) {
            let end = match records {
                0 => EndKind::EmptyPage,
                _ if repeated => EndKind::Confirmed,
                _ => plain,
            };
            return Ok((page, None, Some(end.into())));
        }
        let evidence = self.evidence(request, &page, &envelope);
        let end = if let Some(evidence) = evidence {
            ListEnd::contradicted(plain, shown(request, &evidence, records))
        } else if records == 0 {
            EndKind::EmptyPage.into()
        } else if certain {
            if of_job { EndKind::Job.into() } else { EndKind::Single.into() }
        } else if none && self.is_full(&page, request) {
            let full = format!(
                "it is full with {records} records, as many as requested, and `paginator: none` follows no next page"
            );
            ListEnd::contradicted(plain, full)
        } else if records == 1 || self.is_less_than_any_page(records) {
            plain.into()
        } else {
            self.probe(request, records, plain).await?
        };
        if end.end == EndKind::Confirmed && !none && !repeated {
            // The smaller page has a next one. The page itself may have lost its own, whatever its size.
            page = self.fetch(request).await?;
            if let Next::Page(next) = self.next_of(request, &page)? {
                return Ok((page, Some(*next), None));
            }
        }
        Ok((page, None, Some(end)))
    }

    /// A page that the one before names, and that is declared to be an empty list. It must be so again to be the end, and an
    /// error is none: a cursor may have expired.
    pub(super) async fn declared_empty_in_the_middle(&self, request: &mut PageRequest) -> Result<Judged> {
        let page = self.fetch(request).await?;
        let next = self.next_page_of(request, &page)?;
        match page.declared_empty {
            Some(status) if status >= 400 && self.stream.empty.statuses.contains(&status) => Err(Error::new(
                ErrorKind::Data,
                "read page",
                format!(
                    "the API returned {status} to the address of a next page that it gave, which `empty` declares to be an \
                     empty list: only a first page can be that"
                ),
            )),
            // A rule says that this very response is the end, wherever it comes.
            Some(status) if status >= 300 => Ok((page, None, Some(EndKind::Status.into()))),
            Some(_) => Ok((page, None, Some(EndKind::EmptyPage.into()))),
            None => {
                let end = next.is_none().then(|| EndKind::NoNext.into());
                Ok((page, next, end))
            }
        }
    }

    /// A page that says that the list goes on, and not where, once more: a gateway may have dropped a header. Unless it
    /// names one then, or says that there is no more, its list is not complete.
    pub(super) async fn missing_next(&self, request: &mut PageRequest, why: String) -> Result<Judged> {
        let page = self.fetch(request).await?;
        Ok(match self.next_of(request, &page)? {
            Next::Page(next) => (page, Some(*next), None),
            Next::End(end) => (page, None, Some(end.into())),
            Next::Unnamed | Next::Missing(_) => {
                (page, None, Some(ListEnd::contradicted(EndKind::NoNext, why)))
            }
        })
    }

    /// The page that a page names, if it names one.
    fn next_page_of(&self, request: &PageRequest, page: &Page) -> Result<Option<PageAddress>> {
        Ok(match self.next_of(request, page)? {
            Next::Page(next) => Some(*next),
            Next::End(_) | Next::Unnamed | Next::Missing(_) => None,
        })
    }

    /// Whether a page has as many records as were requested.
    pub(super) fn is_full(&self, page: &Page, request: &PageRequest) -> bool {
        let records = page.record_count();
        records > 0 && self.requested(request) == Some(records)
    }

    /// A full page without a next one, once more: it may have lost its link. Returns where it leads then.
    pub(super) async fn once_more_if_full(
        &self,
        request: &mut PageRequest,
        page: Page,
    ) -> Result<(Page, Option<PageAddress>)> {
        if !self.is_full(&page, request) {
            return Ok((page, None));
        }
        let page = self.fetch(request).await?;
        let next = self.next_page_of(request, &page)?;
        Ok((page, next))
    }

    /// No page of a list that goes on is so small.
    fn is_less_than_any_page(&self, records: usize) -> bool {
        self.stream.page_size.as_ref().is_some_and(|size| records < size.min as usize)
    }

    fn evidence(&self, request: &PageRequest, page: &Page, envelope: &[EnvelopeMember]) -> Option<Evidence> {
        goes_on(&self.facts(request, page, envelope))
    }

    /// How many records the list has, if its page says more than it holds itself.
    pub(super) fn declared_total(&self, request: &PageRequest, page: &Page) -> Option<u64> {
        let envelope = page.envelope().ok()??;
        declared_total(&self.facts(request, page, &envelope))
    }

    fn facts<'p>(
        &'p self,
        request: &'p PageRequest,
        page: &'p Page,
        envelope: &'p [EnvelopeMember],
    ) -> LastPage<'p> {
        LastPage {
            stream: &self.stream,
            url: &request.address.url,
            key_parameters: &request.key_parameters,
            headers: &page.headers,
            envelope,
            records: page.record_count(),
            requested: request.requested_size(),
            filtered: request.filtered || sends_filter(&request.address.url),
        }
    }

    /// Requests the first page with one record less than it has, once for the stream: then there must be a next page.
    async fn probe(&self, request: &PageRequest, records: usize, plain: EndKind) -> Result<ListEnd> {
        // Other lists of the stream wait: what comes of this one holds for them too.
        let mut proof = self.proof.lock().await;
        match proof.proof {
            Some(PaginatorProof::Seen) if plain == EndKind::Single => return Ok(EndKind::Confirmed.into()),
            Some(PaginatorProof::Seen) => return Ok(plain.into()),
            Some(PaginatorProof::Assumed) => return Ok(EndKind::Assumed.into()),
            None => {}
        }
        let mut smaller = request.clone();
        let fewer = u32::try_from(records - 1).unwrap_or(u32::MAX);
        if !smaller.set_size(fewer) {
            return Ok(EndKind::Assumed.into());
        }
        let page = match self.fetch(&mut smaller).await {
            Ok(page) => page,
            // It may have a least page size that is not known here.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Refused | ErrorKind::NotFound | ErrorKind::Api | ErrorKind::Forbidden
                ) =>
            {
                return Ok(EndKind::Assumed.into());
            }
            Err(error) => return Err(error),
        };
        let follows = self.next_page_of(&smaller, &page)?.is_some();
        let hints = if follows {
            None
        } else {
            self.evidence(&smaller, &page, &page.envelope()?.unwrap_or_default())
        };
        let none = plain == EndKind::Single;
        if follows || (none && hints.is_some()) {
            proof.set(PaginatorProof::Seen);
            return Ok(EndKind::Confirmed.into());
        }
        if page.record_count() >= records {
            // It gives what it has, whatever is requested.
            proof.set(PaginatorProof::Assumed);
            return Ok(EndKind::Assumed.into());
        }
        if none || smaller.requested_size() != Some(page.record_count()) {
            return Ok(EndKind::Assumed.into());
        }
        let hint = hints.map(|hint| format!("; {}", shown(&smaller, &hint, records))).unwrap_or_default();
        let contradicted = format!(
            "it has {records} records, and requested with {fewer} it has {fewer} and still no next page{hint}"
        );
        Ok(ListEnd::contradicted(plain, contradicted))
    }
}

/// What evidence says, for people: addresses without what may be private in them.
fn shown(request: &PageRequest, evidence: &Evidence, records: usize) -> String {
    let redactor = Redactor::shared();
    let address =
        evidence.value.contains('/').then(|| request.address.url.join(&evidence.value).ok()).flatten();
    let value = address.map_or_else(|| redactor.shown(&evidence.value, SHOWN), |url| redactor.url(&url));
    let way_out = match &evidence.paginator {
        Some(paginator) => {
            format!("; `paginator: {}` would follow it", redactor.shown(paginator, SHOWN))
        }
        None => String::new(),
    };
    let location = redactor.shown(&evidence.location, SHOWN);
    format!("{location} is `{value}`, and {records} records were read{way_out}")
}

/// The most characters of a value that are shown.
const SHOWN: usize = 100;

/// Whether a request leaves records out that a total may count.
fn sends_filter(url: &Url) -> bool {
    url.query_pairs().any(|(name, _)| {
        let words = name.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
        words.into_iter().any(|word| FILTERS.contains(&word.as_str()))
    })
}
