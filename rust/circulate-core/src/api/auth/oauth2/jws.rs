//! Signed JSON in its compact form (RFC 7515, section 7.1). The signing is done by [`super::key`].

use jiff::Timestamp;
use serde_json::Value;

use super::base64url::encoded;
use super::key::SigningKey;
use crate::error::Result;
use crate::redact::Redactor;

/// `header.claims.signature`, each in base64url.
pub(in crate::api::auth) fn signed(key: &SigningKey, header: &Value, claims: &Value) -> Result<String> {
    let text = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
    let signature = key.sign(text.as_bytes())?;
    let signed = format!("{text}.{}", encoded(signature));
    // Whoever sees it could use it.
    Redactor::shared().hide_once(&signed);
    Ok(signed)
}

/// A time a few seconds ago: servers refuse what was signed in their future, and no two clocks agree.
pub(in crate::api::auth) fn backdated(now: Timestamp) -> i64 {
    now.as_second() - 5
}
