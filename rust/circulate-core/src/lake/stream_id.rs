//! What a cursor, a lease and a folder of the lake belong to.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::error::{Error, ErrorKind, Result};

/// A stream of one account of a source. Its partitions are pulled by the same runs, so they have no ids of their own.
///
/// As text, in state and in reports, it is `source#account#endpoint`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    source: String,
    account: String,
    endpoint: String,
}

impl StreamId {
    /// The stream of `endpoint` in `account` of `source`.
    pub fn new(source: &str, account: &str, endpoint: &str) -> Self {
        Self { source: source.to_owned(), account: account.to_owned(), endpoint: endpoint.to_owned() }
    }

    /// The source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The account, one tenant of the source.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Its name in a catalog: `source.endpoint`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.source, self.endpoint)
    }

    /// What the texts of all streams of an account begin with.
    pub fn prefix_of_account(source: &str, account: &str) -> String {
        format!("{source}#{account}#")
    }

    /// Its folder in a lake: `source/account/endpoint`.
    pub fn folder(&self) -> String {
        format!("{}/{}/{}", self.source, self.account, self.endpoint)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}#{}", self.source, self.account, self.endpoint)
    }
}

impl FromStr for StreamId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match *text.split('#').collect::<Vec<_>>() {
            [source, account, endpoint] if ![source, account, endpoint].contains(&"") => {
                Ok(Self::new(source, account, endpoint))
            }
            _ => Err(Error::new(
                ErrorKind::State,
                "read state",
                format!("invalid stream `{text}`: it is not written as source#account#endpoint"),
            )),
        }
    }
}

impl Serialize for StreamId {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_and_its_folder_are_as_state_and_lakes_have_them() {
        let stream = StreamId::new("okta", "acme.okta.com", "users");
        assert_eq!(stream.to_string(), "okta#acme.okta.com#users");
        assert_eq!(serde_json::to_value(&stream).unwrap(), "okta#acme.okta.com#users");
        assert_eq!(stream.name(), "okta.users");
        assert_eq!(stream.folder(), "okta/acme.okta.com/users");
        assert!(stream.to_string().starts_with(&StreamId::prefix_of_account("okta", "acme.okta.com")));
        assert!(!stream.to_string().starts_with(&StreamId::prefix_of_account("okta", "acme")));
    }

    #[test]
    fn its_text_is_read_back_and_nothing_else_is() {
        let stream = StreamId::new("okta", "acme", "users");
        assert_eq!(stream.to_string().parse::<StreamId>().unwrap(), stream);
        for text in ["", "okta", "okta#acme", "okta##users", "#acme#users", "okta#acme#", "okta#acme#users#x"]
        {
            let error = text.parse::<StreamId>().unwrap_err();
            assert!(error.to_string().contains(&format!("invalid stream `{text}`")), "{error}");
        }
    }
}
