//! The columns of a table as a tree of members with their types. It only ever grows: a column that is known keeps its
//! type, since whoever reads a lake knows it.

use serde::{Deserialize, Serialize};

use super::member::{Member, MemberType};
use crate::catalog::{ColumnType, Columns, Endpoint};
use crate::table::columns::{FOLDERS, RAW, RESCUED, Taken};

/// The layout of what [`TableSchema`] serialises to.
const VERSION: u32 = 1;

/// Columns without parts that inference stops at: beyond it a table serves nobody, and readers become slow. Members that come
/// later are rescued. A definition may declare more.
pub(super) const MAX_LEAVES: usize = 1_000;

/// The columns of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredSchema", into = "StoredSchema")]
pub struct TableSchema {
    /// The members of a parent that stand in front of each record, and become columns `_parent_{name}`.
    pub(crate) parent: Vec<String>,
    /// The key of each record in its page's object of records stands in front of it, and becomes the column `_key`.
    pub(crate) keyed: bool,
    pub(crate) members: Vec<Member>,
}

/// The column of the keys of records.
pub(crate) const KEY: &str = "_key";

/// How a schema is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSchema {
    schema: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parent: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    keyed: bool,
    columns: Vec<Member>,
}

impl From<TableSchema> for StoredSchema {
    fn from(TableSchema { parent, keyed, members }: TableSchema) -> Self {
        Self { schema: VERSION, parent, keyed, columns: members }
    }
}

impl TryFrom<StoredSchema> for TableSchema {
    type Error = String;

    fn try_from(StoredSchema { schema, parent, keyed, columns }: StoredSchema) -> Result<Self, String> {
        if schema != VERSION {
            return Err(format!(
                "the table's schema is written as version {schema}; this one reads {VERSION}"
            ));
        }
        Ok(Self { parent, keyed, members: columns })
    }
}

impl TableSchema {
    /// What is known before any record: the declared columns, and the members of a parent (`parent.fields`) that stand
    /// in front of child records.
    pub fn declared(columns: &Columns, parent: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let parent = parent.into_iter().map(Into::into).collect();
        Self { parent, keyed: false, members: declared_members(columns) }
    }

    /// What the definition of an endpoint says of its records, in front of which stand members of parents by these names.
    pub fn of(endpoint: &Endpoint, parents: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let declared = Self::declared(&endpoint.columns, parents);
        Self { keyed: endpoint.list.records.is_map(), ..declared }
    }

    /// The schema with what `endpoint` declares and it does not have, at every depth. What it has stays as it is.
    pub fn with_declared(mut self, endpoint: &Endpoint) -> Self {
        add_missing(&mut self.members, declared_members(&endpoint.columns));
        self
    }

    /// The schema with what another one has and it does not have, at every depth, as long as there are not too many columns. What
    /// it has stays as it is. What stands in front of records is that of both.
    pub fn united(mut self, other: &Self) -> Self {
        for name in &other.parent {
            if !self.parent.contains(name) {
                self.parent.push(name.clone());
            }
        }
        self.keyed |= other.keyed;
        for member in &other.members {
            if self.leaves() + member.kind.leaves() <= MAX_LEAVES {
                add_missing(&mut self.members, vec![member.clone()]);
            }
        }
        self
    }

    /// The schema with those of its members whose column is wanted; it may have other columns of its own.
    pub fn with_members(mut self, is_requested: impl Fn(&str) -> bool) -> Self {
        self.members.retain(|member| is_requested(&member.name));
        self
    }

    /// The names of the members of parents that are columns, and whether the keys of records are.
    pub fn marks(&self) -> (&[String], bool) {
        (&self.parent, self.keyed)
    }

    /// The schema of records in front of which stand members of parents by these names, and keys if `keyed`.
    pub fn marked(mut self, parents: &[String], keyed: bool) -> Self {
        self.parent = parents.to_vec();
        self.keyed = keyed;
        self
    }

    /// The schema with columns of text by those names, but for those of ours.
    pub fn with_texts<'n>(self, names: impl IntoIterator<Item = &'n String>) -> Self {
        let is_free = |name: &&String| !name.is_empty() && !name.starts_with('_');
        let member = |name: &String| Member { name: name.clone(), kind: MemberType::String, declared: false };
        let members = names.into_iter().filter(is_free).map(member).collect();
        self.united(&Self { members, ..Self::nothing() })
    }

    /// One without columns.
    pub fn nothing() -> Self {
        Self { parent: Vec::new(), keyed: false, members: Vec::new() }
    }

    /// The members of records, in order.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The names of its columns that are no members of records.
    pub(crate) fn own_names(&self) -> Taken {
        let parent: Vec<_> = self.parent_columns().collect();
        let key = self.keyed.then_some(KEY);
        parent.iter().map(String::as_str).chain(key).chain([RESCUED, RAW]).chain(FOLDERS).collect()
    }

    /// Whether something that is no member of records stands in front of theirs.
    pub(crate) fn is_marked(&self) -> bool {
        self.keyed || !self.parent.is_empty()
    }

    pub(crate) fn parent_columns(&self) -> impl Iterator<Item = String> {
        self.parent.iter().map(|name| format!("_parent_{name}"))
    }

    /// Whether there is room for a column that is inferred.
    pub(crate) fn can_grow(&self) -> bool {
        self.leaves() < MAX_LEAVES
    }

    /// The columns without parts.
    pub(crate) fn leaves(&self) -> usize {
        self.members.iter().map(|member| member.kind.leaves()).sum()
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
