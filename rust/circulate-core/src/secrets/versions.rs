//! Versions of a secret in AWS Secrets Manager: what one process alone may do next, and what it puts in the place of what is
//! there.
//!
//! There is no lock. `PutSecretValue` with a `ClientRequestToken` makes a version of that id, ignores the same content again,
//! and refuses another content (`ResourceExistsException`): of those who derive the id from the current version, one gets it.
//! `UpdateSecretVersionStage` moves `AWSCURRENT` only from the version that is named.

use aws_sdk_secretsmanager::error::SdkError;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Secret, StoredSecret};
use crate::error::Result;

const CURRENT: &str = "AWSCURRENT";
/// The staging label of the last claim. It moves from one to the next.
const CLAIM: &str = "circulate_claim";
/// That of a version that is about to become the current one.
const NEXT: &str = "circulate_next";
const PUT: &str = "secretsmanager:PutSecretValue";
const MOVE: &str = "secretsmanager:UpdateSecretVersionStage";

/// A version of a secret.
#[derive(Clone)]
pub(crate) struct SecretVersion {
    pub(crate) id: String,
    object: Map<String, Value>,
}

/// The last claim on what follows a version.
#[derive(Serialize, Deserialize)]
pub(crate) struct LastClaim {
    /// The id of that version.
    pub(crate) version: String,
    /// The claims on it before were given up.
    pub(crate) number: u32,
    /// Whose it is.
    pub(crate) by: String,
    /// When it was made, by the service's clock.
    #[serde(skip)]
    pub(crate) made: Option<Timestamp>,
}

impl SecretVersion {
    /// A field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.object.get(name)?.as_str()
    }

    /// The same fields, but for these.
    pub(crate) fn with(&self, fields: [(&str, String); 2]) -> Secret {
        let mut object = self.object.clone();
        object.extend(fields.map(|(name, value)| (name.to_owned(), Value::String(value))));
        Secret::not_secret(Value::Object(object).to_string())
    }
}

impl StoredSecret {
    /// The current version. All who use this secret see its fields from now on.
    pub(crate) async fn current(&self) -> Result<SecretVersion> {
        let sent = self.client.get_secret_value().secret_id(&self.id).version_stage(CURRENT).send().await;
        let output = sent.map_err(|error| self.not_read(&error))?;
        let text = self.learn(output.secret_string)?;
        self.version_of(output.version_id, &text)
    }

    /// The version that was put in the place of `version`, if there is one.
    pub(crate) async fn successor(&self, version: &SecretVersion) -> Result<Option<SecretVersion>> {
        let id = derived(&version.id, "next", 0);
        let sent = self.client.get_secret_value().secret_id(&self.id).version_id(id).send().await;
        match sent {
            Ok(output) => {
                let text = Secret::not_secret(output.secret_string.unwrap_or_default());
                self.version_of(output.version_id, &text).map(Some)
            }
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.not_read(&error)),
        }
    }

    /// The last claim, whatever version it is on.
    pub(crate) async fn last_claim(&self) -> Result<Option<LastClaim>> {
        let sent = self.client.get_secret_value().secret_id(&self.id).version_stage(CLAIM).send().await;
        match sent {
            Ok(output) => {
                let claim = output.secret_string.as_deref().and_then(|text| serde_json::from_str(text).ok());
                let claim: LastClaim = claim.ok_or_else(|| {
                    self.wrong(&format!("has a version with the label `{CLAIM}` that is not of Circulate"))
                })?;
                let made = output.created_date.and_then(|date| Timestamp::from_second(date.secs()).ok());
                Ok(Some(LastClaim { made, ..claim }))
            }
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.not_read(&error)),
        }
    }

    /// Makes a claim, unless somebody else did; returns whether it is ours.
    pub(crate) async fn put_claim(&self, claim: &LastClaim) -> Result<bool> {
        let text =
            serde_json::to_string(claim).map_err(|error| self.wrong("takes no claim").caused_by(error))?;
        let id = derived(&claim.version, "claim", claim.number);
        self.put(&id, &Secret::not_secret(text), CLAIM).await
    }

    /// Stores what is to follow `version`; returns the id of that version, or `None` if somebody else stored something.
    pub(crate) async fn put_successor(
        &self,
        version: &SecretVersion,
        text: &Secret,
    ) -> Result<Option<String>> {
        let id = derived(&version.id, "next", 0);
        Ok(self.put(&id, text, NEXT).await?.then_some(id))
    }

    /// Makes the version `to` the current one in the place of `from`; returns `false` if `from` is no longer that.
    pub(crate) async fn promote(&self, from: &str, to: &str) -> Result<bool> {
        let call = self.client.update_secret_version_stage().secret_id(&self.id).version_stage(CURRENT);
        match call.remove_from_version_id(from).move_to_version_id(to).send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error.as_service_error().and_then(ProvideErrorMetadata::code)
                    == Some("InvalidParameterException") =>
            {
                Ok(false)
            }
            Err(error) => Err(self.call("make a version of the secret the current one", MOVE).failed(&error)),
        }
    }

    async fn put(&self, id: &str, text: &Secret, label: &str) -> Result<bool> {
        let call = self.client.put_secret_value().secret_id(&self.id).client_request_token(id);
        match call.secret_string(text.expose()).version_stages(label).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_taken(&error) => Ok(false),
            Err(error) => {
                let failed = self.call("write secret", PUT).failed(&error);
                let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
                Err(if code == Some("LimitExceededException") {
                    failed.hint(
                        "Secrets Manager keeps all versions of the last day, and about 100: use access tokens that \
                         live longer, or pull less often",
                    )
                } else {
                    failed
                })
            }
        }
    }

    fn version_of(&self, id: Option<String>, text: &Secret) -> Result<SecretVersion> {
        // What serde says of a syntax error could hold a piece of the text.
        let object = serde_json::from_str(text.expose()).map_err(|_| self.wrong("is not a JSON object"))?;
        Ok(SecretVersion { id: id.ok_or_else(|| self.wrong("has a version without an id"))?, object })
    }

    fn not_read(&self, error: &SdkError<GetSecretValueError, HttpResponse>) -> crate::error::Error {
        self.call("read secret", "secretsmanager:GetSecretValue").failed(error)
    }
}

fn is_missing(error: &SdkError<GetSecretValueError, HttpResponse>) -> bool {
    error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception)
}

fn is_taken(error: &SdkError<PutSecretValueError, HttpResponse>) -> bool {
    error.as_service_error().is_some_and(PutSecretValueError::is_resource_exists_exception)
}

/// The id of a version that follows from another one: the same in each process.
fn derived(version: &str, what: &str, number: u32) -> String {
    crate::hex(&Sha256::digest(format!("circulate\0{version}\0{what}\0{number}")))
}
