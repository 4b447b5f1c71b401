//! Sessions that begin with a login.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::basic::BasicAuth;
use super::part::AuthPart;
use crate::catalog::request::BodySpec;
use crate::catalog::template::Template;
use crate::catalog::types::{Name, Pointer, Span};

/// A session: a login whose response has a token, by which requests are signed in until it expires or is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionAuth {
    /// The request that logs in.
    pub login: LoginRequest,
    /// Where its response has the token; with `exchange`, where the response to that has it.
    pub token: SessionToken,
    /// Where that response says how long the token is good for. A cookie says so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<SessionExpiry>,
    /// How long it is good for if the response does not say so. Default: until it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Span>,
    /// Where requests have the token. Default: the header `Authorization`, behind `Bearer `.
    #[serde(default)]
    pub send: SessionSend,
    /// A second request, which exchanges the token of the first one for that of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<LoginRequest>,
    /// The request by which a process that has logged in logs out when it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logout: Option<Logout>,
}

/// A request that logs in. Headers and bodies may use settings that are secret; those of `exchange` may use `{token}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// Default POST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<LoginMethod>,
    /// Path below the base URL; or an address, which is on the origin of the base URL if it begins with a setting.
    pub path: Template,
    /// Headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Template>,
    /// Query parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, Template>,
    /// The body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodySpec>,
    /// A user and a password in the header `Authorization`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicAuth>,
    /// A signed note in the header `Authorization`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<LoginJwt>,
    /// Of the request before `exchange`: where its response has what is `{token}` there, if that is another place than that of
    /// the session's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SessionToken>,
}

/// The method of a request that logs in or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "they are the methods of HTTP")]
pub enum LoginMethod {
    Get,
    Post,
    Put,
    Delete,
}

/// A note that says who logs in, signed (RFC 7519), such as an app of GitHub sends it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginJwt {
    /// The setting that holds who it is.
    pub issuer: Name,
    /// The setting that holds the private key: a JWK, PEM text, or the path of a file with either.
    pub private_key: Name,
    /// How long the note is good for. Default 9m.
    #[serde(default = "LoginJwt::default_lifetime")]
    pub lifetime: Span,
}

impl LoginJwt {
    /// GitHub takes no more than ten minutes by its own clock.
    fn default_lifetime() -> Span {
        Span::seconds(9 * 60)
    }
}

/// Where a response has a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionToken {
    /// At a member of the body; empty for a body that is the token, as text or as a JSON string.
    Body(Pointer),
    /// In the header of this name.
    Header(String),
    /// In the cookie of this name.
    Cookie(String),
}

/// Where a response says how long a token is good for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionExpiry {
    /// A member with seconds.
    After(Pointer),
    /// A member with milliseconds.
    AfterMs(Pointer),
    /// A member with a point in time: RFC 3339, or epoch seconds or milliseconds.
    At(Pointer),
}

/// Where requests have a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionSend {
    /// In a header.
    Header(SessionHeader),
    /// In the query parameter of this name, as it is sent: it stands in no address that is shown or stored.
    Query(String),
    /// In the cookie of this name.
    Cookie(String),
}

impl SessionSend {
    /// The query parameters that it puts on each request.
    pub fn query_parameters(&self) -> &[String] {
        match self {
            Self::Query(name) => std::slice::from_ref(name),
            Self::Header(_) | Self::Cookie(_) => &[],
        }
    }
}

/// A header with a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionHeader {
    /// Header name.
    pub name: String,
    /// Text before the token, with its space.
    #[serde(default)]
    pub prefix: String,
}

impl Default for SessionSend {
    fn default() -> Self {
        Self::Header(SessionHeader { name: "Authorization".to_owned(), prefix: "Bearer ".to_owned() })
    }
}

/// The request that ends a session. It is signed in as all others, and what comes of it is passed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Logout {
    /// Default DELETE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<LoginMethod>,
    /// As that of `login`.
    pub path: Template,
}

/// The token of the first request, in a template of the second.
pub(in crate::catalog) const TOKEN: &str = "token";

impl SessionAuth {
    /// The requests that log in, and where they stand.
    pub(in crate::catalog) fn requests(&self) -> impl Iterator<Item = (&'static str, &LoginRequest)> {
        let exchange = self.exchange.as_ref().map(|exchange| ("exchange", exchange));
        std::iter::once(("login", &self.login)).chain(exchange)
    }

    pub(super) fn parts(&self) -> Vec<AuthPart<'_>> {
        let of_all = self.requests().flat_map(|(at, request)| request.parts(&format!("session.{at}")));
        let mut seen = BTreeSet::new();
        of_all.filter(|part| seen.insert(part.setting)).collect()
    }

    /// The setting that holds the private key of a signed note.
    pub(super) fn private_key(&self) -> Option<&Name> {
        self.requests().find_map(|(_, request)| Some(&request.jwt.as_ref()?.private_key))
    }

    /// The settings that its templates use.
    pub fn placeholders(&self) -> Vec<&str> {
        let logout = self.logout.iter().flat_map(|logout| logout.path.placeholders());
        let login = self.login.placeholders().into_iter().chain(logout);
        let exchange = self.exchange.iter().flat_map(LoginRequest::placeholders);
        login.chain(exchange.filter(|name| *name != TOKEN)).collect()
    }

    /// Those that stand in an address, which secrets never do.
    pub(super) fn placeholders_of_addresses(&self) -> Vec<&str> {
        let logout = self.logout.iter().flat_map(|logout| logout.path.placeholders());
        self.requests().flat_map(|(_, request)| request.in_address()).chain(logout).collect()
    }
}

impl LoginRequest {
    fn parts(&self, at: &str) -> Vec<AuthPart<'_>> {
        let mut parts = Vec::new();
        if let Some(jwt) = &self.jwt {
            parts.push(AuthPart::open(format!("{at}.jwt.issuer"), &jwt.issuer));
            parts.push(AuthPart::secret(format!("{at}.jwt.private_key"), &jwt.private_key));
        }
        parts.extend(self.basic.iter().flat_map(|basic| basic.parts(&format!("{at}.basic"))));
        parts
    }

    /// The names that its templates use.
    pub fn placeholders(&self) -> Vec<&str> {
        self.in_address().into_iter().chain(self.in_content()).collect()
    }

    pub(in crate::catalog) fn in_address(&self) -> Vec<&str> {
        self.path.placeholders().chain(self.query.values().flat_map(Template::placeholders)).collect()
    }

    /// Those in headers and the body, where secrets may stand.
    pub(in crate::catalog) fn in_content(&self) -> Vec<&str> {
        let headers = self.headers.values().flat_map(Template::placeholders);
        headers.chain(self.body.iter().flat_map(BodySpec::placeholders)).collect()
    }
}
