//! The model of `operations`: what can be called at an endpoint besides its list, and what is known of each call.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::errors::ErrorRule;
use super::page_size::PageSize;
use super::paginator::PaginatorSpec;
use super::records::{PrimaryKey, RecordsSpec};
use super::request::{BodySpec, QueryValue, RequestMethod};
use super::template::Template;
use super::types::Name;

/// An operation of an endpoint: one call of its API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// What it does, in a sentence.
    pub about: String,
    /// Address of the vendor's documentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
    /// What it is for. Only `investigate` changes nothing.
    pub kind: OperationKind,
    /// The method. Default GET.
    #[serde(default, skip_serializing_if = "RequestMethod::is_get")]
    pub method: RequestMethod,
    /// Path below the base URL. Parameters are segments of it, percent-encoded.
    pub path: Template,
    /// Query parameters. One whose parameter is not given is left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, QueryValue>,
    /// Headers, beside those of the source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Template>,
    /// The body. A string of a JSON body that is nothing but a parameter becomes its value, whatever its type; a member whose
    /// parameter is not given is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodySpec>,
    /// What has to be said to call it, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<Name, Parameter>,
    /// What it returns. Default `object`.
    #[serde(default, skip_serializing_if = "Returns::is_object")]
    pub returns: Returns,
    /// The OAuth scopes that it needs: as few as will do. An empty list says that it needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// What responses mean that say it in a way of their own; these rules come before those of the source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorRule>,
}

/// What an operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// It reads.
    Investigate,
}

/// A parameter of an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// What it is, in a sentence.
    pub about: String,
    /// The JSON Schema (draft 2020-12) of its values. Default a text that is not empty.
    #[serde(default = "Parameter::text", skip_serializing_if = "Parameter::is_text")]
    pub schema: Value,
    /// Whether it may be left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// What is taken if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
}

impl Parameter {
    fn text() -> Value {
        serde_json::json!({"type": "string", "minLength": 1})
    }

    fn is_text(schema: &Value) -> bool {
        *schema == Self::text()
    }

    /// Whether a call has to have it.
    pub fn is_required(&self) -> bool {
        !self.optional && self.default.is_none()
    }
}

/// What an operation returns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Returns {
    /// A JSON document, as the response has it; nothing, if it has none.
    #[default]
    Object,
    /// A list, whose pages are read to their end as those of a stream are.
    List(Box<ReturnedList>),
}

impl Returns {
    fn is_object(&self) -> bool {
        *self == Self::Object
    }
}

/// A list that an operation returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnedList {
    /// Where a page holds its records, as in `list`.
    #[serde(default)]
    pub records: RecordsSpec,
    /// The members that identify a record, as in `list`.
    pub primary_key: PrimaryKey,
    /// How large a page to request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_size: Option<PageSize>,
    /// How one page leads to the next.
    pub paginator: PaginatorSpec,
}
