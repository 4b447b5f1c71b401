//! Signatures of requests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::part::AuthPart;
use crate::catalog::template::Template;
use crate::catalog::types::Name;

/// Signatures of Duo's Admin API, in their version 5: HMAC-SHA-512 over all that a request is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DuoAuth {
    /// The setting that holds the integration key, which says who asks.
    pub integration_key: Name,
    /// The setting that holds the secret key, which signs.
    pub secret_key: Name,
}

impl DuoAuth {
    pub(super) fn parts(&self) -> Vec<AuthPart<'_>> {
        vec![
            AuthPart::open("duo_v5.integration_key", &self.integration_key),
            AuthPart::secret("duo_v5.secret_key", &self.secret_key),
        ]
    }
}

/// Signatures of AWS, in their version 4.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwsAuth {
    /// The setting that holds the id of the access key.
    pub access_key_id: Name,
    /// The setting that holds the access key.
    pub secret_access_key: Name,
    /// The setting that holds the token of temporary credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<Name>,
    /// Region that signatures are for, such as `eu-west-1` or `{region}`.
    pub region: Template,
    /// Service that they are for, such as `execute-api`.
    pub service: Template,
}

impl AwsAuth {
    pub(super) fn parts(&self) -> Vec<AuthPart<'_>> {
        let token = self.session_token.as_ref();
        let token = token.map(|name| AuthPart::secret("aws_sigv4.session_token", name).optional());
        let id = AuthPart::either("aws_sigv4.access_key_id", &self.access_key_id);
        let key = AuthPart::secret("aws_sigv4.secret_access_key", &self.secret_access_key);
        [id, key].into_iter().chain(token).collect()
    }

    pub(super) fn placeholders(&self) -> Vec<&str> {
        self.region.placeholders().chain(self.service.placeholders()).collect()
    }
}
