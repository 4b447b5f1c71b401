//! Access tokens that somebody else gets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::part::AuthPart;
use crate::catalog::types::Name;

/// Tokens in a file. Those of a login are sent as the source's `session` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenFileAuth {
    /// The setting that holds the name of the profile, which names the file.
    pub profile: Name,
}

impl TokenFileAuth {
    pub(super) fn parts(&self) -> Vec<AuthPart<'_>> {
        vec![AuthPart::open("token_file.profile", &self.profile)]
    }
}
