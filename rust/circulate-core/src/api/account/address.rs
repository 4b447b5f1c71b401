//! Addresses out of settings: https, or http on loopback, and nothing in them that would be shown or sent astray.

use std::collections::BTreeMap;

use url::Url;

use crate::catalog::{Name, Template};
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::is_loopback;

/// The value of a setting by its name.
pub(super) fn value<'v>(values: &'v BTreeMap<Name, String>, name: &str) -> Option<&'v str> {
    values.iter().find(|(key, _)| key.as_str() == name).map(|(_, value)| value.as_str())
}

/// The address that `template` gives with these settings.
pub(super) fn address(template: &Template, values: &BTreeMap<Name, String>) -> Result<Url> {
    let wrong = |text: &str, why: &str| {
        Error::new(
            ErrorKind::Settings,
            "read settings",
            format!("`{text}` is not an address of an API: {why}"),
        )
    };
    let text = template
        .fill(|name| value(values, name))
        .map_err(|name| wrong(&template.to_string(), &format!("`{name}` is not set")))?;
    // A bare host is what people call their domain.
    let text = if text.contains("://") { text } else { format!("https://{text}") };
    // What follows an `@` or `?` may be private.
    let shown = if text.contains(['@', '?', '#']) { "(not shown)" } else { &text };
    let url = Url::parse(&text).map_err(|error| wrong(shown, &error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(shown, "it holds a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(shown, "it has a `?` or `#`").hint("give scheme and host only"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(wrong(&text, "plain http would show the credentials to the network")
            .hint("use https; http is for loopback addresses only")),
        _ => Err(wrong(&text, "its scheme is not https")),
    }
}
