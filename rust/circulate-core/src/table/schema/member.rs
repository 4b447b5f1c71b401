//! Members of records, and what they hold.

use serde::{Deserialize, Serialize};

use crate::table::columns::JOIN;

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

impl MemberType {
    pub(super) fn leaves(&self) -> usize {
        match self {
            Self::Struct(members) => members.iter().map(|member| member.kind.leaves()).sum(),
            Self::List(element) => element.leaves(),
            _ => 1,
        }
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
