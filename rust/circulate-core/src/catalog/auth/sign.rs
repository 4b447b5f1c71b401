//! Signatures that code of the user's own makes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::part::AuthPart;
use crate::catalog::hook_ref::HookRef;
use crate::catalog::types::Name;

/// A function of one's own that signs each request. It is the only one that sees secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignAuth {
    /// The function. It gets a request and the settings, and returns headers and query parameters.
    pub hook: HookRef,
    /// The settings that it gets, secret ones and others.
    pub settings: Vec<Name>,
    /// The query parameters that it sets, if it sets some: APIs repeat them in links, from which they are taken out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<String>,
}

impl SignAuth {
    pub(super) fn parts(&self) -> Vec<AuthPart<'_>> {
        // One that is not declared is taken for a secret.
        let part = |(number, name)| AuthPart {
            either: true,
            ..AuthPart::secret(format!("sign.settings.{number}"), name)
        };
        self.settings.iter().enumerate().map(part).collect()
    }
}
