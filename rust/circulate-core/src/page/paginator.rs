//! The seam between pages and the rules by which a list goes on.

use std::fmt;

use http::HeaderMap;
use url::Url;

use super::end::EndKind;
use crate::api::http::remove_parameter;
use crate::api::page_address::PageAddress;
use crate::api::page_request::PageRequest;
use crate::catalog::Pointer;
use crate::error::Result;

/// What a page says of the next one.
#[derive(Debug)]
pub struct PageFacts<'p> {
    /// The request of the page.
    pub request: &'p PageRequest,
    /// The response's headers.
    pub headers: &'p HeaderMap,
    /// The values of [`Paginator::page_fields`], as JSON text, in their order.
    pub fields: &'p [Option<Vec<u8>>],
    /// The values of [`Paginator::record_fields`] in its last record.
    pub last: &'p [Option<Vec<u8>>],
    /// How many records it holds. Neither few nor none of them means that a list is at its end.
    pub records: usize,
}

impl PageFacts<'_> {
    /// The address of a page that a URL leads to, without what signs requests in.
    pub fn at(&self, mut url: Url) -> PageAddress {
        for name in &self.request.key_parameters {
            remove_parameter(&mut url, name);
        }
        PageAddress { url, ..self.request.address.clone() }
    }
}

/// Where a page leads.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// To this page.
    Page(Box<PageAddress>),
    /// Nowhere: the page says so, or holds no record where that means it.
    End(EndKind),
    /// It names no next page. Whether that is the end is for others to judge.
    Unnamed,
    /// It says that the list goes on, as this evidence has it, and names no next page.
    Missing(String),
}

impl Next {
    /// The page that is named, if one is.
    pub fn named(next: Option<PageAddress>) -> Self {
        next.map_or(Self::Unnamed, |address| Self::Page(Box::new(address)))
    }
}

/// Says where the next page is. It does no I/O and keeps no state.
pub trait Paginator: Send + Sync + fmt::Debug {
    /// Members of the page it needs; the splitter finds them on its one pass.
    fn page_fields(&self) -> Vec<Pointer> {
        Vec::new()
    }

    /// Members of records it needs.
    fn record_fields(&self) -> Vec<Pointer> {
        Vec::new()
    }

    /// Adds what the first request of a list sends for it.
    fn start(&self, _: &mut PageRequest) -> Result<()> {
        Ok(())
    }

    /// Where a page leads. What names a next page and cannot be read is an error.
    fn next(&self, facts: &PageFacts<'_>) -> Result<Next>;
}
