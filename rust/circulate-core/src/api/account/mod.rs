//! One account of a source: its address, its name, and its secrets, out of what a user configured.

mod address;
mod found;

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use url::Url;

use crate::catalog::{Auth, Name, SessionSend, Setting, Source, Template, path_segment};
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::{Secret, StoredSecret};

use address::{address, value};
use found::FoundSettings;

/// One tenant of a source, ready for requests.
#[derive(Debug, Clone)]
pub struct Account {
    name: String,
    base_url: Url,
    auth: Auth,
    /// Where requests carry the token of a login, if they carry one.
    session_send: Option<SessionSend>,
    /// Settings that are not secret, as they were when the account was resolved.
    values: BTreeMap<Name, String>,
    origins: BTreeMap<Name, Origin>,
    secrets: BTreeSet<Name>,
    stored: Option<StoredSecret>,
}

/// Where the value of a setting comes from.
#[derive(Debug, Clone)]
enum Origin {
    Given(Secret),
    /// A field of the stored secret.
    Stored(String),
}

impl Account {
    /// Resolves the settings of `source` from `given` (by setting name), and what is not given there from the `stored`
    /// secret. The account is named `name`, or after the host of its address. No request is made.
    pub fn resolve(
        source: &Source,
        given: &BTreeMap<String, String>,
        stored: Option<StoredSecret>,
        name: Option<&str>,
    ) -> Result<Self> {
        refuse_unknown(source, given)?;
        let (mut values, mut origins, mut secrets) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        for (key, setting) in &source.settings {
            let Some((value, origin)) = find(key, setting, given, stored.as_ref()) else { continue };
            origins.insert(key.clone(), origin);
            if setting.secret {
                secrets.insert(key.clone());
            } else {
                values.insert(key.clone(), value);
            }
        }
        let found = FoundSettings { source, names: origins.keys().collect(), stored: stored.as_ref() };
        found.need(source.base_url.placeholders())?;
        let auth = found.way_to_sign_in()?.clone();
        for (key, setting) in &source.settings {
            let default = setting.default.as_ref().filter(|_| !values.contains_key(key));
            if let Some(default) = default.and_then(|default| default.fill(|name| value(&values, name)).ok())
            {
                values.insert(key.clone(), default);
            }
        }
        let base_url = address(&source.base_url, &values)?;
        let name = match name {
            Some(name) => checked_name(name)?,
            None => name_of(&base_url),
        };
        let session_send = source.session_send(&auth).cloned();
        let account = Self { name, base_url, auth, session_send, values, origins, secrets, stored };
        // All of them are hidden from now on, also those that no request needs.
        account.secrets().for_each(drop);
        Ok(account)
    }

    /// The name of an account of which nothing is requested: nothing is needed but what the name is made of.
    pub fn name_alone(
        source: &Source,
        given: &BTreeMap<String, String>,
        stored: Option<&StoredSecret>,
        name: Option<&str>,
    ) -> Result<String> {
        if let Some(name) = name {
            return checked_name(name);
        }
        refuse_unknown(source, given)?;
        let found: BTreeMap<_, _> = source
            .settings
            .iter()
            .filter_map(|(key, setting)| Some((key.clone(), find(key, setting, given, stored)?.0)))
            .collect();
        FoundSettings { source, names: found.keys().collect(), stored }
            .need(source.base_url.placeholders())?;
        let values = found.into_iter().filter(|(key, _)| !source.settings[key].secret).collect();
        Ok(name_of(&address(&source.base_url, &values)?))
    }

    /// The account's name, safe in an object key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The start of every URL, without a slash at its end.
    pub fn base_url(&self) -> &Url {
        &self.base_url
    }

    /// What distinguishes this account from others of its source: where every URL begins, written in one way. It holds no
    /// secret, since none goes into a URL.
    pub fn address(&self) -> String {
        let origin = self.base_url.origin().ascii_serialization();
        // A host is the same with the dot of the root behind it.
        let host = self.base_url.host_str().unwrap_or_default();
        let origin = origin.replacen(host, host.trim_end_matches('.'), 1);
        let path: Vec<_> = self.base_url.path().split('/').filter(|part| !part.is_empty()).collect();
        [&*origin].into_iter().chain(path).collect::<Vec<_>>().join("/")
    }

    /// Whether a URL is of the origin that requests for this account may go to.
    pub fn is_at_home(&self, url: &Url) -> bool {
        url.origin() == self.base_url.origin() && url.username().is_empty() && url.password().is_none()
    }

    /// The way in which it signs in.
    pub fn auth(&self) -> &Auth {
        &self.auth
    }

    /// Where requests carry the token of a login, whoever logs in; `None` for an account that signs in otherwise.
    pub fn session_send(&self) -> Option<&SessionSend> {
        self.session_send.as_ref()
    }

    /// The query parameters that signing in puts on each request.
    pub fn query_parameters(&self) -> &[String] {
        match self.session_send() {
            Some(send) => send.query_parameters(),
            None => self.auth.query_parameters(),
        }
    }

    /// The value of a setting that is not secret, as it was when the account was resolved.
    pub fn value(&self, name: &Name) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The same, of the setting that a template names.
    pub fn named(&self, name: &str) -> Option<&str> {
        value(&self.values, name)
    }

    /// The value of a setting as it is known now: a stored secret may have been read again.
    pub fn current(&self, name: &Name) -> Option<Secret> {
        let value = match self.origins.get(name)? {
            Origin::Given(value) => value.clone(),
            Origin::Stored(field) => self.stored.as_ref()?.field([field.as_str()])?.1,
        };
        let value = value.expose().trim();
        Some(if self.hides(name, value) { Secret::new(value) } else { Secret::not_secret(value) })
    }

    /// Whether the value of a setting must not be shown. A private key may be the path of a file.
    fn hides(&self, name: &Name, value: &str) -> bool {
        let is_path = self.auth.private_key() == Some(name)
            && !value.starts_with('{')
            && !value.starts_with("-----BEGIN");
        self.secrets.contains(name) && !is_path
    }

    /// Whether a setting is there.
    pub fn is_set(&self, name: &Name) -> bool {
        self.origins.contains_key(name)
    }

    /// The address where tokens are got. One that a setting says must be on the account's own origin: whoever gets our
    /// credentials is named by the definition, or is the API itself.
    pub fn token_url(&self, template: &Template) -> Result<Url> {
        let mut url = address(template, &self.values)?;
        // An address that ends in a slash, and a path that begins with one.
        while url.path().contains("//") {
            url.set_path(&url.path().replace("//", "/"));
        }
        if !template.fixes_origin() && url.origin() != self.base_url.origin() {
            return Err(Error::new(
                ErrorKind::Settings,
                "read settings",
                "the token URL is on another host than the API; credentials are not sent there",
            )
            .with("token URL", url.origin().ascii_serialization())
            .with("API", self.base_url.origin().ascii_serialization())
            .hint("correct the token URL, or leave it out"));
        }
        Ok(url)
    }

    /// The address of a request that logs in or out: a path below the base URL, whose values are one segment each, or an
    /// address as that of tokens is.
    pub fn login_url(&self, template: &Template) -> Result<Url> {
        if !template.to_string().starts_with('/') {
            return self.token_url(template);
        }
        let wrong = |name: &str, why: &str| {
            Error::new(ErrorKind::Settings, "read settings", format!("`{name}` {why}"))
        };
        let mut segments = BTreeMap::new();
        for name in template.placeholders() {
            let value = value(&self.values, name).ok_or_else(|| wrong(name, "is not set"))?;
            let segment =
                path_segment(value).ok_or_else(|| wrong(name, "is nothing that a path can hold"))?;
            segments.insert(name, segment);
        }
        let path = template.fill(|name| segments.get(name).map(String::as_str));
        Ok(self.url(&path.map_err(|name| wrong(&name, "is not set"))?, []))
    }

    /// The value of a secret setting, as it is known now.
    pub fn secret(&self, name: &Name) -> Result<Secret> {
        let unknown = |what| Error::new(ErrorKind::Definition, "read settings", format!("`{name}` {what}"));
        if !self.secrets.contains(name) {
            return Err(unknown("is not a secret setting"));
        }
        self.current(name).ok_or_else(|| unknown("is no longer in the stored secret"))
    }

    /// The name or ARN of the stored secret, if secrets of this account come from it.
    pub fn stored_in(&self) -> Option<&str> {
        let stored = |name: &Name| matches!(self.origins.get(name), Some(Origin::Stored(_)));
        self.stored.as_ref().filter(|_| self.secrets.iter().any(stored)).map(StoredSecret::id)
    }

    /// The stored secret that a setting comes from, and the field of it.
    pub fn stored_field(&self, name: &Name) -> Option<(&StoredSecret, &str)> {
        match (self.origins.get(name), &self.stored) {
            (Some(Origin::Stored(field)), Some(stored)) => Some((stored, field)),
            _ => None,
        }
    }

    /// What decides which records requests are shown, beside the definition: settings, and by whose rights they are read. Those
    /// are the scopes, if tokens are for some; else the credentials, of which 16 bits tell others apart and no secret is found.
    pub fn selects(&self, scopes: &BTreeSet<String>) -> serde_json::Value {
        let of_auth: BTreeSet<_> = self.auth.named().collect();
        let (sign_in, requests): (Vec<_>, Vec<_>) =
            self.values.iter().partition(|(name, _)| of_auth.contains(name));
        let by_scopes = matches!(self.auth, Auth::Oauth2(_) | Auth::TokenFile(_)) && !scopes.is_empty();
        if by_scopes {
            return serde_json::json!({"settings": requests, "scopes": scopes});
        }
        // The path of a key is another one on each machine.
        let sign_in: Vec<_> =
            sign_in.into_iter().filter(|(name, _)| self.auth.private_key() != Some(*name)).collect();
        let rotates = matches!(self.auth, Auth::Oauth2(_));
        let secrets = self.secrets().filter(|_| !rotates).map(|secret| {
            let digest = Sha256::digest(secret.expose());
            crate::hex(&digest[..2])
        });
        let secrets: Vec<_> = secrets.collect();
        serde_json::json!({"settings": requests, "principal": sign_in, "secrets": secrets})
    }

    /// All secrets as they are known now.
    pub fn secrets(&self) -> impl Iterator<Item = Secret> {
        self.secrets.iter().filter_map(|name| self.current(name))
    }

    /// Reads the stored secret again, if the setting comes from it.
    pub async fn read_again(&self, name: &Name) -> Result<()> {
        match (self.origins.get(name), &self.stored) {
            (Some(Origin::Stored(_)), Some(stored)) => stored.read_again().await,
            _ => Ok(()),
        }
    }

    /// Reads the stored secret again, if any of these settings comes from it.
    pub async fn read_any_again(&self, names: Vec<&Name>) -> Result<()> {
        match names.into_iter().find(|name| matches!(self.origins.get(name), Some(Origin::Stored(_)))) {
            Some(name) => self.read_again(name).await,
            None => Ok(()),
        }
    }

    /// The value of a template of settings that are not secret.
    pub fn filled(&self, template: &Template) -> Result<String> {
        template
            .fill(|name| value(&self.values, name))
            .map_err(|name| Error::new(ErrorKind::Settings, "read settings", format!("`{name}` is not set")))
    }

    /// `path` below the base URL with `query`.
    pub fn url<'q>(&self, path: &str, query: impl IntoIterator<Item = (&'q str, &'q str)>) -> Url {
        let mut url = self.base_url.clone();
        url.set_path(&format!("{}{path}", self.base_url.path().trim_end_matches('/')));
        let mut pairs = url.query_pairs_mut();
        for (name, value) in query {
            pairs.append_pair(name, value);
        }
        drop(pairs);
        if url.query() == Some("") {
            url.set_query(None);
        }
        url
    }
}

/// The value of a setting and where it comes from.
fn find(
    key: &Name,
    setting: &Setting,
    given: &BTreeMap<String, String>,
    stored: Option<&StoredSecret>,
) -> Option<(String, Origin)> {
    let filled = |value: &str| Some(value.trim().to_owned()).filter(|value| !value.is_empty());
    if let Some(value) = given.get(key.as_str()).and_then(|value| filled(value)) {
        return Some((value.clone(), Origin::Given(Secret::not_secret(value))));
    }
    let names = std::iter::once(key.as_str()).chain(setting.aliases.iter().map(String::as_str));
    let (field, secret) = stored?.field(names)?;
    Some((filled(secret.expose())?, Origin::Stored(field.to_owned())))
}

fn refuse_unknown(source: &Source, given: &BTreeMap<String, String>) -> Result<()> {
    let known: Vec<_> = source.settings.keys().map(Name::as_str).collect();
    match given.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(Error::new(
            ErrorKind::Settings,
            "read settings",
            format!("{} has no setting `{key}`", source.title),
        )
        .hint(format!("its settings: {}", known.join(", ")))),
    }
}

/// The host (and a port that is not the scheme's own) with `-` for what a key should not hold.
fn name_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let named = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}-{port}"));
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' };
    named.chars().map(safe).collect::<String>().trim_matches('-').to_owned()
}

fn checked_name(name: &str) -> Result<String> {
    let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if !name.is_empty() && name.len() <= 128 && name.bytes().all(safe) && !name.starts_with('.') {
        return Ok(name.to_owned());
    }
    Err(Error::new(ErrorKind::Settings, "read settings", format!("`{name}` can't name an account"))
        .hint("use letters, digits, `.`, `-` and `_`, at most 128, not starting with `.`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn resolve(org_url: &str) -> Result<Account> {
        let given = [("org_url", org_url), ("api_token", "t")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        Account::resolve(&testing::okta_users().source, &given.into(), None, None)
    }

    #[test]
    fn the_host_names_the_account() {
        assert_eq!(resolve("https://acme.okta.com/").unwrap().name(), "acme.okta.com");
        assert_eq!(resolve("acme.okta.com").unwrap().base_url().as_str(), "https://acme.okta.com/");
        assert_eq!(resolve("http://127.0.0.1:8080").unwrap().name(), "127.0.0.1-8080");
        assert_eq!(resolve("http://[::1]:8080").unwrap().name(), "1--8080");
    }

    #[test]
    fn an_address_is_written_in_one_way() {
        let address = |org_url: &str| resolve(org_url).unwrap().address();
        for same in [
            "https://acme.okta.com",
            "HTTPS://Acme.Okta.com:443/",
            " https://acme.okta.com// ",
            "acme.okta.com.",
        ] {
            assert_eq!(address(same), "https://acme.okta.com", "{same}");
        }
        assert_eq!(address("https://acme.com//tenant/a/"), "https://acme.com/tenant/a");
        for other in [
            "https://acme.com/Tenant/a",
            "https://acme.com:8443/tenant/a",
            "https://acme.com",
            "http://127.0.0.1:1",
            "http://127.0.0.1:2",
            "http://[::1]:1",
            "http://localhost:1",
        ] {
            assert_ne!(address(other), address("https://acme.com/tenant/a"));
        }
        assert_ne!(address("http://127.0.0.1:1"), address("http://127.0.0.1:2"));
    }

    #[test]
    fn urls_are_built_below_the_base() {
        let account = resolve("https://acme.okta.com/").unwrap();
        let url = account.url("/api/v1/users", [("filter", "a ge \"b\"")]);
        assert_eq!(url.as_str(), "https://acme.okta.com/api/v1/users?filter=a+ge+%22b%22");
        assert_eq!(account.url("/x", []).as_str(), "https://acme.okta.com/x");
    }

    #[test]
    fn addresses_that_would_leak_or_fail_are_refused() {
        for (address, part) in [
            ("http://acme.okta.com", "plain http"),
            ("ftp://acme.okta.com", "not https"),
            ("https://me:pw@acme.okta.com", "password"),
            ("https://acme.okta.com/?x=1", "`?`"),
            ("https://", "empty host"),
            (" ", "needs `org_url`"),
        ] {
            let error = resolve(address).unwrap_err();
            assert!(error.to_string().contains(part), "{address}: {error}");
            assert!(!error.to_string().contains("pw@"));
        }
    }

    #[test]
    fn unknown_settings_and_account_names_are_refused() {
        let source = testing::okta_users().source;
        let given = [("org_ulr".to_owned(), "x".to_owned())];
        let error = Account::resolve(&source, &given.into(), None, None).unwrap_err();
        assert!(error.hint_text().unwrap().contains("api_token, client_id"));
        assert!(checked_name("../x").is_err() && checked_name("acme-prod.1").is_ok());
    }
}
