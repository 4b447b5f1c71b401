//! The seam between pages and the rules by which a list goes on.

use std::fmt;

use http::HeaderMap;
use url::Url;

use crate::catalog::Pointer;
use crate::error::Result;

/// What a page says of the next one.
#[derive(Debug)]
pub struct PageFacts<'p> {
    /// The URL that the page was requested at.
    pub url: &'p Url,
    /// The response's headers.
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
