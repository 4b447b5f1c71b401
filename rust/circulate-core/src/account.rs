//! One account of a source: its address, its name, and its secrets, out of what a user configured.

use std::collections::BTreeMap;

use url::{Host, Url};

use crate::error::{Error, ErrorKind, Result};
use crate::secrets::Secret;
use crate::spec::{Name, Source};

/// One tenant of a source, ready to be asked.
#[derive(Debug, Clone)]
pub struct Account {
    name: String,
    base_url: Url,
    secrets: BTreeMap<Name, Secret>,
}

impl Account {
    /// Resolves the settings of `source` from `given` (by setting name). The account is named `name`, or after the
    /// host of its address. No request is made.
    pub fn resolve(source: &Source, given: &BTreeMap<String, String>, name: Option<&str>) -> Result<Self> {
        refuse_unknown(source, given)?;
        let mut secrets = BTreeMap::new();
        for (key, setting) in &source.settings {
            let Some(value) =
                given.get(key.as_str()).map(|value| value.trim()).filter(|value| !value.is_empty())
            else {
                return Err(Error::new(
                    ErrorKind::Settings,
                    "read settings",
                    format!("{} needs `{key}`: {}", source.title, setting.about),
                )
                .hint(how_to_set(source, key, setting.secret, &setting.env)));
            };
            if setting.secret {
                secrets.insert(key.clone(), Secret::new(value));
            }
        }
        let base_url = base_url(source, given)?;
        let name = match name {
            Some(name) => checked_name(name)?,
            None => name_of(&base_url),
        };
        Ok(Self { name, base_url, secrets })
    }

    /// The account's name, safe in an object key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The start of every URL, without a slash at its end.
    pub fn base_url(&self) -> &Url {
        &self.base_url
    }

    /// The value of a secret setting.
    pub fn secret(&self, name: &Name) -> Result<&Secret> {
        self.secrets.get(name).ok_or_else(|| {
            Error::new(ErrorKind::Definition, "read settings", format!("`{name}` is not a secret setting"))
        })
    }

    /// All secrets, for the redactor.
    pub fn secrets(&self) -> impl Iterator<Item = Secret> {
        self.secrets.values().cloned()
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

fn how_to_set(source: &Source, key: &Name, secret: bool, env: &str) -> String {
    let flag = if secret { String::new() } else { format!(", or `--set {key}=...`") };
    format!(
        "set the environment variable {env}, or `{key}` below [{}] in circulate.toml{flag}",
        source.source
    )
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

fn base_url(source: &Source, given: &BTreeMap<String, String>) -> Result<Url> {
    let wrong = |text: &str, why: &str| {
        Error::new(ErrorKind::Settings, "read settings", format!("`{text}` is not an address to ask: {why}"))
    };
    let text = source
        .base_url
        .fill(|name| given.get(name).map(|value| value.trim()))
        .map_err(|name| wrong(&source.base_url.to_string(), &format!("`{name}` is not set")))?;
    if !text.contains("://") {
        return Err(wrong(&text, "it has no scheme").hint(format!("did you mean `https://{text}`?")));
    }
    let url = Url::parse(&text).map_err(|error| wrong(&text, &error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("(not shown)", "it holds a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(&text, "it has a `?` or `#`").hint("give scheme and host only"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(wrong(&text, "plain http would show the credentials to the network")
            .hint("use https; http is for loopback addresses only")),
        _ => Err(wrong(&text, "its scheme is not https")),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
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
        Account::resolve(&testing::okta_users().source, &given.into(), None)
    }

    #[test]
    fn the_host_names_the_account() {
        assert_eq!(resolve("https://acme.okta.com/").unwrap().name(), "acme.okta.com");
        assert_eq!(resolve("http://127.0.0.1:8080").unwrap().name(), "127.0.0.1-8080");
        assert_eq!(resolve("http://[::1]:8080").unwrap().name(), "1--8080");
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
            ("acme.okta.com", "no scheme"),
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
        let error = Account::resolve(&source, &given.into(), None).unwrap_err();
        assert!(error.hint_text().unwrap().contains("api_token, org_url"));
        assert!(checked_name("../x").is_err() && checked_name("acme-prod.1").is_ok());
    }
}
