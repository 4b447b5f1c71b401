//! What proves who a client is (RFC 6749, section 2.3; RFC 7523).

use http::HeaderValue;

use super::key::SigningKey;
use crate::api::auth::signer::basic_header;
use crate::catalog::SendSecret;
use crate::error::Result;
use crate::secrets::Secret;

/// What the settings of a client held when they were read: a key, a secret, or for a `jwt_bearer` grant both.
pub(super) struct Credential {
    pub(super) client_id: String,
    pub(super) key: Option<SigningKey>,
    /// What assertions are meant for, if the key says so.
    pub(super) audience: Option<String>,
    /// Whom a token is for unless the definition says it: the client itself, but for accounts of Google, which do not say it.
    pub(super) subject: Option<String>,
    pub(super) secret: Option<Secret>,
}

/// Id and secret in a header.
pub(super) fn client_header(client_id: &str, secret: &Secret, how: SendSecret) -> Result<HeaderValue> {
    let encoded = |text: &str| match how {
        SendSecret::BasicRaw => text.to_owned(),
        _ => url::form_urlencoded::byte_serialize(text.as_bytes()).collect(),
    };
    basic_header(&encoded(client_id), &encoded(secret.expose()))
}
