//! Lists whose requests count: how many records to leave out, or the number of the page.
//!
//! Nothing on a page names the next one, so the list ends where the API counts its records or pages, says by a flag that there
//! is no more, or has a page without a record. A short page is no end unless the definition says so.

use serde_json::Value;

use super::signal::{Signals, members};
use crate::api::page_request::{Numbered, PageRequest, number};
use crate::catalog::{
    OffsetBy, OffsetSpec, PageNumberSpec, PaginatorSpec, Pointer, RequestLocation, Restart, Signal,
};
use crate::error::{Error, ErrorKind, Result};
use http::HeaderMap;

/// How the requests of a list count.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Counting {
    /// Records that are left out.
    Offset(OffsetSpec),
    /// Pages.
    Page(PageNumberSpec),
}

/// What a page says of its list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PageCounts {
    /// Records that the list has.
    pub(crate) total: Option<u64>,
    /// Pages that the list has.
    pub(crate) pages: Option<u64>,
    /// There is more.
    pub(crate) more: Option<bool>,
}

impl Counting {
    /// How the requests of a list count, if they do.
    pub(crate) fn of(spec: &PaginatorSpec) -> Option<Self> {
        match spec {
            PaginatorSpec::Offset(offset) => Some(Self::Offset(offset.clone())),
            PaginatorSpec::Page(page) => Some(Self::Page(page.clone())),
            _ => None,
        }
    }

    fn to(&self) -> &RequestLocation {
        match self {
            Self::Offset(offset) => &offset.to,
            Self::Page(page) => &page.to,
        }
    }

    /// The number of the first request.
    pub(crate) fn first(&self) -> u64 {
        match self {
            Self::Offset(offset) => offset.start,
            Self::Page(page) => page.first,
        }
    }

    /// The members of the page that it needs.
    pub(crate) fn page_fields(&self) -> Vec<Pointer> {
        members(self.signals())
    }

    fn signals(&self) -> impl Iterator<Item = &Signal> {
        let (total, pages, more) = match self {
            Self::Offset(offset) => (&offset.total, None, &offset.more),
            Self::Page(page) => (&page.total, page.pages.as_ref(), &page.more),
        };
        total.iter().chain(pages).chain(more)
    }

    /// The member of records that it needs.
    pub(crate) fn record_fields(&self) -> Vec<Pointer> {
        self.restart().map(|restart| restart.from.clone()).into_iter().collect()
    }

    /// How the list starts over behind its cap.
    pub(crate) fn restart(&self) -> Option<&Restart> {
        if let Self::Offset(offset) = self { offset.restart.as_ref() } else { None }
    }

    /// Adds what the first request sends.
    pub(crate) fn start(&self, request: &mut PageRequest) -> Result<()> {
        if let Self::Page(page) = self {
            request.numbered = Some(Numbered { to: page.to.clone(), first: page.first });
        }
        request.set(self.to(), &Value::from(self.first()))
    }

    /// What a page says of its list.
    pub(crate) fn counts(&self, headers: &HeaderMap, fields: &[Option<Vec<u8>>]) -> Result<PageCounts> {
        let mut signals = Signals::new(headers, fields);
        Ok(match self {
            Self::Offset(offset) => PageCounts {
                total: signals.count(offset.total.as_ref())?,
                pages: None,
                more: signals.flag(offset.more.as_ref())?,
            },
            Self::Page(page) => PageCounts {
                total: signals.count(page.total.as_ref())?,
                pages: signals.count(page.pages.as_ref())?,
                more: signals.flag(page.more.as_ref())?,
            },
        })
    }

    /// The number that a request says.
    pub(crate) fn number_of(&self, request: &PageRequest) -> Result<u64> {
        request.get(self.to()).as_ref().and_then(number).ok_or_else(|| {
            let what = format!("the request has no number at {}", self.to());
            Error::new(ErrorKind::State, "build request", what)
        })
    }

    /// The request that says this number.
    pub(crate) fn at(&self, request: &PageRequest, number: u64) -> Result<PageRequest> {
        let mut next = request.clone();
        next.set(self.to(), &Value::from(number))?;
        Ok(next)
    }

    /// The number behind a page of so many records.
    pub(crate) fn after(&self, number: u64, records: u64, requested: Option<usize>) -> u64 {
        match self {
            Self::Page(_) => number.saturating_add(1),
            Self::Offset(offset) if offset.by == OffsetBy::PageSize => {
                // An API that gives more than it was asked for goes by a size of its own.
                number.saturating_add(requested.map_or(records, |size| records.max(size as u64)))
            }
            Self::Offset(_) => number.saturating_add(records),
        }
    }

    /// Whether requests can say any number of records to leave out.
    pub(crate) fn by_records(&self) -> bool {
        matches!(self, Self::Offset(offset) if offset.by == OffsetBy::Records)
    }

    /// How many records the API gives at most.
    pub(crate) fn cap(&self) -> Option<u64> {
        if let Self::Offset(offset) = self { offset.cap } else { None }
    }

    /// Where a page says how many records or pages there are, for people.
    pub(crate) fn name_of_total(&self) -> String {
        self.signals().next().map_or_else(String::new, Signal::to_string)
    }
}
