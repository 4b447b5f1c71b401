//! The model of what a list is requested for one by one: parents and values.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::incremental::Incremental;
use super::types::{Name, Pointer};

/// The stream whose records a child stream is requested for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parent {
    /// Its endpoint, of the same source.
    pub endpoint: Name,
    /// Members of its records that identify the parent in requests and in child records, by the name they have there.
    pub fields: BTreeMap<Name, Pointer>,
    /// How parents whose children may have changed are selected by time; without it every pull requests all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incremental: Option<Incremental>,
}

/// Values that a list must be requested for one by one, such as the types of policies: either `values` or a `setting`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partitions {
    /// The name by which requests use a value.
    pub name: Name,
    /// The values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
    /// The setting whose value lists them, separated by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<Name>,
}
