//! The columns of a table as a tree of members with their types. It only ever grows: a column that is known keeps its
//! type, since whoever reads a lake has been told it.

use std::collections::HashSet;

use arrow_schema::SchemaRef;
use serde::{Deserialize, Serialize};

use super::TableOptions;
use super::layout::{RAW, RESCUED, TableColumns};
use super::observed::{Growth, Observed};
use crate::catalog::{ColumnType, Columns, Endpoint, Name};

/// The layout of what [`TableSchema`] serialises to.
const VERSION: u32 = 1;

/// Columns without parts that inference stops at: beyond it a table serves nobody, and readers become slow. Members that come
/// later are rescued. A definition may declare more.
pub(super) const MAX_LEAVES: usize = 1_000;

/// Bytes of the longest name of an inferred column: that of the Glue catalog, and so of Athena.
pub(super) const MAX_NAME: usize = 255;

/// The columns of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredSchema", into = "StoredSchema")]
pub struct TableSchema {
    /// The members of a parent that stand in front of each record, and become columns `_parent_{name}`.
    pub(super) parent: Vec<String>,
    pub(super) members: Vec<Member>,
}

/// How a schema is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSchema {
    schema: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parent: Vec<String>,
    columns: Vec<Member>,
}

impl From<TableSchema> for StoredSchema {
    fn from(TableSchema { parent, members }: TableSchema) -> Self {
        Self { schema: VERSION, parent, columns: members }
    }
}

impl TryFrom<StoredSchema> for TableSchema {
    type Error = String;

    fn try_from(StoredSchema { schema, parent, columns }: StoredSchema) -> Result<Self, String> {
        if schema != VERSION {
            return Err(format!(
                "the table's schema is written as version {schema}; this one reads {VERSION}"
            ));
        }
        Ok(Self { parent, members: columns })
    }
}

/// A member of a record or of an object in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its key.
    pub name: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: MemberType,
    /// Whether the definition declares it; others were inferred from records.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub declared: bool,
}

/// What a member holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberType {
    /// Text.
    String,
    /// A whole number of at most 64 bits.
    Integer,
    /// A number as floating point.
    Number,
    /// True or false.
    Boolean,
    /// A time in UTC, to the microsecond.
    Timestamp,
    /// Any value, as its JSON text.
    Json,
    /// An object with these members.
    Struct(Vec<Member>),
    /// A list of values of one type.
    List(Box<Self>),
}

impl TableSchema {
    /// What is known before any record: the declared columns, and the members of a parent (`parent.fields`) that stand
    /// in front of child records.
    pub fn declared(columns: &Columns, parent: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { parent: parent.into_iter().map(Into::into).collect(), members: declared_members(columns) }
    }

    /// What the definition of an endpoint tells of its records.
    pub fn of(endpoint: &Endpoint) -> Self {
        let fields = endpoint.list.parent.iter().flat_map(|parent| parent.fields.keys());
        Self::declared(&endpoint.columns, fields.map(Name::as_str))
    }

    /// The schema with what `endpoint` declares and it does not have, at every depth. What it has stays as it is.
    pub fn with_declared(mut self, endpoint: &Endpoint) -> Self {
        add_missing(&mut self.members, Self::of(endpoint).members);
        self
    }

    /// The schema with what a sample of records holds beside what is known. Members that are always null become text.
    pub fn inferred(&self, sample: &Observed) -> Self {
        self.grown(sample, Growth::of_sample(self))
    }

    /// The schema with members that came later. One that is only ever null can still become anything, so it waits. One
    /// whose flattened name is a column's is left out, whatever the layout, so that no column changes in any of them.
    pub fn evolved(&self, seen: &Observed) -> Self {
        self.grown(seen, Growth::of_later(self))
    }

    fn grown(&self, observed: &Observed, mut growth: Growth) -> Self {
        let mut grown = self.clone();
        if let Some(record) = observed.object() {
            record.add_to(&mut grown.members, Some(""), &mut growth);
        }
        grown
    }

    /// The Arrow schema of its batches. Every column may be null; the last ones are `_rescued` and, if asked for, `_raw`.
    pub fn arrow(&self, options: TableOptions) -> SchemaRef {
        TableColumns::new(self, options).schema()
    }

    /// The members of records, in order.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The names of its columns that are no members of records.
    pub(super) fn own_names(&self) -> Taken {
        let parent: Vec<_> = self.parent_columns().collect();
        parent.iter().map(String::as_str).chain([RESCUED, RAW]).collect()
    }

    pub(super) fn parent_columns(&self) -> impl Iterator<Item = String> {
        self.parent.iter().map(|name| format!("_parent_{name}"))
    }

    /// Whether there is room for a column that is inferred.
    pub(super) fn can_grow(&self) -> bool {
        self.leaves() < MAX_LEAVES
    }

    /// The columns without parts.
    pub(super) fn leaves(&self) -> usize {
        self.members.iter().map(|member| member.kind.leaves()).sum()
    }
}

impl MemberType {
    pub(super) fn leaves(&self) -> usize {
        match self {
            Self::Struct(members) => members.iter().map(|member| member.kind.leaves()).sum(),
            Self::List(element) => element.leaves(),
            _ => 1,
        }
    }
}

fn declared_members(columns: &Columns) -> Vec<Member> {
    let member =
        |(name, kind): (&str, _)| Member { name: name.to_owned(), kind: declared_type(kind), declared: true };
    columns.iter().map(member).collect()
}

fn declared_type(kind: &ColumnType) -> MemberType {
    match kind {
        ColumnType::String => MemberType::String,
        ColumnType::Integer => MemberType::Integer,
        ColumnType::Number => MemberType::Number,
        ColumnType::Boolean => MemberType::Boolean,
        ColumnType::Timestamp => MemberType::Timestamp,
        ColumnType::Json => MemberType::Json,
        ColumnType::Struct(members) => MemberType::Struct(declared_members(members)),
        ColumnType::List(element) => MemberType::List(Box::new(declared_type(element))),
    }
}

/// The names of the columns that members have when objects are flattened.
pub(super) fn flat_names(members: &[Member], prefix: &str, each: &mut impl FnMut(&str)) {
    for Member { name, kind, .. } in members {
        let joined = format!("{prefix}{name}");
        match kind {
            MemberType::Struct(members) => flat_names(members, &format!("{joined}{JOIN}"), each),
            _ => each(&joined),
        }
    }
}

/// Between the names of members that became one column.
pub(super) const JOIN: &str = "__";

/// Names that are taken, whatever their case: readers such as Athena and Spark tell none apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Taken(HashSet<String>);

impl Taken {
    /// Takes a name; `false` if it is taken.
    pub(super) fn take(&mut self, name: &str) -> bool {
        self.0.insert(name.to_lowercase())
    }

    pub(super) fn add(&mut self, name: &str) {
        self.0.insert(name.to_lowercase());
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(&name.to_lowercase())
    }
}

impl<'n> FromIterator<&'n str> for Taken {
    fn from_iter<I: IntoIterator<Item = &'n str>>(names: I) -> Self {
        Self(names.into_iter().map(str::to_lowercase).collect())
    }
}

fn add_missing(members: &mut Vec<Member>, declared: Vec<Member>) {
    for member in declared {
        match members.iter_mut().find(|known| known.name.to_lowercase() == member.name.to_lowercase()) {
            None => members.push(member),
            Some(known) => add_missing_in(&mut known.kind, member.kind),
        }
    }
}

/// As [`add_missing`], for what is inside of a type that is known.
fn add_missing_in(known: &mut MemberType, declared: MemberType) {
    match (known, declared) {
        (MemberType::Struct(members), MemberType::Struct(declared)) => add_missing(members, declared),
        (MemberType::List(known), MemberType::List(declared)) => add_missing_in(known, *declared),
        _ => {}
    }
}
