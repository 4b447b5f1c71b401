//! A value of the last record of a page that the next request takes, such as `starting_after`.

use serde_json::Value;

use super::end::EndKind;
use super::paginator::{Next, PageFacts, Paginator};
use super::signal::{Signals, is_nothing, members, shown};
use crate::catalog::{LastRecordSpec, Pointer};
use crate::error::{Error, ErrorKind, Result};

impl Paginator for LastRecordSpec {
    fn page_fields(&self) -> Vec<Pointer> {
        members(self.more.as_ref())
    }

    fn record_fields(&self) -> Vec<Pointer> {
        vec![self.from.clone()]
    }

    /// The list ends where a flag says so, or at a page without a record.
    fn next(&self, facts: &PageFacts<'_>) -> Result<Next> {
        let more = Signals::new(facts.headers, facts.fields).flag(self.more.as_ref())?;
        match (more, &self.more, facts.records) {
            (Some(false), ..) => return Ok(Next::End(EndKind::Flag)),
            (Some(true), Some(signal), 0) => {
                return Ok(Next::Missing(format!(
                    "{signal} is true, and the page has no record to go on from"
                )));
            }
            (_, _, 0) => return Ok(Next::End(EndKind::EmptyPage)),
            _ => {}
        }
        let wrong = |what: &str| {
            let what = format!("`{}` of the page's last record {what}", self.from);
            Error::new(ErrorKind::Data, "read page", what)
                .hint("the next request takes it: correct `last_record` under `paginator` in the endpoint's definition")
        };
        let Some(Some(json)) = facts.last.first() else { return Err(wrong("is missing")) };
        let value: Value = serde_json::from_slice(json).map_err(|_| wrong("is not readable text"))?;
        if value.is_object()
            || value.is_array()
            || value.is_boolean()
            || (is_nothing(&value) && !value.is_number())
        {
            return Err(wrong(&format!("is {}", shown(&value))));
        }
        let mut next = facts.request.clone();
        next.set(&self.to, &value)?;
        Ok(Next::Page(Box::new(next.address)))
    }
}
