//! Names of operations: `source.endpoint.operation`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// `source.endpoint.operation`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OperationName {
    source: String,
    endpoint: String,
    operation: String,
}

impl OperationName {
    /// The source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The operation alone.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// `source.endpoint`.
    pub fn stream(&self) -> String {
        format!("{}.{}", self.source, self.endpoint)
    }

    /// Another operation of the source: `operation` of the same endpoint, or `endpoint.operation`.
    pub fn sibling(&self, named: &str) -> Self {
        let (endpoint, operation) = named.split_once('.').unwrap_or((&self.endpoint, named));
        Self { source: self.source.clone(), endpoint: endpoint.to_owned(), operation: operation.to_owned() }
    }
}

impl FromStr for OperationName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts: Vec<_> = text.split('.').collect();
        match parts.as_slice() {
            [source, endpoint, operation] if parts.iter().all(|part| !part.is_empty()) => Ok(Self {
                source: (*source).to_owned(),
                endpoint: (*endpoint).to_owned(),
                operation: (*operation).to_owned(),
            }),
            _ => {
                let error = Error::new(
                    ErrorKind::Definition,
                    "find operation",
                    format!("`{text}` names no operation"),
                );
                Err(error.hint("an operation is named `source.endpoint.operation`, such as `okta.users.get`"))
            }
        }
    }
}

impl TryFrom<String> for OperationName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<OperationName> for String {
    fn from(name: OperationName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for OperationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.source, self.endpoint, self.operation)
    }
}
