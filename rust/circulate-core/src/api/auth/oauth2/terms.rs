//! What a definition says of requests of tokens: for what they are granted, with which parameters, and how these are sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use url::Url;

use super::assertion::{Claims, assertion};
use super::credential::{Credential, client_header};
use super::key::SigningKey;
use crate::api::account::Account;
use crate::api::http::Request;
use crate::catalog::{GrantType, OAuth2, SendSecret};
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::Secret;

/// How long an assertion of who the client is may be used. Okta takes at most an hour.
const CLIENT_ASSERTION: Duration = Duration::from_mins(5);
/// How long one by which a token is granted may be used. Box takes at most a minute, Salesforce three.
const GRANT_ASSERTION: Duration = Duration::from_secs(45);
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What all requests of tokens for a set of scopes have in common, but for the credential.
#[derive(Debug, Clone)]
pub(super) struct TokenTerms {
    pub(super) grant: GrantType,
    send_secret: SendSecret,
    /// Separated by spaces.
    pub(super) scope: String,
    params: BTreeMap<String, String>,
    subject: Option<String>,
    audience: Option<String>,
    claims: Map<String, Value>,
}

impl TokenTerms {
    /// Those of `spec` for these scopes, with what the settings of `account` say.
    pub(super) fn of(account: &Account, spec: &OAuth2, scopes: &BTreeSet<String>) -> Result<Self> {
        let value = |name: &str| account.named(name);
        let unset = |what: String| Error::new(ErrorKind::Settings, "read settings", what);
        let filled = |template: &crate::catalog::Template| {
            template
                .fill(value)
                .map_err(|name| unset(format!("`{name}` is not set, which a token is requested with")))
        };
        let params = spec.params.iter().map(|(name, value)| Ok((name.clone(), filled(value)?)));
        let params: BTreeMap<_, _> = params.collect::<Result<_>>()?;
        let claims = spec.claims.iter().map(|(name, claim)| {
            Ok((name.clone(), claim.fill(&value).map_err(|why| unset(format!("the claim `{name}`: {why}")))?))
        });
        let named = scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        Ok(Self {
            grant: spec.grant,
            send_secret: spec.send_secret,
            scope: if named.is_empty() { params.get("scope").cloned().unwrap_or_default() } else { named },
            params,
            subject: spec.subject.as_ref().and_then(|name| account.value(name)).map(str::to_owned),
            audience: spec.audience.as_ref().map(filled).transpose()?,
            claims: claims.collect::<Result<_>>()?,
        })
    }

    /// A digest that differs between requests whose tokens are good for different things, scopes apart.
    pub(super) fn digest(&self) -> String {
        let (params, claims) = (&self.params, &self.claims);
        let said = format!("{:?} {params:?} {claims:?} {:?} {:?}", self.grant, self.subject, self.audience);
        crate::hex(&Sha256::digest(said))
    }

    /// A request of a token with this credential. A fresh one for each attempt: an assertion may be used once.
    pub(super) fn request(
        &self,
        credential: &Credential,
        refresh_token: Option<&Secret>,
        url: &Url,
        now: Timestamp,
    ) -> Result<Request> {
        let mut fields = vec![("grant_type", self.grant_type().to_owned())];
        fields.extend(refresh_token.map(|token| ("refresh_token", token.expose().to_owned())));
        if !self.scope.is_empty() {
            fields.push(("scope", self.scope.clone()));
        }
        match (self.grant, &credential.key) {
            (GrantType::ClientCredentials | GrantType::RefreshToken, Some(key)) => {
                fields.push(("client_assertion_type", ASSERTION_TYPE.to_owned()));
                fields.push(("client_assertion", self.client_assertion(key, credential, url, now)?));
            }
            (GrantType::JwtBearer, Some(key)) => {
                fields.push(("assertion", self.grant_assertion(key, credential, url, now)?));
            }
            (_, None) if credential.secret.is_none() => {
                fields.push(("client_id", credential.client_id.clone()));
            }
            (_, None) => {}
        }
        let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        match (&credential.secret, self.send_secret) {
            (None, _) => {}
            (Some(secret), SendSecret::Body | SendSecret::Json) => {
                fields.push(("client_id", credential.client_id.clone()));
                fields.push(("client_secret", secret.expose().to_owned()));
            }
            (Some(secret), how) => {
                headers.insert(AUTHORIZATION, client_header(&credential.client_id, secret, how)?);
            }
        }
        for (name, value) in &self.params {
            if !fields.iter().any(|(field, _)| field == name) {
                fields.push((name, value.clone()));
            }
        }
        let (kind, body) = self.body(&fields);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        Ok(Request { method: Method::POST, url: url.clone(), headers, body: body.into() })
    }

    fn grant_type(&self) -> &str {
        let own = match self.grant {
            GrantType::ClientCredentials => "client_credentials",
            GrantType::JwtBearer => JWT_BEARER,
            GrantType::RefreshToken => "refresh_token",
        };
        self.params.get("grant_type").map_or(own, String::as_str)
    }

    /// Who the client is.
    fn client_assertion(
        &self,
        key: &SigningKey,
        credential: &Credential,
        url: &Url,
        now: Timestamp,
    ) -> Result<String> {
        let claims = Claims {
            issuer: &credential.client_id,
            subject: Some(&credential.client_id),
            audience: self.audience(credential, url),
            more: Map::new(),
            lifetime: CLIENT_ASSERTION,
        };
        assertion(key, claims, now)
    }

    /// Whom the token is for. Google reads the scope here, others as a parameter.
    fn grant_assertion(
        &self,
        key: &SigningKey,
        credential: &Credential,
        url: &Url,
        now: Timestamp,
    ) -> Result<String> {
        let mut more = self.claims.clone();
        if !self.scope.is_empty() {
            more.insert("scope".to_owned(), self.scope.as_str().into());
        }
        let claims = Claims {
            issuer: &credential.client_id,
            subject: self.subject.as_deref().or(credential.subject.as_deref()),
            audience: self.audience(credential, url),
            more,
            lifetime: GRANT_ASSERTION,
        };
        assertion(key, claims, now)
    }

    fn audience<'a>(&'a self, credential: &'a Credential, url: &'a Url) -> &'a str {
        self.audience.as_deref().or(credential.audience.as_deref()).unwrap_or(url.as_str())
    }

    /// The parameters as they are sent, and what that is.
    fn body(&self, fields: &[(&str, String)]) -> (&'static str, String) {
        if self.send_secret == SendSecret::Json {
            let members: Map<_, _> =
                fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
            return ("application/json", Value::from(members).to_string());
        }
        let pairs = fields.iter().map(|(name, value)| (*name, value.as_str()));
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        ("application/x-www-form-urlencoded", form)
    }
}
