//! Signed JSON in its compact form (RFC 7515, section 7.1). The signing is done by [`super::key`].

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::Value;

use super::key::SigningKey;
use crate::error::{Error, ErrorKind, Result};
use crate::redact::Redactor;

/// `header.claims.signature`, each in base64url.
pub(super) fn signed(key: &SigningKey, header: &Value, claims: &Value) -> Result<String> {
    let text = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
    let signature = key.sign(text.as_bytes())?;
    let signed = format!("{text}.{}", encoded(signature));
    // Whoever is told of it could use it.
    Redactor::shared().hide_once(&signed);
    Ok(signed)
}

/// A time a few seconds ago: servers refuse what was signed in their future, and no two clocks agree.
pub(super) fn backdated(now: Timestamp) -> i64 {
    now.as_second() - 5
}

/// Base64url without padding.
pub(super) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A number that was never used before: 128 random bits.
pub(super) fn unique() -> Result<String> {
    let mut bits = [0; 16];
    aws_lc_rs::rand::fill(&mut bits).map_err(|_| no_random_numbers())?;
    Ok(encoded(bits))
}

pub(super) fn no_random_numbers() -> Error {
    Error::new(ErrorKind::Auth, "sign in", "the system gives no random numbers")
}
