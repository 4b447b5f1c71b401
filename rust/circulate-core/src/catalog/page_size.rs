//! The model of `page_size`: how large a page to request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::location::RequestLocation;

/// How large a page to request: the maximum, and less when the API responds with 500 to a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageSize {
    /// The query parameter, or where else requests take it.
    #[serde(alias = "to")]
    pub param: RequestLocation,
    /// How many to request. Default `max`.
    #[serde(default, rename = "ask", skip_serializing_if = "Option::is_none")]
    pub preferred: Option<u32>,
    /// The record limit of the API for one page.
    pub max: u32,
    /// The fewest records that can be requested of the API, and that it gives in a page of a list that goes on. Default 1.
    #[serde(default = "PageSize::default_min")]
    pub min: u32,
}

impl PageSize {
    fn default_min() -> u32 {
        1
    }

    /// How many records a first request asks for.
    pub fn requested(&self) -> u32 {
        self.preferred.unwrap_or(self.max)
    }
}

#[cfg(test)]
impl PageSize {
    pub(crate) fn in_query(name: &str, max: u32) -> Self {
        Self { param: RequestLocation::Query(name.to_owned()), preferred: None, max, min: 1 }
    }
}
