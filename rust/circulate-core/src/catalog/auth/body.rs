//! A key in the body.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::part::AuthPart;
use crate::catalog::types::Name;

/// A field of the body with a secret in it: a member of a JSON object, or a field of a form, whichever a list sends. It is put
/// on each request as it is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BodyAuth {
    /// Name of the member or field.
    pub name: String,
    /// The setting that holds the secret.
    pub secret: Name,
}

impl BodyAuth {
    pub(super) fn parts(&self) -> Vec<AuthPart<'_>> {
        vec![AuthPart::secret("body.secret", &self.secret)]
    }
}
