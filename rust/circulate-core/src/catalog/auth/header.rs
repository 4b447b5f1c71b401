//! A fixed header.

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
    pub(super) fn parts(&self) -> Vec<AuthPart<'_>> {
        vec![AuthPart::secret("header.secret", &self.secret)]
    }
}
