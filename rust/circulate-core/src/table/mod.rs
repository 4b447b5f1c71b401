//! JSON records into Arrow tables, straight from the received bytes.
//!
//! [`TableSchema`] names the columns: those that a definition declares, and those that [`Observed`] infers from a sample
//! of records. [`TableBuilder`] goes through records once and appends each value to the buffer of its column; no tree of
//! values is built. What has no place in a column is never lost: it goes to the column `_rescued`, as a JSON object from
//! JSON Pointer to the value as received, and is counted in [`Drift`]. [`Converter`] decides by a [`Contract`] what drift leads to: a wider table, rescued values, or a refusal.
//!
//! To put a record together again, take its columns, then the entries of `_rescued` in their order. Where a column holds
//! a value, that counts, and the entry is an earlier value of a key that the record repeats.
//!
//! Four floors, each of which uses only those in front of it: `json` reads text, `columns` hold values and what has no place in
//! them, `schema` names the columns, and `builder` fills them.

mod builder;
mod columns;
mod json;
mod schema;

pub use builder::{Contract, Converter, Nested, TableBuilder, TableOptions, conform};
pub use columns::{Drift, DriftEntry, DriftKind};
pub(crate) use json::number::{exact_float, is_whole as is_whole_number};
pub(crate) use json::{JsonReader, unescape};
pub use schema::{Member, MemberType, Observed, TableSchema};

#[cfg(test)]
#[path = "tests/table.rs"]
mod tests;
