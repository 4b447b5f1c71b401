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

use super::jws::{backdated, signed};
use super::key::SigningKey;
use super::random::unique;
use crate::api::account::Account;
use crate::api::http::Request;
use crate::catalog::{Name, OAuth2, SendSecret};
use crate::clock::later;
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::Secret;

/// How long an assertion may be used. Okta takes at most an hour.
const ASSERTION_LIFETIME: Duration = Duration::from_mins(5);
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What proves who the client is.
pub(super) enum Credential {
    Key(SigningKey),
    Secret(Secret, SendSecret),
}

/// The settings a client is known by, each read when it is needed: a stored secret may have been rotated, a file replaced.
#[derive(Debug, Clone)]
pub(super) struct ClientSettings {
    account: Account,
    client_id: Name,
    /// The key, or the secret.
    proof: Name,
    by_key: bool,
    key_id: Option<Name>,
    send_secret: SendSecret,
}

impl ClientSettings {
    /// Those that `account` has.
    pub(super) fn of(account: &Account, spec: &OAuth2) -> Result<Self> {
        let key = spec.private_key.clone().filter(|name| account.is_set(name));
        let by_key = key.is_some();
        Ok(Self {
            account: account.clone(),
            client_id: spec.client_id.clone(),
            proof: key.or_else(|| spec.client_secret.clone()).ok_or_else(not_configured)?,
            by_key,
            key_id: spec.key_id.clone(),
            send_secret: spec.send_secret,
        })
    }

    /// The client's id.
    pub(super) fn client_id(&self) -> Result<String> {
        let id = self.account.current(&self.client_id).ok_or_else(not_configured)?;
        Ok(id.expose().to_owned())
    }

    /// What proves who the client is.
    pub(super) fn credential(&self) -> Result<Credential> {
        if !self.by_key {
            return Ok(Credential::Secret(self.account.secret(&self.proof)?, self.send_secret));
        }
        let (text, id) = (self.proof_text()?, self.key_id());
        let id = id.as_ref().map(Secret::expose);
        let key = SigningKey::read(text.expose(), id).map_err(|why| self.unusable(&why))?;
        Ok(Credential::Key(key))
    }

    /// A digest that differs between clients and credentials.
    pub(super) fn digest(&self) -> Result<String> {
        let key_id = self.key_id().map_or_else(String::new, |id| id.expose().to_owned());
        let all = [self.client_id()?, key_id, self.proof_text()?.expose().to_owned()];
        Ok(crate::hex(&Sha256::digest(all.join("\0"))))
    }

    /// Reads what comes from a stored secret again.
    pub(super) async fn read_again(&self) -> Result<()> {
        self.account.read_again(&self.proof).await
    }

    fn key_id(&self) -> Option<Secret> {
        self.key_id.as_ref().and_then(|name| self.account.current(name))
    }

    /// The secret; of a key what the setting holds, or the file it names.
    fn proof_text(&self) -> Result<Secret> {
        let setting = self.account.secret(&self.proof)?;
        let text = setting.expose().trim_start();
        if !self.by_key || text.starts_with('{') || text.starts_with("-----BEGIN") {
            return Ok(setting);
        }
        std::fs::read_to_string(text).map(Secret::new).map_err(|_| {
            self.unusable("it is neither a JWK, nor PEM text, nor the path of a file that can be read")
        })
    }

    fn unusable(&self, why: &str) -> Error {
        let message = format!("the private key in `{}` can't be used: {why}", self.proof);
        Error::new(ErrorKind::Settings, "read settings", message)
    }
}

fn not_configured() -> Error {
    Error::new(ErrorKind::Settings, "read settings", "the OAuth client is no longer configured")
}

impl Credential {
    /// Whether it signs something that says when.
    pub(super) fn is_key(&self) -> bool {
        matches!(self, Self::Key(_))
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

/// A note that says who sends the request, signed (RFC 7523, section 3).
fn assertion(key: &SigningKey, client_id: &str, url: &Url, now: Timestamp) -> Result<String> {
    let mut header = json!({"typ": "JWT", "alg": key.algorithm()});
    if let Some(id) = key.id() {
        header["kid"] = id.into();
    }
    let claims = json!({
        "iss": client_id,
        "sub": client_id,
        "aud": url.as_str(),
        "iat": backdated(now),
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
        .map_err(|_| Error::new(ErrorKind::Auth, "sign in", "the client's secret makes no valid header"))?;
    value.set_sensitive(true);
    Ok(value)
}
