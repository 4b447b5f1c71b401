//! The settings a client is known by, each read when it is needed: a stored secret may have been rotated, a file replaced.

use sha2::{Digest, Sha256};

use super::credential::Credential;
use super::key::SigningKey;
use super::service_account::ServiceAccount;
use crate::api::account::Account;
use crate::catalog::{GrantType, Name, OAuth2};
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::Secret;

/// The settings of one account that are of use in its way to sign in.
#[derive(Debug, Clone)]
pub(super) struct ClientSettings {
    account: Account,
    grant: GrantType,
    client_id: Option<Name>,
    private_key: Option<Name>,
    key_id: Option<Name>,
    client_secret: Option<Name>,
    refresh_token: Option<Name>,
}

impl ClientSettings {
    /// Those that `account` has.
    pub(super) fn of(account: &Account, spec: &OAuth2) -> Self {
        let set = |name: &Option<Name>| name.clone().filter(|name| account.is_set(name));
        Self {
            account: account.clone(),
            grant: spec.grant,
            client_id: set(&spec.client_id),
            private_key: set(&spec.private_key),
            key_id: set(&spec.key_id),
            client_secret: set(&spec.client_secret),
            refresh_token: spec.refresh_token.clone(),
        }
    }

    /// What proves who the client is.
    pub(super) fn credential(&self) -> Result<Credential> {
        let mut client_id = self.current(self.client_id.as_ref())?.map(|id| id.expose().to_owned());
        let (mut key, mut audience, mut names_itself) = (None, None, true);
        if let (Some(name), Some(text)) = (&self.private_key, self.key_text()?) {
            let unusable = |why: String| unusable(name, &why);
            let id = self.current(self.key_id.as_ref())?;
            let id = id.as_ref().map(Secret::expose);
            let account = ServiceAccount::read(text.expose()).map_err(unusable)?;
            key = Some(match account {
                None => SigningKey::read(text.expose(), id).map_err(unusable)?,
                Some(account) => {
                    client_id = client_id.or(Some(account.email));
                    audience = account.token_uri;
                    names_itself = false;
                    let id = account.key_id.as_deref().or(id);
                    SigningKey::read(account.private_key.expose(), id).map_err(unusable)?
                }
            });
        }
        let secret = self.current(self.client_secret.as_ref())?;
        let has_proof = match self.grant {
            GrantType::ClientCredentials => key.is_some() || secret.is_some(),
            GrantType::JwtBearer => key.is_some(),
            // A public client is known by its id (RFC 6749, section 2.1).
            GrantType::RefreshToken => true,
        };
        if !has_proof {
            return Err(not_configured());
        }
        let client_id = client_id.ok_or_else(not_named)?;
        let subject = names_itself.then(|| client_id.clone());
        Ok(Credential { client_id, key, audience, subject, secret })
    }

    /// A digest that differs between clients and credentials.
    pub(super) fn digest(&self) -> Result<String> {
        let open = [&self.client_id, &self.key_id, &self.client_secret, &self.refresh_token]
            .map(|name| self.current(name.as_ref()));
        let mut all = open.into_iter().collect::<Result<Vec<_>>>()?;
        all.push(self.key_text()?);
        let values = all.iter().map(|text| text.as_ref().map_or("", Secret::expose));
        Ok(crate::hex(&Sha256::digest(values.collect::<Vec<_>>().join("\0"))))
    }

    /// Reads what comes from a stored secret again.
    pub(super) async fn read_again(&self) -> Result<()> {
        for name in [&self.private_key, &self.client_secret].into_iter().flatten() {
            self.account.read_again(name).await?;
        }
        Ok(())
    }

    /// The value of a setting that was configured.
    fn current(&self, name: Option<&Name>) -> Result<Option<Secret>> {
        let value = |name| self.account.current(name).ok_or_else(|| no_longer(name));
        name.map(value).transpose()
    }

    /// What the setting of the key holds, or the file that it names.
    fn key_text(&self) -> Result<Option<Secret>> {
        let Some(name) = &self.private_key else { return Ok(None) };
        let setting = self.account.secret(name)?;
        let text = setting.expose().trim_start();
        if text.starts_with('{') || text.starts_with("-----BEGIN") {
            return Ok(Some(setting));
        }
        std::fs::read_to_string(text).map(Secret::new).map(Some).map_err(|_| {
            unusable(name, "it is neither a JWK, nor PEM text, nor the path of a file that can be read")
        })
    }
}

fn unusable(name: &Name, why: &str) -> Error {
    let message = format!("the private key in `{name}` can't be used: {why}");
    Error::new(ErrorKind::Settings, "read settings", message)
}

fn not_configured() -> Error {
    Error::new(ErrorKind::Settings, "read settings", "the OAuth client is no longer configured")
}

fn no_longer(name: &Name) -> Error {
    Error::new(ErrorKind::Settings, "read settings", format!("`{name}` is no longer in the stored secret"))
}

fn not_named() -> Error {
    let what = "nothing says who the client is: its id is not set, and its key does not name one";
    Error::new(ErrorKind::Settings, "read settings", what)
        .hint("set the client's id; only the JSON of a service account of Google holds it")
}
