//! The requests of a login, made of what settings hold at that time: a stored secret may have been rotated.

use std::collections::BTreeMap;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::api::account::Account;
use crate::api::auth::oauth2::jws::{backdated, signed};
use crate::api::auth::oauth2::key::SigningKey;
use crate::api::auth::signer::{Signer, value_of};
use crate::api::http::{Request, add_parameter};
use crate::catalog::{BodySpec, LoginJwt, LoginMethod, LoginRequest, Name, SessionAuth, Template};
use crate::clock::later;
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::Secret;

/// The placeholder of the first token in the second request.
const TOKEN: &str = "token";

/// The settings that a login is made of.
#[derive(Debug, Clone)]
pub(super) struct LoginSettings {
    account: Account,
    /// Those in templates.
    names: Vec<Name>,
    /// All of them.
    all: Vec<Name>,
    says_when: bool,
}

impl LoginSettings {
    pub(super) fn new(account: &Account, spec: &SessionAuth) -> Self {
        let names: Vec<_> =
            spec.placeholders().into_iter().filter_map(|name| Name::try_from(name.to_owned()).ok()).collect();
        let requests = || std::iter::once(&spec.login).chain(&spec.exchange);
        let of_basic = requests().filter_map(|request| request.basic.as_ref()).flat_map(Signer::settings);
        let of_jwt = requests().filter_map(|request| request.jwt.as_ref());
        let of_jwt = of_jwt.flat_map(|jwt| [&jwt.issuer, &jwt.private_key]);
        let all = names.iter().chain(of_basic).chain(of_jwt).cloned().collect();
        let says_when = requests().any(|request| request.jwt.is_some());
        Self { account: account.clone(), names, all, says_when }
    }

    /// Whether a request says when it was made.
    pub(super) fn says_when(&self) -> bool {
        self.says_when
    }

    /// A digest that differs between credentials.
    pub(super) fn digest(&self) -> Result<String> {
        let values = self.all.iter().map(|name| self.text(name));
        Ok(crate::hex(&Sha256::digest(values.collect::<Result<Vec<_>>>()?.join("\0"))))
    }

    /// Reads what comes from a stored secret again.
    pub(super) async fn read_again(&self) -> Result<()> {
        self.account.read_any_again(self.all.iter().collect()).await
    }

    /// Where a request goes.
    pub(super) fn address(&self, path: &Template) -> Result<Url> {
        self.account.login_url(path)
    }

    /// A request of a login; `token` is that of the first one, in the second.
    pub(super) fn request(
        &self,
        spec: &LoginRequest,
        token: Option<&Secret>,
        now: Timestamp,
    ) -> Result<Request> {
        let mut values = BTreeMap::new();
        for name in &self.names {
            values.insert(name.as_str(), self.text(name)?);
        }
        if let Some(token) = token {
            values.insert(TOKEN, token.expose().to_owned());
        }
        let value = |name: &str| values.get(name).map(String::as_str);
        let filled = |template: &Template| template.fill(value).map_err(|name| unset(&name));
        let mut request = Request::get(self.address(&spec.path)?);
        request.method = method(spec.method, Method::POST);
        for (name, template) in &spec.query {
            add_parameter(&mut request.url, name, &filled(template)?);
        }
        request.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, template) in &spec.headers {
            insert(&mut request.headers, name, &filled(template)?)?;
        }
        if let Some(body) = &spec.body {
            let (kind, body) = encoded(body, &value)?;
            request.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
            request.body = body.into();
        }
        if let Some(basic) = &spec.basic {
            basic.sign(&self.account, &mut request, now)?;
        }
        if let Some(jwt) = &spec.jwt {
            let note = format!("Bearer {}", self.note(jwt, now)?);
            insert(&mut request.headers, AUTHORIZATION.as_str(), &note)?;
        }
        Ok(request)
    }

    /// A note that says who logs in, signed.
    fn note(&self, jwt: &LoginJwt, now: Timestamp) -> Result<String> {
        let key = self.key(&jwt.private_key)?;
        let mut header = json!({"typ": "JWT", "alg": key.algorithm()});
        if let Some(id) = key.id() {
            header["kid"] = id.into();
        }
        let lifetime: Duration = jwt.lifetime.get();
        let claims = json!({
            "iss": self.text(&jwt.issuer)?,
            "iat": backdated(now),
            "exp": later(now, lifetime).as_second(),
        });
        signed(&key, &header, &claims)
    }

    /// The private key that a setting holds, or the file that it names.
    fn key(&self, name: &Name) -> Result<SigningKey> {
        let unusable = |why: &str| {
            let message = format!("the private key in `{name}` can't be used: {why}");
            Error::new(ErrorKind::Settings, "read settings", message)
        };
        let setting = value_of(&self.account, name)?;
        let text = setting.expose().trim_start();
        if text.starts_with('{') || text.starts_with("-----BEGIN") {
            return SigningKey::read(text, None).map_err(|why| unusable(&why));
        }
        let file = std::fs::read_to_string(text).map(Secret::new);
        let why = "it is neither a JWK, nor PEM text, nor the path of a file that can be read";
        let file = file.map_err(|_| unusable(why))?;
        SigningKey::read(file.expose(), None).map_err(|why| unusable(&why))
    }

    /// What a setting holds now, or its default.
    fn text(&self, name: &Name) -> Result<String> {
        if let Some(value) = self.account.current(name) {
            return Ok(value.expose().to_owned());
        }
        self.account.value(name).map(str::to_owned).ok_or_else(|| unset(name.as_str()))
    }
}

/// The method of a request.
pub(super) fn method(given: Option<LoginMethod>, otherwise: Method) -> Method {
    match given {
        None => otherwise,
        Some(LoginMethod::Get) => Method::GET,
        Some(LoginMethod::Post) => Method::POST,
        Some(LoginMethod::Put) => Method::PUT,
        Some(LoginMethod::Delete) => Method::DELETE,
    }
}

/// The type of a body, and its bytes.
fn encoded<'v>(body: &BodySpec, value: &impl Fn(&str) -> Option<&'v str>) -> Result<(&'static str, String)> {
    // What it is instead may be a secret.
    let wrong = |_| {
        let what = "a setting holds something else than the number that the body of the login takes";
        Error::new(ErrorKind::Settings, "prepare login", what)
    };
    match body {
        BodySpec::Json(document) => {
            Ok(("application/json", document.fill(value).map_err(wrong)?.to_string()))
        }
        BodySpec::Graphql(graphql) => {
            let variables = graphql.variables.fill(value).map_err(wrong)?;
            let document: Value = json!({"query": graphql.query, "variables": variables});
            Ok(("application/json", document.to_string()))
        }
        BodySpec::Form(fields) => {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            for (name, template) in fields {
                form.append_pair(name, &template.fill(value).map_err(|name| unset(&name))?);
            }
            Ok(("application/x-www-form-urlencoded", form.finish()))
        }
    }
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) -> Result<()> {
    let wrong = || {
        let what = format!("the header `{name}` of the login has characters that no header can hold");
        Error::new(ErrorKind::Settings, "prepare login", what)
    };
    let name: HeaderName = name.parse().map_err(|_| wrong())?;
    let mut value: HeaderValue = value.parse().map_err(|_| wrong())?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

fn unset(name: &str) -> Error {
    Error::new(ErrorKind::Settings, "prepare login", format!("`{name}` is not set"))
}
