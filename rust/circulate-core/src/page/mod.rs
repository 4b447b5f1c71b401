//! Pages: which one comes next, which records one holds, and how a list ended.

mod body_link;
mod end;
mod envelope;
mod evidence;
mod link_header;
mod loop_guard;
mod paginator;
mod read;
pub mod record;
mod watch;

use url::Url;

use crate::catalog::PaginatorSpec;
use crate::error::Result;

pub use body_link::BodyLink;
pub(crate) use body_link::misplaced_link;
pub use end::{EndKind, Ends, ListEnd, NamedEnd};
pub(crate) use envelope::EnvelopeMember;
pub(crate) use evidence::{Evidence, LastPage, declared_total, goes_on};
pub use link_header::LinkHeader;
pub use loop_guard::LoopGuard;
pub use paginator::{PageFacts, Paginator};
pub use read::{Page, PageLimits, Record, Records, read_page};
pub use watch::Watch;

/// The list is one page.
#[derive(Debug)]
struct OnePage;

impl Paginator for OnePage {
    fn next(&self, _: &PageFacts<'_>) -> Result<Option<Url>> {
        Ok(None)
    }
}

/// The paginator that a definition names.
pub fn paginator(spec: &PaginatorSpec) -> Box<dyn Paginator> {
    match spec {
        PaginatorSpec::None => Box::new(OnePage),
        PaginatorSpec::LinkHeader => Box::new(LinkHeader),
        PaginatorSpec::BodyLink(pointer) => Box::new(BodyLink(pointer.clone())),
    }
}
