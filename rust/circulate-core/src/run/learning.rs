//! What an attempt knows of the paginators that it uses, and learns of them.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::pull::Pull;
use crate::error::Result;
use crate::lake::stream_id::StreamId;
use crate::state::{Expect, Learned, LearnedProof, Paginators, StateStore};

/// What is known of the paginator of a stream, shared by all of its lists.
pub(super) type SharedProof = Arc<Mutex<LearnedProof>>;

/// The paginators of a stream and of its parents.
#[derive(Debug)]
pub(super) struct Learning {
    stream: StreamId,
    spec_hash: String,
    own: (String, SharedProof),
    /// From the topmost list on.
    parents: Vec<(String, SharedProof)>,
    known: Paginators,
    version: Expect,
    /// Whether what one list shows counts for the others.
    is_shared: bool,
}

impl Learning {
    /// What earlier runs have learned.
    pub(super) async fn read(pull: &Pull) -> Result<Self> {
        let definition = &pull.definition;
        let stream = pull.stream_id();
        let spec_hash = definition.spec_hash()?;
        let (known, version) = Paginators::read(&*pull.store, &stream).await?;
        let shared = |endpoint: String| {
            let proof = known.proof(&endpoint, &spec_hash);
            (endpoint, Arc::new(Mutex::new(LearnedProof { proof, is_news: false })))
        };
        let own = shared(definition.endpoint.endpoint.to_string());
        let parents = definition.parents.iter().map(|parent| shared(parent.endpoint.to_string())).collect();
        let is_shared = !pull.options.each_list_proved;
        Ok(Self { stream, spec_hash, own, parents, known, version, is_shared })
    }

    /// Of the stream's own lists.
    pub(super) fn own(&self) -> SharedProof {
        if self.is_shared { Arc::clone(&self.own.1) } else { SharedProof::default() }
    }

    /// Of the list of parents of this number.
    pub(super) fn parents(&self, number: usize) -> SharedProof {
        let shared = self.parents.get(number).filter(|_| self.is_shared);
        shared.map_or_else(SharedProof::default, |(_, proof)| Arc::clone(proof))
    }

    /// Writes down what is new. If that fails the next run has to learn it again, and nothing else is lost.
    pub(super) async fn write(&mut self, store: &dyn StateStore) {
        let mut news = false;
        for (endpoint, proof) in self.parents.iter().chain([&self.own]) {
            // One that is just being learned is written at the next checkpoint.
            let Ok(mut proof) = proof.try_lock() else { continue };
            if let Some(seen) = proof.proof.filter(|_| std::mem::take(&mut proof.is_news)) {
                let learned = Learned { spec_hash: self.spec_hash.clone(), proof: seen };
                self.known.endpoints.insert(endpoint.clone(), learned);
                news = true;
            }
        }
        if news && let Ok(Some(version)) = self.known.write(store, &self.stream, self.version).await {
            self.version = version;
        }
    }
}
