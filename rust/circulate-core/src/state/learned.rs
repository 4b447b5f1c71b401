//! What runs have learned of the paginators that a stream uses.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Expect, ItemKey, StateStore};
use crate::error::Result;
use crate::lake::stream_id::StreamId;

/// Whether a paginator was seen to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaginatorProof {
    /// A page has led to a next one.
    Seen,
    /// No page has, and a request for a smaller one showed nothing, since the API does not go by the size.
    Assumed,
}

/// What is known of one paginator in an attempt, and whether that is news.
#[derive(Debug, Default)]
pub struct LearnedProof {
    /// What is known; `None` if nothing is.
    pub proof: Option<PaginatorProof>,
    /// It was learned in this attempt.
    pub is_news: bool,
}

impl LearnedProof {
    /// Notes what was learned.
    pub fn set(&mut self, proof: PaginatorProof) {
        if self.proof != Some(proof) {
            *self = Self { proof: Some(proof), is_news: true };
        }
    }
}

/// `paginators`: what is known of the paginators of a stream's own list and its parents', by endpoint. It does not belong to the
/// commit protocol: an API does not work otherwise if a run is given up, so it is written as soon as it is known, and lost
/// without harm.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paginators {
    /// By endpoint.
    pub endpoints: BTreeMap<String, Learned>,
}

/// What is known of a paginator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// Hash of the definition it holds for.
    pub spec_hash: String,
    /// What was seen.
    pub proof: PaginatorProof,
}

const SORT_KEY: &str = "paginators";

impl Paginators {
    /// What a stream has, and the version of that for [`write`](Self::write).
    pub async fn read(store: &dyn StateStore, stream: &StreamId) -> Result<(Self, Expect)> {
        let Some(item) = store.get(&ItemKey::new(stream, SORT_KEY)).await? else {
            return Ok((Self::default(), Expect::Absent));
        };
        Ok((super::stream::read(SORT_KEY, item.doc)?, Expect::Version(item.version)))
    }

    /// Writes it over the version that was read. If another worker was faster, what that one knows is as good.
    /// Returns the new version.
    pub async fn write(
        &self,
        store: &dyn StateStore,
        stream: &StreamId,
        expect: Expect,
    ) -> Result<Option<Expect>> {
        let doc = serde_json::to_value(self).map_err(|error| super::stream::unreadable(SORT_KEY, error))?;
        Ok(store.put(&ItemKey::new(stream, SORT_KEY), doc, expect).await?.map(Expect::Version))
    }

    /// What is known of the paginator of `endpoint` by this definition.
    pub fn proof(&self, endpoint: &str, spec_hash: &str) -> Option<PaginatorProof> {
        self.endpoints
            .get(endpoint)
            .filter(|learned| learned.spec_hash == spec_hash)
            .map(|learned| learned.proof)
    }
}
