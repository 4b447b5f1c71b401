//! JSON records into Arrow tables, straight from the received bytes.
//!
//! [`TableSchema`] tells the columns: those that a definition declares, and those that [`Observed`] infers from a sample
//! of records. [`TableBuilder`] goes through records once and appends each value to the buffer of its column; no tree of
//! values is built. What has no place in a column is never lost: it goes to the column `_rescued`, as a JSON object from
//! JSON Pointer to the value as received, and is counted in [`Drift`]. [`Converter`] decides by a [`Contract`] what drift leads to: a wider table, rescued values, or a refusal.
//!
//! To put a record together again, take its columns, then the entries of `_rescued` in their order. Where a column holds
//! a value, that counts, and the entry is an earlier value of a key that the record repeats.

mod builder;
mod column;
mod conform;
mod converter;
mod drift;
mod drift_recorder;
mod json_reader;
mod layout;
mod list_column;
mod number;
mod observed;
mod schema;
mod struct_column;

use serde::{Deserialize, Serialize};

pub use builder::TableBuilder;
pub use conform::conform;
pub use converter::{Contract, Converter};
pub use drift::{Drift, DriftEntry, DriftKind};
pub use observed::Observed;
pub use schema::{Member, MemberType, TableSchema};

/// How a table is laid out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TableOptions {
    /// What becomes of objects and lists.
    pub nested: Nested,
    /// Whether the last column, `_raw`, holds each record as received.
    pub raw: bool,
}

/// What becomes of objects and lists in records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nested {
    /// Objects are structs, lists are lists.
    #[default]
    Struct,
    /// Members of objects are columns of their own: `profile__login`. Lists are lists. An empty object is as none. Where
    /// two columns would get one name, the later one's values are rescued.
    Flatten,
    /// Each object and list is a column of JSON text.
    Json,
}

impl Nested {
    /// The layout in a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Struct => "struct",
            Self::Flatten => "flatten",
            Self::Json => "json",
        }
    }
}

#[cfg(test)]
#[path = "tests/table.rs"]
mod tests;
