//! Access tokens of OAuth 2.0.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::part::AuthPart;
use crate::catalog::template::Template;
use crate::catalog::types::Name;

/// Access tokens of OAuth 2.0, got by client credentials. The client proves who it is by a key or by a secret, whichever
/// is configured; a token is bound to a key of ours (DPoP, RFC 9449) where the server requires it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// Where tokens are got. If it begins with a setting, it must be on the origin of the base URL.
    pub token_url: Template,
    /// The setting that holds the client's id.
    pub client_id: Name,
    /// The setting that holds its private key, which signs who it is (`private_key_jwt`, RFC 7523): a JWK, PEM text, or the
    /// path of a file with either.
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
}

impl OAuth2 {
    pub(super) fn parts(&self) -> Vec<AuthPart<'_>> {
        let mut parts = vec![AuthPart::open("oauth2.client_id", &self.client_id)];
        parts.extend(
            self.private_key.as_ref().map(|name| AuthPart::secret("oauth2.private_key", name).optional()),
        );
        parts.extend(
            self.client_secret.as_ref().map(|name| AuthPart::secret("oauth2.client_secret", name).optional()),
        );
        parts.extend(self.key_id.as_ref().map(|name| AuthPart::open("oauth2.key_id", name).optional()));
        parts
    }

    /// Of these settings exactly one is configured: a client proves who it is in one way (RFC 6749, section 2.3).
    pub(super) fn proofs(&self) -> Vec<&Name> {
        [&self.private_key, &self.client_secret].into_iter().flatten().collect()
    }
}
