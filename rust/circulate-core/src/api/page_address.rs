//! Where a page is: what its request has beside what all requests of its list have.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::error::{Error, ErrorKind, Result};

/// Where a page is. State keeps it as the page's URL; or as JSON, where more than the URL distinguishes the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageAddress {
    /// Its absolute URL. One that the API sent is kept as it is.
    pub url: Url,
    /// Headers that requests for other pages do not have, or have with other values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// As much of the body, by JSON Pointer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub body: BTreeMap<String, Value>,
    /// The body is nothing but that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
    /// What was read of the list before it, where that decides whether it is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<ReadSoFar>,
}

/// What was read of a list whose requests count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSoFar {
    /// Records.
    pub records: u64,
    /// Digests of the last ones of the page before, the newest last: what is found again shows whether the list has moved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tail: Vec<u64>,
    /// The page begins with the last record of the one before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overlaps: bool,
    /// How many records the list has, by its first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// The value of the last record that the list begins behind, if it started over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<String>,
    /// Pages without a new record, in a row.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub empty_pages: u32,
    /// How it was found that the list has moved while it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl From<Url> for PageAddress {
    fn from(url: Url) -> Self {
        Self { url, headers: BTreeMap::new(), body: BTreeMap::new(), alone: false, read: None }
    }
}

impl PageAddress {
    /// The text that state keeps.
    pub fn stored(&self) -> String {
        if *self == Self::from(self.url.clone()) {
            return self.url.as_str().to_owned();
        }
        serde_json::to_string(self).unwrap_or_else(|_| self.url.as_str().to_owned())
    }

    /// The address out of the text that state keeps.
    pub fn from_stored(text: &str) -> Result<Self> {
        let wrong = |error: String| {
            let what = "the stored page address is neither a URL nor the JSON of one";
            Error::new(ErrorKind::State, "read checkpoint", what).with("found", error)
        };
        if text.starts_with('{') {
            return serde_json::from_str(text).map_err(|error| wrong(error.to_string()));
        }
        Url::parse(text).map(Self::from).map_err(|error| wrong(error.to_string()))
    }

    /// What distinguishes the page from others of its list.
    pub fn key(&self) -> String {
        Self { read: None, ..self.clone() }.stored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_a_url_is_kept_as_that_url() {
        let url = "https://acme.example/items?after=%2B1&x=a%20b";
        let address = PageAddress::from_stored(url).unwrap();
        assert_eq!(address.stored(), url);
    }

    #[test]
    fn an_address_with_more_than_a_url_is_read_back() {
        let mut address = PageAddress::from(Url::parse("https://acme.example/items").unwrap());
        address.body.insert("/cursor".to_owned(), Value::from("a\"b"));
        address.headers.insert("X-Cursor".to_owned(), "1".to_owned());
        address.read = Some(ReadSoFar { records: 7, ..ReadSoFar::default() });
        assert_eq!(PageAddress::from_stored(&address.stored()).unwrap(), address);
        assert!(!address.key().contains("records"), "what was read before does not make it another page");
    }

    #[test]
    fn what_is_no_address_is_an_error_of_state() {
        for text in ["", "items", "{", r#"{"url": 7}"#] {
            assert_eq!(PageAddress::from_stored(text).unwrap_err().kind(), ErrorKind::State, "{text}");
        }
    }
}
