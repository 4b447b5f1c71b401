//! The model of `source.yaml`: an API with its base URL, auth, rate-limit rules and error shape.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::auth::{Auth, SessionAuth, SessionSend};
use super::errors::ErrorRule;
use super::limits::Rates;
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
    /// The ways in which requests can be signed in. The one whose settings are given is used.
    pub auth: Vec<Auth>,
    /// Headers sent with every request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How many requests the API allows, by its headers or by its documentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Where an error response says what went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_body: Option<ErrorBody>,
    /// What responses mean that say it in a way of their own. The rules of an endpoint come before these; of all rules the first
    /// one that fits counts, and what no rule is about is judged by its status.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorRule>,
    /// Response header that identifies a request to the vendor's support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// How long to wait for the API.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// A cheap request that shows whether address and credentials are right; without it nothing can be checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
}

impl Source {
    /// The settings that are of use in one way to sign in only, the ones that name or prove who we are first.
    pub fn settings_of<'a>(&'a self, way: &'a Auth) -> impl Iterator<Item = &'a Name> {
        let used = way.placeholders();
        let proves = move |name: &&Name| self.settings[*name].secret && used.contains(&name.as_str());
        way.named().chain(self.settings.keys().filter(proves))
    }

    /// Where requests carry the token of a login, of those who log in so, or get the token out of a file.
    pub fn session_send<'a>(&'a self, way: &'a Auth) -> Option<&'a SessionSend> {
        match way {
            Auth::Session(session) => Some(&session.send),
            Auth::TokenFile(_) => self.sessions().map(|session| &session.send).next(),
            _ => None,
        }
    }

    /// The ways to sign in that begin with a login.
    pub(super) fn sessions(&self) -> impl Iterator<Item = &SessionAuth> {
        self.auth.iter().filter_map(|way| match way {
            Auth::Session(session) => Some(&**session),
            _ => None,
        })
    }
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
    /// What it is if it is not configured; may use other settings that are not secret and have no default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Template>,
}

/// How many requests the API allows, and how many of these are left to others. Where its responses report the quota, `limit`,
/// `remaining` and `reset` name the headers; where they do not, or not all, `rate` declares it. If both say something, the
/// stricter one holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Header with the requests allowed in a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Header with the requests left in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<String>,
    /// Header with the end of the window: its name, which is `auto`, or how its value is to be read: `{at: NAME}` for a point
    /// in time by the server's clock, `{after: NAME}` for seconds from the response on, `{auto: NAME}` for whichever its
    /// value can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<Reset>,
    /// The requests that the API's documentation allows, such as `600/min`, or a list of which all hold, such as
    /// `[10/s, 30000/h]`. Each of the `buckets` has as many.
    #[serde(default, skip_serializing_if = "Rates::is_empty")]
    pub rate: Rates,
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
    /// Share of the quota that is left to other clients of the account, unless the user sets another one. Default 0.5.
    #[serde(default = "RateLimit::default_headroom")]
    pub headroom: Share,
}

/// The headers that report a quota.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QuotaHeaders<'r> {
    /// Requests allowed in a window.
    pub(crate) limit: &'r str,
    /// Requests left in it.
    pub(crate) remaining: &'r str,
    /// The end of the window.
    pub(crate) reset: &'r Reset,
}

impl RateLimit {
    /// The headers that report the quota, if any do.
    pub(crate) fn headers(&self) -> Option<QuotaHeaders<'_>> {
        Some(QuotaHeaders {
            limit: self.limit.as_deref()?,
            remaining: self.remaining.as_deref()?,
            reset: self.reset.as_ref()?,
        })
    }

    /// The share of the quota of a source that its definition leaves to others.
    pub(crate) fn headroom_of(source: &Source) -> Share {
        source.rate_limit.as_ref().map_or_else(Self::default_headroom, |rules| rules.headroom)
    }

    fn default_headroom() -> Share {
        Share::HALF
    }

    pub(crate) fn default_in_flight() -> u32 {
        8
    }
}

/// A header that says when something ends, and how its value is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "NameOrForm", into = "NameOrForm")]
pub struct Reset {
    /// Header name.
    pub header: String,
    /// How its value is read.
    pub form: TimeForm,
    /// Written as a plain name, which stays so: the digest of a definition is made of how it is written.
    plain: bool,
}

/// How a number in a header names a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeForm {
    /// As a point in time: epoch seconds or finer.
    At,
    /// As seconds from the response on.
    After,
    /// As whichever of the two it can be.
    Auto,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum NameOrForm {
    Name(String),
    Form(BTreeMap<String, String>),
}

impl TryFrom<NameOrForm> for Reset {
    type Error = String;

    fn try_from(given: NameOrForm) -> Result<Self, String> {
        let form = match given {
            NameOrForm::Name(header) => return Ok(Self { header, form: TimeForm::Auto, plain: true }),
            NameOrForm::Form(form) => form,
        };
        let mut named = form.into_iter();
        match (named.next(), named.next()) {
            (Some((form, header)), None) => {
                let form = match form.as_str() {
                    "at" => TimeForm::At,
                    "after" => TimeForm::After,
                    "auto" => TimeForm::Auto,
                    other => return Err(format!("unknown key `{other}`; the keys here are at, after, auto")),
                };
                Ok(Self { header, form, plain: false })
            }
            _ => Err("expected a header name, or one of `{at: NAME}`, `{after: NAME}` and `{auto: NAME}`"
                .to_owned()),
        }
    }
}

impl From<Reset> for NameOrForm {
    fn from(reset: Reset) -> Self {
        let form = match reset.form {
            TimeForm::Auto if reset.plain => return Self::Name(reset.header),
            TimeForm::Auto => "auto",
            TimeForm::At => "at",
            TimeForm::After => "after",
        };
        Self::Form([(form.to_owned(), reset.header)].into())
    }
}

impl JsonSchema for Reset {
    fn schema_name() -> Cow<'static, str> {
        "Reset".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let form = |name: &str| {
            json_schema!({
                "type": "object", "properties": {name: {"type": "string"}}, "required": [name], "additionalProperties": false
            })
        };
        json_schema!({"anyOf": [{"type": "string"}, form("at"), form("after"), form("auto")]})
    }
}

/// Where an error response says what went wrong. `error` and `error_description` (RFC 6749, section 5.2) are looked at too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorBody {
    /// The vendor's error code.
    pub code: Pointer,
    /// The vendor's sentence.
    pub message: Pointer,
    /// What it adds to its sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Pointer>,
    /// Codes that say that the session or token is not valid, whatever the status. Such a request is sent once more, with other
    /// credentials where there are any; then it is an error of the credentials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invalid_session: Vec<String>,
    /// What a person can do about an error, by code; codes of the token endpoint too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hints: BTreeMap<String, String>,
}

/// How long to wait for the API. A timeout is a temporary error and retried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// To connect, TLS included. Default 10s.
    pub connect: Span,
    /// Between two pieces of a response. Default 60s.
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
    /// The OAuth scopes it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}
