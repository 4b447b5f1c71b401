//! Pages: which one comes next, which records one holds, and how a list ended.

mod end;
mod envelope;
mod error_inside;
mod evidence;
mod format;
mod hooked;
mod last_record;
mod link_header;
mod loop_guard;
mod next_url;
mod numbered;
mod paginator;
mod read;
pub mod record;
mod signal;
mod token;
mod watch;
mod written;

use crate::api::page_request::PageRequest;
use crate::catalog::{PaginatorSpec, Pointer};
use crate::error::{Error, ErrorKind, Result};

pub use end::{EndKind, Ends, ListEnd, NamedEnd};
pub(crate) use envelope::EnvelopeMember;
pub(crate) use evidence::{Evidence, LastPage, declared_total, goes_on};
pub use hooked::ThroughHooks;
pub use link_header::LinkHeader;
pub(crate) use link_header::linked;
pub use loop_guard::LoopGuard;
pub(crate) use next_url::misplaced_link;
pub(crate) use numbered::{Counting, PageCounts};
pub use paginator::{Next, PageFacts, Paginator};
pub(crate) use read::PageForHook;
pub use read::{Page, PageLimits, Record, Records, read_page};
pub use watch::{MAX_WATCHED, Watch};

/// Nothing on the page that is known here leads to a next one.
#[derive(Debug)]
struct OnePage;

impl Paginator for OnePage {
    fn next(&self, _: &PageFacts<'_>) -> Result<Next> {
        Ok(Next::Unnamed)
    }
}

/// Requests count, so nothing on a page leads to the next one: see [`Counting`].
#[derive(Debug)]
struct CountedPaginator(Counting);

impl Paginator for CountedPaginator {
    fn page_fields(&self) -> Vec<Pointer> {
        self.0.page_fields()
    }

    fn record_fields(&self) -> Vec<Pointer> {
        self.0.record_fields()
    }

    fn start(&self, request: &mut PageRequest) -> Result<()> {
        self.0.start(request)
    }

    fn next(&self, _: &PageFacts<'_>) -> Result<Next> {
        Ok(Next::Unnamed)
    }
}

/// The paginator of a list of which nobody has said how it is read: it reads nothing.
#[derive(Debug)]
struct UnknownPaginator;

impl UnknownPaginator {
    fn refusal() -> Error {
        let what = "nobody has said how one page of this list leads to the next: `paginator: unknown`";
        Error::new(ErrorKind::Definition, "read list", what)
    }
}

impl Paginator for UnknownPaginator {
    fn start(&self, _: &mut PageRequest) -> Result<()> {
        Err(Self::refusal())
    }

    fn next(&self, _: &PageFacts<'_>) -> Result<Next> {
        Err(Self::refusal())
    }
}

/// The paginator that a definition names.
pub fn paginator(spec: &PaginatorSpec) -> Box<dyn Paginator> {
    if let Some(counting) = Counting::of(spec) {
        return Box::new(CountedPaginator(counting));
    }
    match spec.clone() {
        PaginatorSpec::LinkHeader(rel) => Box::new(LinkHeader(rel)),
        PaginatorSpec::NextUrl(next) => Box::new(next),
        PaginatorSpec::Token(token) => Box::new(token::TokenPaginator(token)),
        PaginatorSpec::LastRecord(last) => Box::new(last),
        PaginatorSpec::Unknown => Box::new(UnknownPaginator),
        // What a hook says stands beside the page, since it was called before this.
        PaginatorSpec::None | PaginatorSpec::Hook(_) | PaginatorSpec::Offset(_) | PaginatorSpec::Page(_) => {
            Box::new(OnePage)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_which_nobody_has_said_how_it_is_read_has_no_first_request() {
        let mut request = PageRequest::new("https://acme.example/items".parse().unwrap());
        let error = paginator(&PaginatorSpec::Unknown).start(&mut request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Definition);
    }
}
