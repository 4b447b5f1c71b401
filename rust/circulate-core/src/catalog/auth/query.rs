//! A key in the query.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::part::AuthPart;
use crate::catalog::types::Name;

/// A query parameter with a secret in it. It is put on each request as it is sent, and stands in no address that is shown or
/// stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryAuth {
    /// Name of the parameter.
    pub name: String,
    /// The setting that holds the secret.
    pub secret: Name,
}

impl QueryAuth {
    pub(super) fn parts(&self) -> Vec<AuthPart<'_>> {
        vec![AuthPart::secret("query.secret", &self.secret)]
    }
}
