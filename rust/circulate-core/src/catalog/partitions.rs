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
    /// The member of its records that holds the address to request, instead of `path`. It has the origin of the base URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Pointer>,
    /// Several parents are requested at once: the one field stands for as many of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<ParentBatch>,
    /// How parents whose children may have changed are selected by time; without it every pull requests all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incremental: Option<Incremental>,
}

/// How several parents are requested at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParentBatch {
    /// How many at most.
    pub size: u32,
    /// What joins them, such as a comma. Without it, a text of the query that is nothing but the field repeats its parameter,
    /// and one in a JSON body becomes a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<String>,
    /// The member of a child's record that says which of the parents it is of. Default the member that the field is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Pointer>,
}

impl Parent {
    /// The field that stands for several parents, and the member of a record that says which of them it is of.
    pub fn batched(&self) -> Option<(&ParentBatch, &str, &Pointer)> {
        let (batch, (name, pointer)) = (self.batch.as_ref()?, self.fields.first_key_value()?);
        Some((batch, name.as_str(), batch.key.as_ref().unwrap_or(pointer)))
    }
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
