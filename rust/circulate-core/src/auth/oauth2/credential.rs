//! How a client proves who it is (RFC 6749, section 2.3; RFC 7523): by exactly one of a key and a secret.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};
use url::Url;

use super::jws::{signed, unique};
use super::key::SigningKey;
use crate::account::Account;
use crate::clock::later;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Request;
use crate::secrets::Secret;
use crate::spec::{Name, OAuth2, SendSecret};

/// How long an assertion may be used. Okta takes at most an hour.
const ASSERTION_LIFETIME: Duration = Duration::from_mins(5);
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What proves who the client is.
pub(super) enum Credential {
    Key(SigningKey),
    Secret(Secret, SendSecret),
}

/// The settings a credential comes from.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) client_id: String,
    /// Of the key, or of the secret.
    pub(super) proof: Name,
    by_key: bool,
    key_id: Option<String>,
    send_secret: SendSecret,
}

impl Settings {
    /// Those that `account` has.
    pub(super) fn of(account: &Account, spec: &OAuth2) -> Result<Self> {
        let missing =
            || Error::new(ErrorKind::Settings, "read settings", "the OAuth client is not configured");
        let key = spec.private_key.clone().filter(|name| account.is_set(name));
        let by_key = key.is_some();
        Ok(Self {
            client_id: account.value(&spec.client_id).ok_or_else(missing)?.to_owned(),
            proof: key.or_else(|| spec.client_secret.clone()).ok_or_else(missing)?,
            by_key,
            key_id: spec.key_id.as_ref().and_then(|name| account.value(name)).map(str::to_owned),
            send_secret: spec.send_secret,
        })
    }

    /// The credential as it is now: a stored secret may have been rotated, a file replaced.
    pub(super) fn credential(&self, account: &Account) -> Result<Credential> {
        let secret = account.secret(&self.proof)?;
        if !self.by_key {
            return Ok(Credential::Secret(secret, self.send_secret));
        }
        let text = key_text(&secret).ok_or_else(|| {
            self.unusable("it is neither a JWK, nor PEM text, nor the path of a file that can be read")
        })?;
        let key =
            SigningKey::read(text.expose(), self.key_id.as_deref()).map_err(|why| self.unusable(&why))?;
        Ok(Credential::Key(key))
    }

    fn unusable(&self, why: &str) -> Error {
        let message = format!("the private key in `{}` can't be used: {why}", self.proof);
        Error::new(ErrorKind::Settings, "read settings", message)
    }
}

/// What a private key's setting holds, or the file it names.
fn key_text(setting: &Secret) -> Option<Secret> {
    let text = setting.expose().trim_start();
    if text.starts_with('{') || text.starts_with("-----BEGIN") {
        return Some(setting.clone());
    }
    std::fs::read_to_string(text).ok().map(Secret::new)
}

impl Credential {
    /// A digest that tells one from another.
    pub(super) fn digest(account: &Account, settings: &Settings) -> Result<String> {
        account.secret(&settings.proof).map(|secret| crate::hex(&Sha256::digest(secret.expose())))
    }

    /// A request of an access token for `scope`, with this credential. A fresh one for each attempt: an assertion may be used
    /// once.
    pub(super) fn request(&self, client_id: &str, url: &Url, scope: &str, now: Timestamp) -> Result<Request> {
        let mut form = vec![("grant_type", "client_credentials".to_owned())];
        if !scope.is_empty() {
            form.push(("scope", scope.to_owned()));
        }
        let mut basic = None;
        match self {
            Self::Key(key) => {
                form.push(("client_assertion_type", ASSERTION_TYPE.to_owned()));
                form.push(("client_assertion", assertion(key, client_id, url, now)?));
            }
            Self::Secret(secret, SendSecret::Body) => {
                form.push(("client_id", client_id.to_owned()));
                form.push(("client_secret", secret.expose().to_owned()));
            }
            Self::Secret(secret, how) => basic = Some(basic_header(client_id, secret, *how)?),
        }
        let form = form.iter().map(|(name, value)| (*name, value.as_str()));
        let mut request = Request::post_form(url.clone(), form);
        request.headers.insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(basic) = basic {
            request.headers.insert(AUTHORIZATION, basic);
        }
        Ok(request)
    }
}

/// A note that says who asks, signed (RFC 7523, section 3).
fn assertion(key: &SigningKey, client_id: &str, url: &Url, now: Timestamp) -> Result<String> {
    let mut header = json!({"typ": "JWT", "alg": key.algorithm()});
    if let Some(id) = key.id() {
        header["kid"] = id.into();
    }
    let claims = json!({
        "iss": client_id,
        "sub": client_id,
        "aud": url.as_str(),
        "iat": now.as_second(),
        "exp": later(now, ASSERTION_LIFETIME).as_second(),
        "jti": unique()?,
    });
    signed(key, &header, &claims)
}

fn basic_header(client_id: &str, secret: &Secret, how: SendSecret) -> Result<HeaderValue> {
    let encoded = |text: &str| match how {
        SendSecret::BasicRaw => text.to_owned(),
        _ => url::form_urlencoded::byte_serialize(text.as_bytes()).collect(),
    };
    let pair = format!("{}:{}", encoded(client_id), encoded(secret.expose()));
    let mut value: HeaderValue = format!("Basic {}", STANDARD.encode(pair))
        .parse()
        .map_err(|_| Error::new(ErrorKind::Auth, "sign in", "the client's secret is no header"))?;
    value.set_sensitive(true);
    Ok(value)
}
