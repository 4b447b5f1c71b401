//! Fixed headers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::part::AuthPart;
use crate::catalog::types::Name;

/// A fixed header with a secret in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderAuth {
    /// Header name.
    pub name: String,
    /// Text before the secret, with its space: `"SSWS "`.
    #[serde(default)]
    pub prefix: String,
    /// The setting that holds the secret.
    pub secret: Name,
}

impl HeaderAuth {
    /// `Authorization: Bearer`, as RFC 6750 has it.
    pub fn bearer(secret: &Name) -> Self {
        Self { name: "Authorization".to_owned(), prefix: "Bearer ".to_owned(), secret: secret.clone() }
    }

    pub(super) fn parts(&self) -> Vec<AuthPart<'_>> {
        vec![AuthPart::secret("header.secret", &self.secret)]
    }

    pub(super) fn parts_of_all(headers: &[Self]) -> Vec<AuthPart<'_>> {
        let numbered = headers.iter().enumerate();
        numbered
            .map(|(at, header)| AuthPart::secret(format!("headers.{at}.secret"), &header.secret))
            .collect()
    }
}
