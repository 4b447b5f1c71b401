//! Pages: which one comes next, which records one holds, and how a list ended.

mod body_link;
mod end;
mod envelope;
mod evidence;
mod link_header;
mod loop_guard;
mod read;
pub mod record;
mod watch;

use std::fmt;

use http::HeaderMap;
use url::Url;

use crate::catalog::{PaginatorSpec, Pointer};
use crate::error::Result;

pub use body_link::BodyLink;
pub(crate) use body_link::misplaced_link;
pub use end::{EndKind, Ends, ListEnd, NamedEnd};
pub(crate) use envelope::EnvelopeMember;
pub(crate) use evidence::{Evidence, LastPage, goes_on};
pub use link_header::LinkHeader;
pub use loop_guard::LoopGuard;
pub use read::{Page, PageLimits, Record, Records, read_page};
pub use watch::Watch;

/// What a page tells about the next one.
#[derive(Debug)]
pub struct PageFacts<'p> {
    /// The URL the page was asked for at.
    pub url: &'p Url,
    /// The answer's headers.
    pub headers: &'p HeaderMap,
    /// The values of [`Paginator::page_fields`], as JSON text, in their order.
    pub fields: &'p [Option<Vec<u8>>],
    /// How many records it holds. Neither few nor none of them means that a list is at its end.
    pub records: usize,
}

/// Says where the next page is. It does no I/O and keeps no state.
pub trait Paginator: Send + Sync + fmt::Debug {
    /// Members of the page it needs; the splitter finds them on its one pass.
    fn page_fields(&self) -> Vec<Pointer> {
        Vec::new()
    }

    /// The next page's URL, or `None` if the page names none. What names one and cannot be read is an error.
    fn next(&self, facts: &PageFacts<'_>) -> Result<Option<Url>>;
}

/// The list is one page.
#[derive(Debug)]
struct OnePage;

impl Paginator for OnePage {
    fn next(&self, _: &PageFacts<'_>) -> Result<Option<Url>> {
        Ok(None)
    }
}

/// The paginator a definition asks for.
pub fn paginator(spec: &PaginatorSpec) -> Box<dyn Paginator> {
    match spec {
        PaginatorSpec::None => Box::new(OnePage),
        PaginatorSpec::LinkHeader => Box::new(LinkHeader),
        PaginatorSpec::BodyLink(pointer) => Box::new(BodyLink(pointer.clone())),
    }
}
