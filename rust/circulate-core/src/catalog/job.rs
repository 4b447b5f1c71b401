//! The model of `job`: a list that the API has to make first.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::paginator::UrlFrom;
use super::records::RecordsPointer;
use super::request::{BodySpec, QueryValue, RequestMethod};
use super::template::Template;
use super::types::{Pointer, Span};

/// A job that makes the list: it is submitted, waited for, and its parts are read. Its id is `{job}` in requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The request that submits it. It takes the bounds of `incremental`, too.
    pub submit: JobRequest,
    /// Where the response to that holds the job's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<UrlFrom>,
    /// The request that says how far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<JobRequest>,
    /// Where the response to `submit` holds the address of that, instead of `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_url: Option<UrlFrom>,
    /// How a status is read. Without it a response of 202 says that the job is running, and one of 200 that it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<JobState>,
    /// How long to wait between two requests of the status, unless `Retry-After` says otherwise. Default 10s.
    #[serde(default = "Job::default_interval", skip_serializing_if = "Job::is_default_interval")]
    pub every: Span,
    /// The parts that the list is in. Without it the list is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<JobParts>,
    /// The request that cancels a job which takes too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<JobRequest>,
    /// How long it may take. Default 24h.
    #[serde(default = "Job::default_timeout", skip_serializing_if = "Job::is_default_timeout")]
    pub timeout: Span,
}

impl Job {
    fn default_interval() -> Span {
        Span::seconds(10)
    }

    fn is_default_interval(span: &Span) -> bool {
        *span == Self::default_interval()
    }

    fn default_timeout() -> Span {
        Span::seconds(24 * 3600)
    }

    fn is_default_timeout(span: &Span) -> bool {
        *span == Self::default_timeout()
    }
}

/// A request about a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobRequest {
    /// The method. Default POST to submit and to cancel, GET for the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<RequestMethod>,
    /// Path below the base URL.
    pub path: Template,
    /// Query parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, QueryValue>,
    /// Headers, beside those of the source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Template>,
    /// The body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodySpec>,
}

/// How the status of a job is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobState {
    /// The member that holds it.
    pub at: Pointer,
    /// What it is once the job is done.
    pub done: Vec<String>,
    /// What it is if nothing will come of the job. All else is waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
}

/// Where the status of a job that is done names its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobParts {
    /// An array of what `{part}` stands for in requests, each a text or a number. One `*` is each element of an array.
    Values(RecordsPointer),
    /// An address, or an array of addresses, to request instead of `path`. They have the origin of the base URL.
    Urls(RecordsPointer),
}
