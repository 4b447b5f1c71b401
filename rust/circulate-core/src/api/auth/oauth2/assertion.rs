//! Assertions: signed notes that say who a client is, or whom a token is for (RFC 7523, section 3).

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::jws::{backdated, signed};
use super::key::SigningKey;
use super::random::unique;
use crate::clock::later;
use crate::error::Result;

/// What an assertion claims beside times and its number.
pub(super) struct Claims<'c> {
    pub(super) issuer: &'c str,
    pub(super) subject: Option<&'c str>,
    pub(super) audience: &'c str,
    pub(super) more: Map<String, Value>,
    /// How long it may be used.
    pub(super) lifetime: Duration,
}

/// An assertion, with a number that was never used: it may be used once.
pub(super) fn assertion(key: &SigningKey, claims: Claims<'_>, now: Timestamp) -> Result<String> {
    let mut header = json!({"typ": "JWT", "alg": key.algorithm()});
    if let Some(id) = key.id() {
        header["kid"] = id.into();
    }
    let mut said = claims.more;
    said.extend(claims.subject.map(|subject| ("sub".to_owned(), subject.into())));
    for (name, value) in [
        ("iss", claims.issuer.into()),
        ("aud", claims.audience.into()),
        ("iat", backdated(now).into()),
        ("exp", later(now, claims.lifetime).as_second().into()),
        ("jti", unique()?.into()),
    ] {
        said.insert(name.to_owned(), value);
    }
    signed(key, &header, &said.into())
}
