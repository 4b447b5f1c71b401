//! The layouts that a table may have.

use serde::{Deserialize, Serialize};

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
