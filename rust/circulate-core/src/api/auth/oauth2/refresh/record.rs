//! What is kept of a refresh token: the one to use next, and the access tokens that came with it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::redact::Redactor;
use crate::secrets::Secret;

/// The refresh token to use next, and what came with it.
#[derive(Debug, Clone)]
pub(in crate::api::auth::oauth2) struct RefreshRecord {
    pub(in crate::api::auth::oauth2) refresh_token: Secret,
    pub(in crate::api::auth::oauth2) kept: KeptTokens,
}

/// What other processes go on with instead of using the refresh token too: the server may take it once only, and may end the
/// access tokens before with each new one.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(in crate::api::auth::oauth2) struct KeptTokens {
    /// Access tokens by their scope.
    #[serde(default)]
    access: BTreeMap<String, KeptAccess>,
    /// The key that they are bound to, and refresh tokens of a public client with them (RFC 9449, section 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::api::auth::oauth2) dpop_jwk: Option<Value>,
}

/// An access token.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::api::auth::oauth2) struct KeptAccess {
    token: String,
    /// Whether it is bound to the key.
    pub(in crate::api::auth::oauth2) bound: bool,
    obtained_ms: i64,
    expires_ms: i64,
}

/// The most access tokens that are kept: each takes a few KB, and a secret of AWS holds 64.
const MAX_KEPT: usize = 8;

impl KeptTokens {
    /// The access token for `scope`.
    pub(in crate::api::auth::oauth2) fn access(&self, scope: &str) -> Option<&KeptAccess> {
        self.access.get(scope)
    }

    /// Keeps an access token for `scope`, and of the others those that are valid at `now`.
    pub(in crate::api::auth::oauth2) fn keep(&mut self, scope: &str, access: KeptAccess, now: Timestamp) {
        self.access.insert(scope.to_owned(), access);
        self.access.retain(|_, access| access.expires_ms > now.as_millisecond());
        while self.access.len() > MAX_KEPT {
            let oldest = self.access.iter().min_by_key(|(_, access)| access.obtained_ms);
            let Some(oldest) = oldest.map(|(scope, _)| scope.clone()) else { return };
            self.access.remove(&oldest);
        }
    }

    /// Takes all of it out of sight.
    pub(in crate::api::auth::oauth2) fn hide(&self) {
        self.access.values().for_each(|access| Redactor::shared().hide(&access.token));
        if let Some(number) = self.dpop_jwk.as_ref().and_then(|jwk| jwk["d"].as_str()) {
            Redactor::shared().hide(number);
        }
    }
}

impl KeptAccess {
    pub(in crate::api::auth::oauth2) fn new(
        token: &Secret,
        bound: bool,
        obtained: Timestamp,
        expires: Timestamp,
    ) -> Self {
        let (obtained_ms, expires_ms) = (obtained.as_millisecond(), expires.as_millisecond());
        Self { token: token.expose().to_owned(), bound, obtained_ms, expires_ms }
    }

    pub(in crate::api::auth::oauth2) fn token(&self) -> Secret {
        Secret::new(&*self.token)
    }

    /// From when until when it is valid.
    pub(in crate::api::auth::oauth2) fn life(&self) -> Option<(Timestamp, Timestamp)> {
        let at = |ms| Timestamp::from_millisecond(ms).ok();
        Some((at(self.obtained_ms)?, at(self.expires_ms)?))
    }
}

impl std::fmt::Debug for KeptTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeptTokens").field(&self.access.keys()).finish()
    }
}
