//! The model of `operations`: what can be called at an endpoint besides its list, and what is known of each call.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::errors::ErrorRule;
use super::page_size::PageSize;
use super::paginator::PaginatorSpec;
use super::records::{PrimaryKey, RecordsSpec};
use super::request::{BodySpec, JsonTemplate, QueryValue, RequestMethod};
use super::template::Template;
use super::types::{Name, Pointer};

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
    /// Whether what it does is lost for somebody. Then a person has to agree, each time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub destructive: bool,
    /// When its request may be sent again. One that reads is always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryClass>,
    /// How the object is read before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads_back: Option<ReadBack>,
    /// The operation that undoes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// Values that are looked up when it is planned, by the name that they have in requests beside parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub looks_up: BTreeMap<Name, LookUp>,
    /// How its body is made of its object, where an API replaces objects as a whole. What `reads_back` reads is sent back, changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modifies: Option<Modifications>,
    /// Members of the response that are secrets, such as one-time links: they are stored nowhere and shown to nobody who does not
    /// ask for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Pointer>,
}

impl Operation {
    /// The other endpoints that it names operations of.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = &str> {
        let read = match &self.reads_back {
            Some(ReadBack::By(by)) => Some(&by.operation),
            _ => None,
        };
        let undone = match &self.undo {
            Some(Undo::By(undo)) => Some(&undo.operation),
            _ => None,
        };
        let named = self.looks_up.values().map(|look_up| &look_up.operation).chain(read).chain(undone);
        named.filter_map(|named| named.split_once('.')).map(|(endpoint, _)| endpoint)
    }
}

/// What an operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// It reads.
    Investigate,
    /// It keeps somebody or something from doing harm.
    Contain,
    /// It puts right what is wrong.
    Correct,
    /// It brings back what was taken away.
    Restore,
}

/// When the request of an operation may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryClass {
    /// Always: it changes nothing.
    Safe,
    /// Always: it has the same effect however often it is sent.
    Idempotent,
    /// If nothing of it was sent, or the API refused it (4xx): it has had no effect.
    IfNotSent,
    /// In no case.
    Never,
}

/// How the object of an operation is read before and after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ReadBack {
    /// By an operation that reads.
    By(Box<ReadBy>),
    /// Not at all.
    Not(NoWay),
}

/// Why there is no such thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoWay {
    /// The reason, in a sentence.
    pub none: String,
}

/// An operation that reads the object of another one, and what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadBy {
    /// The operation that reads it: of this endpoint, or `endpoint.operation`.
    pub operation: String,
    /// Its parameters, made of those of this operation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<Name, JsonTemplate>,
    /// If it returns a list: members by which the object is known in it. Without any, each record of it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<BTreeMap<Pointer, JsonTemplate>>,
    /// Whether the object is there before. Default `present`.
    #[serde(default, skip_serializing_if = "Presence::is_present")]
    pub before: Presence,
    /// Whether it is there after. Default `present`.
    #[serde(default, skip_serializing_if = "Presence::is_present")]
    pub after: Presence,
    /// Values of which a member has one before, else the operation is refused, such as `/status: [ACTIVE]`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requires: BTreeMap<Pointer, Vec<Value>>,
    /// What members are after it. Of an object, those of its members that it has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<Pointer, JsonTemplate>,
    /// Values of which a member has one after it, such as `/status: [PROVISIONED, ACTIVE]`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub one_of: BTreeMap<Pointer, Vec<Value>>,
    /// What members are after it, of which what is not named is gone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub whole: BTreeMap<Pointer, JsonTemplate>,
}

/// A value that is looked up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookUp {
    /// The operation that reads it: of this endpoint, or `endpoint.operation`.
    pub operation: String,
    /// Its parameters, made of those of this operation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<Name, JsonTemplate>,
    /// If it returns a list: members by which the one record is known in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub record: BTreeMap<Pointer, JsonTemplate>,
    /// The member that is the value.
    pub value: Pointer,
}

/// Changes of an object that is sent back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Modifications {
    /// Members that are not sent back, such as those that the API makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<Pointer>,
    /// What members become.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<Pointer, JsonTemplate>,
    /// Items that are added to lists, unless they are in them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub append: BTreeMap<Pointer, JsonTemplate>,
    /// Items that are taken out of lists.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub remove: BTreeMap<Pointer, JsonTemplate>,
}

impl Modifications {
    /// What is made of parameters.
    pub fn templates(&self) -> impl Iterator<Item = (&Pointer, &JsonTemplate)> {
        self.set.iter().chain(&self.append).chain(&self.remove)
    }
}

/// Whether an object is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It is.
    #[default]
    Present,
    /// It is not.
    Absent,
    /// It may be.
    Any,
}

impl Presence {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    fn is_present(&self) -> bool {
        *self == Self::Present
    }

    /// Whether it is as this says.
    pub fn allows(self, is_there: bool) -> bool {
        match self {
            Self::Present => is_there,
            Self::Absent => !is_there,
            Self::Any => true,
        }
    }
}

/// What undoes an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Undo {
    /// Another operation.
    By(UndoBy),
    /// Nothing.
    Not(NoWay),
}

/// The operation that undoes another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UndoBy {
    /// It: of this endpoint, or `endpoint.operation`.
    pub operation: String,
    /// Its parameters, made of those of this operation, of what the object was before (`{before/profile}`), and of the response
    /// (`{response/id}`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<Name, JsonTemplate>,
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
