//! Access tokens of OAuth 2.0.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::part::AuthPart;
use crate::catalog::request::JsonTemplate;
use crate::catalog::template::Template;
use crate::catalog::types::Name;

/// Access tokens of OAuth 2.0. The client proves who it is by a key or by a secret, whichever is configured; a token is bound
/// to a key of ours (DPoP, RFC 9449) where the server requires it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// Where tokens are got. If it begins with a setting, it must be on the origin of the base URL.
    pub token_url: Template,
    /// What tokens are granted for. Default `client_credentials`.
    #[serde(default, skip_serializing_if = "GrantType::is_default")]
    pub grant: GrantType,
    /// The setting that holds the client's id. It may be left out with `jwt_bearer`, for keys that say whose they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Name>,
    /// The setting that holds its private key, which signs who it is (`private_key_jwt`, RFC 7523): a JWK, PEM text, the JSON of
    /// a service account of Google, or the path of a file with one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<Name>,
    /// The setting that holds the key's id, for keys that do not hold it themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Name>,
    /// The setting that holds its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Name>,
    /// How the secret is sent. Default `basic`.
    #[serde(default)]
    pub send_secret: SendSecret,
    /// More parameters of a request of a token; may use settings that are not secret. `grant_type` takes the place of the one
    /// that `grant` stands for, and `scope` is for endpoints that name no `scopes`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Template>,
    /// Of the grant `refresh_token`, the setting that holds the first refresh token: what a person got by signing in. Those
    /// that the server gives in its place are kept, and used from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Name>,
    /// The setting that holds whom a `jwt_bearer` token is for, such as a user whose rights it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Name>,
    /// What assertions say they are meant for. Default: what the key says, else the token URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Template>,
    /// What else a `jwt_bearer` assertion claims; may use settings that are not secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, JsonTemplate>,
}

/// What tokens are granted for (RFC 6749, section 1.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// Who the client is (RFC 6749, section 4.4).
    #[default]
    ClientCredentials,
    /// An assertion that the client signs, of itself or of a user it acts for (RFC 7523, section 2.1).
    JwtBearer,
    /// A refresh token, which a person got by signing in (RFC 6749, section 6). The client need not prove who it is.
    RefreshToken,
}

/// How a client's secret is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SendSecret {
    /// `Authorization: Basic`, id and secret form-encoded first (RFC 6749, section 2.3.1).
    #[default]
    Basic,
    /// `Authorization: Basic` without that encoding, as many servers expect it.
    BasicRaw,
    /// In the body.
    Body,
    /// In the body, which is JSON with all other parameters.
    Json,
}

impl OAuth2 {
    pub(super) fn parts(&self) -> Vec<AuthPart<'_>> {
        let by_assertion = self.grant == GrantType::JwtBearer;
        let mut parts = Vec::new();
        parts.extend(self.client_id.as_ref().map(|name| {
            let part = AuthPart::open("oauth2.client_id", name);
            // The key may say it.
            if by_assertion { part.optional() } else { part }
        }));
        parts.extend(self.private_key.as_ref().map(|name| {
            let part = AuthPart::secret("oauth2.private_key", name);
            if by_assertion { part } else { part.optional() }
        }));
        parts.extend(
            self.client_secret.as_ref().map(|name| AuthPart::secret("oauth2.client_secret", name).optional()),
        );
        parts.extend(self.refresh_token.as_ref().map(|name| AuthPart::secret("oauth2.refresh_token", name)));
        parts.extend(self.key_id.as_ref().map(|name| AuthPart::open("oauth2.key_id", name).optional()));
        parts.extend(self.subject.as_ref().map(|name| AuthPart::open("oauth2.subject", name)));
        parts
    }

    /// Of these settings at most one is configured: a client proves who it is in one way (RFC 6749, section 2.3). The key of an
    /// assertion by which a token is granted proves something else.
    pub(super) fn proofs(&self) -> Vec<&Name> {
        match self.grant {
            GrantType::ClientCredentials | GrantType::RefreshToken => {
                [&self.private_key, &self.client_secret].into_iter().flatten().collect()
            }
            GrantType::JwtBearer => Vec::new(),
        }
    }

    /// Whether one of them must be configured. A client that has a refresh token may be public; an assertion has its key.
    pub(super) fn needs_proof(&self) -> bool {
        self.grant == GrantType::ClientCredentials
    }

    /// The settings that its templates use.
    pub(super) fn placeholders(&self) -> Vec<&str> {
        let templates = [&self.token_url].into_iter().chain(&self.audience).chain(self.params.values());
        let mut names: Vec<_> = templates.flat_map(Template::placeholders).collect();
        names.extend(self.claims.values().flat_map(JsonTemplate::placeholders));
        names
    }
}

impl GrantType {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
