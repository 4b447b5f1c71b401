//! Access tokens in files: written by whoever has the client's credentials, read by whoever only needs the token.

mod extension;
mod folder;
mod minter;
mod reader;

use std::fmt;

use http::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::redact::Redactor;

pub use folder::TokenFolder;
pub use minter::{Minted, Minter};
pub use reader::FileToken;

/// The version of the file's form.
const SCHEMA: u32 = 1;

/// `{profile}.token.json`. Times are epoch seconds by the wall clock.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenFile {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Which credentials it is of.
    pub profile: String,
    /// Who wrote it; another process writes another.
    pub instance: String,
    /// The token.
    pub access_token: String,
    /// `Bearer` or `DPoP`.
    pub token_type: String,
    /// What it is for, separated by spaces.
    pub scope: String,
    /// When it was requested.
    pub obtained_at: i64,
    /// When it ends.
    pub expires_at: i64,
    /// The private key that a `DPoP` token is bound to, without which it is useless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_jwk: Option<Value>,
}

impl TokenFile {
    /// A digest by which a token is named where it must not be shown.
    pub fn digest(&self) -> String {
        crate::hex(&Sha256::digest(&self.access_token))
    }

    /// Shows neither the token nor its key from now on.
    fn hide(&self) {
        let key = self.dpop_jwk.as_ref().map(Value::to_string);
        [Some(&self.access_token), key.as_ref()]
            .into_iter()
            .flatten()
            .for_each(|secret| Redactor::shared().hide(secret));
    }

    /// Whether the token is bound to a key.
    pub fn is_bound(&self) -> bool {
        self.token_type.eq_ignore_ascii_case("dpop")
    }

    /// What the `Authorization` header says.
    pub fn header(&self) -> Result<HeaderValue> {
        let kind = if self.is_bound() { "DPoP" } else { "Bearer" };
        let value = format!("{kind} {}", self.access_token).parse();
        let mut value: HeaderValue = value.map_err(|_| {
            Error::new(ErrorKind::Auth, "sign in", "the token file holds no token for a header")
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for TokenFile {
    /// Without the token and the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenFile")
            .field("profile", &self.profile)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "tests/token_file.rs"]
mod tests;
