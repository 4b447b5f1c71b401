//! Proofs of possession (DPoP, RFC 9449): with every request a signed note that says who holds the key of the token.

use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};
use url::Url;

use super::base64url::encoded;
use super::jws::{backdated, signed};
use super::key::SigningKey;
use super::random::unique;
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::Secret;

/// The header of a proof.
pub(crate) const DPOP: &str = "dpop";
/// The header with what a server wants in the next proof.
const NONCE: &str = "dpop-nonce";
/// The longest nonce that is kept.
const MAX_NONCE: usize = 4096;

/// The nonce of a response (section 8.1), which any response may bring.
pub(in crate::api::auth) fn nonce_of(headers: &HeaderMap) -> Option<&str> {
    let nonce = headers.get(NONCE)?.to_str().ok()?.trim();
    (!nonce.is_empty() && nonce.len() <= MAX_NONCE).then_some(nonce)
}

/// What a proof is for.
pub(in crate::api::auth) struct DpopProof<'p> {
    pub(in crate::api::auth) method: &'p Method,
    pub(in crate::api::auth) url: &'p Url,
    pub(in crate::api::auth) now: Timestamp,
    /// What the server gave for its next proof.
    pub(in crate::api::auth) nonce: Option<&'p str>,
    /// The token that goes with it.
    pub(in crate::api::auth) token: Option<&'p Secret>,
}

/// The value of a `DPoP` header (section 4.2).
pub(in crate::api::auth) fn proof(key: &SigningKey, about: &DpopProof<'_>) -> Result<HeaderValue> {
    let header = json!({"typ": "dpop+jwt", "alg": key.algorithm(), "jwk": key.public_jwk()});
    let mut url = about.url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let mut claims = json!({
        "htm": about.method.as_str(),
        "htu": url.as_str(),
        "iat": backdated(about.now),
        "jti": unique()?,
    });
    if let Some(nonce) = about.nonce {
        claims["nonce"] = nonce.into();
    }
    if let Some(token) = about.token {
        claims["ath"] = encoded(Sha256::digest(token.expose())).into();
    }
    let mut value: HeaderValue = signed(key, &header, &claims)?.parse().map_err(|_| {
        Error::new(ErrorKind::Auth, "sign in", "the proof of possession makes no valid header")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
