//! The key file of a service account of Google: a key with what its assertions say.

use serde::Deserialize;

use crate::secrets::Secret;

/// What is of use in a key file.
pub(super) struct ServiceAccount {
    /// Whose key it is.
    pub(super) email: String,
    /// In PEM.
    pub(super) private_key: Secret,
    pub(super) key_id: Option<String>,
    /// Whom its assertions are meant for. They are sent to where the definition says.
    pub(super) token_uri: Option<String>,
}

#[derive(Deserialize)]
struct KeyFile {
    r#type: Option<String>,
    client_email: Option<String>,
    private_key: Option<String>,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

impl ServiceAccount {
    /// The account that `text` is the key file of, if it is one; the error never holds any of it.
    pub(super) fn read(text: &str) -> Result<Option<Self>, String> {
        let Ok(file) = serde_json::from_str::<KeyFile>(text) else { return Ok(None) };
        if file.r#type.as_deref() != Some("service_account") {
            return Ok(None);
        }
        let named = |text: &String| !text.trim().is_empty();
        let without = |member| format!("it is the key file of a service account without `{member}`");
        Ok(Some(Self {
            email: file.client_email.filter(named).ok_or_else(|| without("client_email"))?,
            private_key: Secret::new(file.private_key.ok_or_else(|| without("private_key"))?),
            key_id: file.private_key_id.filter(named),
            token_uri: file.token_uri.filter(named),
        }))
    }
}
