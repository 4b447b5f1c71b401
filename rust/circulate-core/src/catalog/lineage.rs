//! The names that partitions have, from the topmost list of a definition down to its own.

use std::collections::BTreeSet;

use super::folders::Definition;
use super::partitions::Parent;
use super::stream::{Endpoint, StreamSpec};
use super::types::Name;

impl StreamSpec {
    /// The names that its requests have of their own: fields of its parent, and of its partitions.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let fields = self.parent().into_iter().flat_map(|parent| parent.fields.keys());
        fields.chain(self.values().iter().map(|values| &values.name)).map(Name::as_str)
    }

    /// Whether a name stands for several parents at once.
    pub(super) fn is_batched(&self, name: &str) -> bool {
        self.parent().and_then(Parent::batched).is_some_and(|(_, batched, _)| batched == name)
    }
}

impl Definition {
    /// Its lists, from the topmost on; its own comes last.
    pub fn lists(&self) -> Vec<&Endpoint> {
        self.parents.iter().chain([&self.endpoint]).collect()
    }

    /// The names that distinguish what the first `levels` lists lead to: fields of the last of them, and what comes from further
    /// up and is used further down. Where a name stands for something in two lists, the nearer one counts.
    pub fn names_below(&self, levels: usize) -> BTreeSet<&str> {
        let lists = self.lists();
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for level in 0..levels.min(self.parents.len()) {
            names.retain(|name| !lists[level].list.is_batched(name));
            names.extend(lists[level].list.values().iter().map(|values| values.name.as_str()));
            let below = &lists[level + 1..];
            let fields = below[0].list.parent().into_iter().flat_map(|parent| parent.fields.keys());
            let fields: BTreeSet<_> = fields.map(Name::as_str).collect();
            names.retain(|name| !fields.contains(name) && is_used(name, below));
            names.extend(fields);
        }
        names
    }

    /// The names that stand in front of its records: of all that led to its own list, but for what stands for several parents.
    pub fn names_of_parents(&self) -> BTreeSet<&str> {
        let mut names = self.names_below(self.parents.len());
        names.retain(|name| !self.endpoint.list.is_batched(name));
        names
    }
}

/// Whether one of the lists uses the name, before another list means something else by it.
fn is_used(name: &str, lists: &[&Endpoint]) -> bool {
    for endpoint in lists {
        if endpoint.list.names().any(|nearer| nearer == name) {
            return false;
        }
        if endpoint.list.uses(name) {
            return true;
        }
    }
    false
}
