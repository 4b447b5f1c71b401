//! The model of a playbook: operations one after the other, by the words of Arazzo for steps.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::operation::Parameter;
use super::request::JsonTemplate;
use super::types::{Name, Pointer};

/// Operations that are done one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// What it is called.
    pub playbook: Name,
    /// What it does, in a sentence or two.
    pub about: String,
    /// What has to be said to run it, by name. An input is required, or has a default.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<Name, Parameter>,
    /// What is done, in this order.
    pub steps: Vec<PlaybookStep>,
}

/// A step of a playbook: one call of an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaybookStep {
    /// What it is called here.
    pub id: Name,
    /// The operation, `source.endpoint.operation`.
    pub operation: String,
    /// Its parameters. `{inputs/login}` stands for an input, `{steps/user/returned/id}` for a member of the result of an earlier
    /// step. A string that is nothing but one of these becomes its value, whatever its type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<Name, JsonTemplate>,
    /// Values of which members of its result have one, if it succeeded: `/status: [complete]`. Default: a call that reads returned;
    /// one that changes something is `complete`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub success_criteria: BTreeMap<Pointer, Vec<Value>>,
    /// What happens if it fails. Default `end`.
    #[serde(default, skip_serializing_if = "OnFailure::is_end")]
    pub on_failure: OnFailure,
}

/// What happens if a step fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The playbook ends there.
    #[default]
    End,
    /// The next step is done.
    Continue,
    /// The playbook ends, and what it did is undone, the last step first.
    Undo,
}

impl OnFailure {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    fn is_end(&self) -> bool {
        *self == Self::End
    }
}
