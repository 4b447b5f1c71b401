//! A user and a password.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::part::AuthPart;
use crate::catalog::types::Name;

/// `Authorization: Basic` (RFC 7617). A half that is left out is sent empty, as APIs expect that take a token for the user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// The setting that holds the user; it may be secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Name>,
    /// The setting that holds the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Name>,
}

impl BasicAuth {
    /// `at` is where it stands.
    pub(super) fn parts(&self, at: &str) -> Vec<AuthPart<'_>> {
        let user = self.user.as_ref().map(|name| AuthPart::either(format!("{at}.user"), name));
        let password = self.password.as_ref().map(|name| AuthPart::secret(format!("{at}.password"), name));
        user.into_iter().chain(password).collect()
    }
}
