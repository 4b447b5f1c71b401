//! Places as Python names them.

use std::sync::Arc;

use circulate_core::error::{Error, ErrorKind, Result};
use circulate_core::lake::sink::{Encryption, S3Options};
use circulate_core::location::Locations;
use circulate_core::state::StateStore;
use serde::Deserialize;

/// How a bucket is used; named as in the AWS command line.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct S3Request {
    sse: Option<String>,
    sse_kms_key_id: Option<String>,
    expected_bucket_owner: Option<String>,
}

impl S3Request {
    pub(crate) fn locations(self) -> Result<Locations> {
        let wrong = |message: String| Err(Error::new(ErrorKind::Settings, "read settings", message));
        let encryption = match (self.sse.as_deref(), self.sse_kms_key_id) {
            (None, None) => None,
            (Some("AES256"), None) => Some(Encryption::Aes256),
            (None | Some("aws:kms"), key) => Some(Encryption::Kms(key)),
            (Some("AES256"), Some(_)) => return wrong("AES256 takes no KMS key: give `aws:kms`".to_owned()),
            (Some(other), _) => return wrong(format!("invalid encryption `{other}`: use AES256 or aws:kms")),
        };
        let bucket_owner = self.expected_bucket_owner;
        if let Some(owner) =
            bucket_owner.as_ref().filter(|o| o.len() != 12 || !o.bytes().all(|b| b.is_ascii_digit()))
        {
            return wrong(format!("invalid AWS account `{owner}`: it has 12 digits"));
        }
        Ok(Locations::new(S3Options { encryption, bucket_owner }))
    }
}

/// Opens a state that must be there.
pub(crate) async fn existing(state: &str) -> Result<Arc<dyn StateStore>> {
    Locations::default().existing_state(state).await?.ok_or_else(|| {
        Error::new(ErrorKind::State, "read state", "there is no state file")
            .with("file", state)
            .hint("nothing was pulled to this place yet, or its state is elsewhere (--state)")
    })
}
