//! Names of columns.

use std::collections::HashSet;

/// The column for what has no place in the others.
pub(crate) const RESCUED: &str = "_rescued";
/// The column for records as received.
pub(crate) const RAW: &str = "_raw";
/// What folders of objects are named by. Readers that take folders for columns (Athena, `DuckDB`, Spark) have these names from
/// there, so no member of a record has them.
pub(crate) const FOLDERS: [&str; 2] = ["circulate_date", "circulate_hour"];

/// Bytes of the longest name of an inferred column: that of the Glue catalog, and so of Athena.
pub(crate) const MAX_NAME: usize = 255;

/// Between the names of members that became one column.
pub(crate) const JOIN: &str = "__";

/// Names that are taken, whatever their case: readers such as Athena and Spark do not distinguish it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken(HashSet<String>);

impl Taken {
    /// Takes a name; `false` if it is taken.
    pub(crate) fn take(&mut self, name: &str) -> bool {
        self.0.insert(name.to_lowercase())
    }

    pub(crate) fn add(&mut self, name: &str) {
        self.0.insert(name.to_lowercase());
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains(&name.to_lowercase())
    }
}

impl<'n> FromIterator<&'n str> for Taken {
    fn from_iter<I: IntoIterator<Item = &'n str>>(names: I) -> Self {
        Self(names.into_iter().map(str::to_lowercase).collect())
    }
}
