//! Access tokens in files: written by whoever has the client's credentials, read by whoever only needs the token.

mod extension;
mod folder;
mod minter;
mod reader;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::catalog::{SessionHeader, SessionSend};
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
    /// `Bearer`, `DPoP`, or `Session` for that of a login, which is sent as its definition says.
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
    /// The type of a token that a login gave.
    pub(super) const SESSION: &'static str = "Session";

    /// A digest by which a token is named where it must not be shown.
    pub fn digest(&self) -> String {
        digest(&self.access_token)
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

    /// Where requests carry it; `session` is where they carry that of a login.
    fn send(&self, session: Option<&SessionSend>) -> Result<SessionSend> {
        if self.token_type == Self::SESSION {
            return session.cloned().ok_or_else(|| {
                let what =
                    "the token file holds that of a login, and the definition does not say how it is sent";
                Error::new(ErrorKind::Definition, "sign in", what)
                    .hint("the way `session` that the extension logs in by belongs beside `token_file`")
            });
        }
        let kind = if self.is_bound() { "DPoP" } else { "Bearer" };
        Ok(in_authorization(kind))
    }
}

/// `Authorization`, with the type of a token before it.
fn in_authorization(kind: &str) -> SessionSend {
    SessionSend::Header(SessionHeader { name: "Authorization".to_owned(), prefix: format!("{kind} ") })
}

/// That of a token.
fn digest(token: &str) -> String {
    crate::hex(&Sha256::digest(token))
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
