//! Texts for people without what must stay private: secrets, and what URLs carry in their query.

use std::sync::{PoisonError, RwLock};

use url::Url;

use crate::secrets::Secret;

/// Hides the secrets it was told of, wherever they turn up.
#[derive(Debug, Default)]
pub struct Redactor {
    secrets: RwLock<Vec<Secret>>,
}

/// Query parameters whose values say what was asked for and nothing about anyone.
const PLAIN_PARAMETERS: [&str; 6] = ["limit", "filter", "since", "until", "sortOrder", "type"];

impl Redactor {
    /// Hides `secrets`. Empty ones are ignored.
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let redactor = Self::default();
        redactor.hide(secrets);
        redactor
    }

    /// Hides these too.
    pub fn hide(&self, secrets: impl IntoIterator<Item = Secret>) {
        for secret in secrets.into_iter().filter(|secret| !secret.expose().is_empty()) {
            let known = self.secrets.read().unwrap_or_else(PoisonError::into_inner).contains(&secret);
            if !known {
                let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
                secrets.push(secret);
                // One may be a part of another.
                secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
            }
        }
    }

    /// `text` with every secret replaced by `***`.
    pub fn text(&self, text: &str) -> String {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose(), "***"))
    }

    /// The URL without user info and fragment, and with `***` for the values of unknown query parameters.
    pub fn url(&self, url: &Url) -> String {
        let mut shown = format!("{}{}", url.origin().ascii_serialization(), url.path());
        let pairs: Vec<_> =
            url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).collect();
        for (index, pair) in pairs.iter().enumerate() {
            let name = pair.split('=').next().unwrap_or_default();
            shown.push(if index == 0 { '?' } else { '&' });
            if PLAIN_PARAMETERS.contains(&name) {
                shown.push_str(pair);
            } else {
                shown.push_str(name);
                shown.push_str("=***");
            }
        }
        self.text(&shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_keep_what_was_asked_and_lose_the_rest() {
        let url =
            Url::parse("https://me:pw@acme.okta.com/api/v1/users?after=00u1&limit=2&token=abc#x").unwrap();
        assert_eq!(
            Redactor::default().url(&url),
            "https://acme.okta.com/api/v1/users?after=***&limit=2&token=***"
        );
    }

    #[test]
    fn secrets_are_hidden_wherever_they_turn_up() {
        let redactor = Redactor::new([Secret::new("s3cret"), Secret::new("")]);
        assert_eq!(redactor.text("token s3cret is not s3cret"), "token *** is not ***");
    }
}
