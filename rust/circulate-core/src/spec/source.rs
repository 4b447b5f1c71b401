//! The model of `source.yaml`: an API with its base URL, auth, rate-limit rules and error shape.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::template::Template;
use super::types::{Name, Pointer, Share, Span};

/// A SaaS API: how to reach it, sign in, and be a polite client of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of the source; equals its folder.
    pub source: Name,
    /// Name as people write it.
    pub title: String,
    /// Address of the vendor's documentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
    /// What a user configures, by name.
    pub settings: BTreeMap<Name, Setting>,
    /// Start of every URL; may use settings, such as `{org_url}`. `https`, or `http` on loopback.
    pub base_url: Template,
    /// How requests are signed in.
    pub auth: Auth,
    /// Headers sent with every request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The response headers that tell the quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Where an error answer says what went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_body: Option<ErrorBody>,
    /// Response header that identifies a request to the vendor's support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// How long to wait for the API.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// A cheap request that shows whether address and credentials are right.
    pub check: Check,
}

/// One thing a user configures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Environment variable it is read from.
    pub env: String,
    /// What it is, for messages and `circulate check`.
    pub about: String,
    /// Whether it must never be shown or given by flag.
    #[serde(default)]
    pub secret: bool,
    /// Other names that it may have in a stored secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
}

/// How requests are signed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// A fixed header, such as `Authorization: SSWS 00a...`.
    Header(HeaderAuth),
}

/// A fixed header with a secret in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderAuth {
    /// Header name.
    pub name: String,
    /// Text before the secret, with its space: `"SSWS "`.
    #[serde(default)]
    pub prefix: String,
    /// The setting that holds the secret.
    pub secret: Name,
}

/// The response headers that tell the quota, and how much of it is left to others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Header with the requests allowed in a window.
    pub limit: String,
    /// Header with the requests left in it.
    pub remaining: String,
    /// Header with the end of the window in epoch seconds by the server's clock.
    pub reset: String,
    /// Whether a 429 with limit 0 means "too many at once" rather than "quota used up".
    #[serde(default)]
    pub zero_limit_means_concurrency: bool,
    /// Paths whose requests, and those for what lies below them, are counted together; the longest one that fits a request
    /// counts it. One with a slash at its end counts only what lies below. All other requests are counted together.
    #[serde(default)]
    pub buckets: Vec<String>,
    /// The most requests that are on their way at the same time. Default 8.
    #[serde(default = "RateLimit::default_in_flight")]
    pub in_flight: u32,
    /// Share of the quota that is left to other clients of the account. Default 0.5.
    #[serde(default = "RateLimit::default_headroom")]
    pub headroom: Share,
}

impl RateLimit {
    fn default_headroom() -> Share {
        Share::HALF
    }

    pub(crate) fn default_in_flight() -> u32 {
        8
    }
}

/// Where an error answer says what went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorBody {
    /// The vendor's error code.
    pub code: Pointer,
    /// The vendor's sentence.
    pub message: Pointer,
}

/// How long to wait for the API. A timeout is a temporary error and retried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// To connect, TLS included. Default 10s.
    pub connect: Span,
    /// Between two pieces of an answer. Default 60s.
    pub read: Span,
    /// For one attempt in all. Default 5m.
    pub total: Span,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Span::seconds(10), read: Span::seconds(60), total: Span::seconds(300) }
    }
}

/// A cheap request that shows whether address and credentials are right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Path below the base URL.
    pub path: String,
    /// Query parameters.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
}
