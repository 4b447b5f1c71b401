//! The model of an endpoint's file (`users.yaml`): its list operation, as a stream to pull.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::durable::Durable;
use super::empty::Empty;
use super::errors::ErrorRule;
use super::hook_ref::PageHooks;
use super::incremental::{Incremental, TimeWindow};
use super::job::Job;
use super::one_or_list::OneOrList;
use super::operation::Operation;
use super::page_size::PageSize;
use super::paginator::PaginatorSpec;
use super::partitions::{Parent, Partitions};
use super::records::{PageFormat, PrimaryKey, RecordsSpec};
use super::request::{Before, BodySpec, Encode, Method, QueryValue};
use super::template::Template;
use super::types::{Name, Pointer, Span};

/// One API resource of a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Name of the endpoint; equals its file name.
    pub endpoint: Name,
    /// What its records are, in a sentence.
    pub about: String,
    /// Address of the vendor's documentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
    /// The OAuth scopes that reading it needs: as few as will do. An empty list says that it needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The list operation.
    pub list: StreamSpec,
    /// What can be called at it besides its list, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub operations: BTreeMap<Name, Operation>,
    /// Members of its records whose types are known, for tables; the others are inferred. JSON output needs none.
    #[serde(default, skip_serializing_if = "Columns::is_empty")]
    pub columns: Columns,
}

/// The list operation of an endpoint, as something to pull.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamSpec {
    /// The method. Default GET, and POST with a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Path below the base URL. That of a child stream uses fields of its parent, such as `/api/v1/apps/{id}/users`. Only one
    /// whose parent names a `url` has none.
    #[serde(default, skip_serializing_if = "Template::is_empty")]
    pub path: Template,
    /// The stream whose records this one is requested for, one after the other. It may have a parent itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<Parent>,
    /// Query parameters. They may use what the path may; a list repeats the parameter.
    #[serde(default)]
    pub query: BTreeMap<String, QueryValue>,
    /// How the query is written.
    #[serde(default, skip_serializing_if = "Encode::is_plus")]
    pub encode: Encode,
    /// The body. It may use what the path may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodySpec>,
    /// A request that must have been made before the list is requested, once a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
    /// Values that the list is requested for one by one; the requests use them. Of several, and beside a `parent`, each value is
    /// requested with each of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) partitions: Option<OneOrList<Partitions>>,
    /// A job that makes the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Job>,
    /// Responses that mean that the account does not have the feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<Unavailable>,
    /// What responses mean that say it in a way of their own; these rules come before those of the source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorRule>,
    /// Headers sent beside those of the source, and instead of a header of the same name. They may use what the path may.
    #[serde(default)]
    pub headers: BTreeMap<String, Template>,
    /// Functions of one's own that pages pass through. A catalog of the user's own may have some; a shipped one has none.
    #[serde(default, skip_serializing_if = "PageHooks::are_none")]
    pub hooks: Box<PageHooks>,
    /// What the body of a page is. Default json.
    #[serde(default, skip_serializing_if = "PageFormat::is_json")]
    pub format: PageFormat,
    /// Where a page holds its records. A JSON Pointer to the array of them, empty if the page is that array, with `*` for each
    /// element of an array around it; or `{map: /pointer}` to an object from ids to records, or `{scalars: /pointer}` to an
    /// array of strings or numbers.
    #[serde(default)]
    pub records: RecordsSpec,
    /// What counts as an empty list, beside an empty array: one or a list of `null` (it stands where the array should),
    /// `missing` (the page is an object without that member), `no_body` (a success without a body), and statuses such as 204 or
    /// 404 (whatever the body says).
    #[serde(default, skip_serializing_if = "Empty::is_nothing")]
    pub empty: Empty,
    /// The members that identify a record, or `none` if nothing but all that it holds does.
    pub primary_key: PrimaryKey,
    /// What its records are: `entity`, of which the newest version counts, or `event`, which happened and stays. Default event
    /// for a polling stream, else entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<RecordKind>,
    /// The member whose greater value, a time or a number, is the newer version of two records with the same key in one run.
    /// Without it the one that comes later is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Pointer>,
    /// How large a page to request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_size: Option<PageSize>,
    /// How one page leads to the next.
    pub paginator: PaginatorSpec,
    /// The API is known to return the whole list in one page: nothing else is taken as a sign of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single: Option<Single>,
    /// What the API's own count of records is worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Total>,
    /// What does not mean that the list goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EndRules>,
    /// How records are selected by time; without it every pull is a full one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) incremental: Option<Incremental>,
    /// The list has no end: it always leads to a next page, whose address can be kept and polled.
    #[serde(default, alias = "endless", skip_serializing_if = "Option::is_none")]
    pub(super) polling: Option<Polling>,
}

/// What a polling stream keeps, and how a period of it is requested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Polling {
    /// How far back the API keeps records; the first pull begins there.
    pub history: Span,
    /// How far back may be requested at all.
    pub oldest: Span,
    /// A period is requested in windows of this length, side by side.
    pub window: Span,
}

impl StreamSpec {
    /// It without what changes neither which records are requested nor how: a cursor stays good when these change.
    pub(super) fn without_judgement(&self) -> Self {
        let mut spec = Self {
            single: None,
            total: None,
            end: None,
            errors: Vec::new(),
            kind: None,
            version: None,
            ..self.clone()
        };
        let parents = spec.parent.as_mut().and_then(|parent| parent.incremental.as_mut());
        for rule in spec.incremental.as_mut().into_iter().chain(parents) {
            rule.lag = None;
        }
        spec
    }

    /// What its records are.
    pub fn kind(&self) -> RecordKind {
        let usual = if self.polling.is_some() { RecordKind::Event } else { RecordKind::Entity };
        self.kind.unwrap_or(usual)
    }

    /// The lists that it consists of.
    pub fn lists(&self) -> Lists<'_> {
        let is_partitioned = self.parent.is_some() || self.partitions.is_some() || self.job.is_some();
        match (&self.polling, &self.incremental) {
            _ if is_partitioned => Lists::Several,
            (Some(polling), Some(_)) => Lists::Polled(polling),
            (_, Some(Incremental { window: Some(_), .. })) => Lists::Several,
            _ => Lists::One,
        }
    }

    /// The stream whose records it is requested for.
    pub fn parent(&self) -> Option<&Parent> {
        self.parent.as_ref()
    }

    /// The values that it is requested for one by one.
    pub fn values(&self) -> &[Partitions] {
        self.partitions.as_ref().map_or(&[], OneOrList::as_slice)
    }

    /// What it keeps, if it is polled.
    pub fn polling(&self) -> Option<&Polling> {
        if let Lists::Polled(polling) = self.lists() { Some(polling) } else { None }
    }

    /// How its own records are selected by time.
    pub fn incremental(&self) -> Option<&Incremental> {
        self.incremental.as_ref()
    }

    /// The windows of time in which it is requested.
    pub fn window(&self) -> Option<&TimeWindow> {
        self.incremental()?.window.as_ref()
    }

    /// The members that hold a record's time; none if it has no such time.
    pub fn times(&self) -> &[Pointer] {
        self.incremental().map_or(&[], Incremental::times)
    }

    /// What its API gives to go on with at the next pull.
    pub fn durable(&self) -> Option<&Durable> {
        self.incremental()?.durable.as_ref()
    }

    /// How its parents are selected by time.
    pub fn parent_incremental(&self) -> Option<&Incremental> {
        self.parent()?.incremental.as_ref()
    }

    /// What moves its cursor: times of its own records, or of its parents'.
    pub fn cursor_rule(&self) -> Option<&Incremental> {
        self.incremental().or_else(|| self.parent_incremental())
    }

    /// What is taken off the next lower bound.
    pub fn overlap(&self) -> Duration {
        let rules = [self.incremental(), self.parent_incremental()];
        rules.into_iter().flatten().map(|rule| rule.overlap.get()).max().unwrap_or_default()
    }
}

/// The lists that a stream consists of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lists<'s> {
    /// One list.
    One,
    /// One list without an end, which is polled.
    Polled(&'s Polling),
    /// A list for each of some partitions: parents, values, windows of time.
    Several,
}

#[cfg(test)]
impl StreamSpec {
    pub(crate) fn incremental_mut(&mut self) -> Option<&mut Incremental> {
        self.incremental.as_mut()
    }
}

/// What the records of a stream are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// Things that are there, change and go: the newest version of each counts.
    Entity,
    /// What happened: each record stays.
    Event,
}

/// Whether a list is one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Single {
    /// The vendor's documents or people say so.
    Certain,
}

/// The API's own count of the records of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Total {
    /// Whether a list with fewer records than that is incomplete. `false` for an estimate, or a count of something else.
    pub exact: bool,
}

/// What ends a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndRules {
    /// Members of the page, with all below them, that look like a next page and are none; a header as `/x-its-name`.
    #[serde(default)]
    pub ignore: Vec<Pointer>,
    /// The vendor's documents say that a page with fewer records than were requested is the last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub short_page: bool,
}

/// Responses that mean that an account does not have the feature, rather than that something is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unavailable {
    /// HTTP statuses.
    #[serde(default)]
    pub statuses: Vec<u16>,
    /// Codes of the vendor.
    #[serde(default)]
    pub codes: Vec<String>,
}
