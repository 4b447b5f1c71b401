//! Settings kept in AWS Secrets Manager.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use aws_sdk_secretsmanager::Client;
use serde_json::Value;
use url::Url;

use super::{Secret, is_loopback};
use crate::aws::{Aws, Call};
use crate::error::{Error, ErrorKind, Result};

/// A secret that is a JSON object of texts, such as `{"org_url": "https://acme.okta.com", "api_token": "00a..."}`.
///
/// It is read once in a process, so that a warm Lambda function does not request it with every invocation, and again
/// when the API refuses what it holds.
#[derive(Debug, Clone)]
pub struct StoredSecret {
    pub(super) client: Client,
    region: String,
    pub(super) id: String,
    fields: Arc<Mutex<Fields>>,
}

type Fields = BTreeMap<String, Secret>;
/// Fields by endpoint, region, id of the secret, and identity.
type SecretCache = BTreeMap<[String; 4], Arc<Mutex<Fields>>>;

/// What was read in this process.
static READ: LazyLock<Mutex<SecretCache>> = LazyLock::new(Mutex::default);

impl StoredSecret {
    /// The secret of this name or ARN.
    pub async fn open(aws: &Aws, id: &str) -> Result<Self> {
        let endpoint = aws.endpoint("SECRETS_MANAGER").unwrap_or_default();
        refuse_plain_http(&endpoint)?;
        // Another identity may have another secret of that name.
        let identity =
            ["AWS_PROFILE", "AWS_ACCESS_KEY_ID"].map(|name| std::env::var(name).unwrap_or_default());
        let key = [endpoint, aws.region().to_owned(), id.to_owned(), identity.join(" ")];
        let known = locked(&READ).get(&key).map(Arc::clone);
        let (client, region, id) = (Client::new(aws.config()), aws.region().to_owned(), id.to_owned());
        if let Some(fields) = known {
            return Ok(Self { client, region, id, fields });
        }
        let stored = Self { client, region, id, fields: Arc::default() };
        stored.read_again().await?;
        locked(&READ).insert(key, Arc::clone(&stored.fields));
        Ok(stored)
    }

    /// Its name or ARN.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The first field that has one of these names, and its name.
    pub fn field<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Option<(&'n str, Secret)> {
        let fields = locked(&self.fields);
        names.into_iter().find_map(|name| Some((name, fields.get(name)?.clone())))
    }

    /// The names of its fields.
    pub fn names(&self) -> Vec<String> {
        locked(&self.fields).keys().cloned().collect()
    }

    /// Reads it again: it may have been rotated.
    pub async fn read_again(&self) -> Result<()> {
        // The default, but a stand-in (moto) does without it when another version has become the current one.
        let call = self.client.get_secret_value().secret_id(&self.id).version_stage("AWSCURRENT");
        let sent = call.send().await;
        let output =
            sent.map_err(|error| self.call("read secret", "secretsmanager:GetSecretValue").failed(&error))?;
        self.learn(output.secret_string).map(drop)
    }

    /// Takes over what a version holds, for all who use this secret, and returns it.
    pub(super) fn learn(&self, text: Option<String>) -> Result<Secret> {
        let text = text.map(Secret::not_secret).ok_or_else(|| self.wrong("is binary, not text"))?;
        *locked(&self.fields) = self.parse(&text)?;
        Ok(text)
    }

    fn parse(&self, text: &Secret) -> Result<Fields> {
        // What serde says of a syntax error could hold a piece of the text.
        let object: BTreeMap<String, Value> =
            serde_json::from_str(text.expose()).map_err(|_| self.wrong("is not a JSON object"))?;
        let field = |(name, value)| match value {
            // Which of them are secret, the definition of the source says.
            Value::String(text) => Ok((name, Secret::not_secret(text))),
            _ => Err(self.wrong(&format!("has a field `{name}` that is not a string"))),
        };
        object.into_iter().map(field).collect()
    }

    pub(super) fn wrong(&self, what: &str) -> Error {
        Error::new(ErrorKind::Settings, "read secret", format!("the secret `{}` {what}", self.id)).hint(
            r#"it must be a JSON object of texts, such as {"org_url": "https://...", "api_token": "..."}"#,
        )
    }

    /// A call that needs these permissions, as errors name it.
    pub(super) fn call<'c>(&'c self, operation: &'static str, permissions: &'c str) -> Call<'c> {
        let resource = if self.id.starts_with("arn:") {
            self.id.clone()
        } else {
            format!("arn:aws:secretsmanager:{}:*:secret:{}-*", self.region, self.id)
        };
        Call {
            service: "Secrets Manager",
            kind: ErrorKind::Settings,
            operation,
            permissions,
            allow_on: resource.clone(),
            resource,
            region: &self.region,
        }
    }
}

/// Makes a secret of this text, or gives it another one.
#[cfg(test)]
pub(crate) async fn put_secret(aws: &Aws, name: &str, text: &str) {
    let client = Client::new(aws.config());
    if client.create_secret().name(name).secret_string(text).send().await.is_err() {
        client.put_secret_value().secret_id(name).secret_string(text).send().await.unwrap();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The response holds the secret as it is.
fn refuse_plain_http(endpoint: &str) -> Result<()> {
    let Ok(url) = Url::parse(endpoint) else { return Ok(()) };
    if url.scheme() != "http" || is_loopback(&url) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Settings,
        "read secret",
        "the endpoint of Secrets Manager is plain http, which would show the secret to the network",
    )
    .with("endpoint", endpoint)
    .hint("use https; http is for loopback addresses only"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{put_secret, stand_in};

    fn name() -> String {
        format!("okta-{:08x}", fastrand::u32(..))
    }

    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn a_secret_is_read_once_and_again_on_request() {
        let name = name();
        let aws = put_secret(&name, r#"{"api_token": "old"}"#).await;
        let one = StoredSecret::open(&aws, &name).await.unwrap();
        put_secret(&name, r#"{"api_token": "new", "okta_domain": "acme.okta.com"}"#).await;
        let other = StoredSecret::open(&aws, &name).await.unwrap();
        let token = |stored: &StoredSecret| stored.field(["okta_api_key", "api_token"]);
        assert_eq!(token(&other), Some(("api_token", Secret::new("old"))), "from memory");
        other.read_again().await.unwrap();
        assert_eq!(token(&one), Some(("api_token", Secret::new("new"))), "all of the process see it");
        assert_eq!(one.names(), ["api_token", "okta_domain"]);
    }

    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn what_can_not_be_used_is_explained_and_not_shown() {
        for (text, part) in [
            ("canary-token", "is not a JSON object"),
            (r#"["canary-token"]"#, "is not a JSON object"),
            (r#"{"api_token": {"value": "canary-token"}}"#, "has a field `api_token` that is not a string"),
        ] {
            let name = name();
            let error = StoredSecret::open(&put_secret(&name, text).await, &name).await.unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
        let error = StoredSecret::open(&stand_in("MINISTACK").await, "missing").await.unwrap_err();
        assert_eq!(error.hint_text(), Some("there is no such secret in us-east-1"), "{error}");
    }

    #[test]
    fn a_secret_is_not_read_over_plain_http() {
        for endpoint in
            ["", "https://x.example", "http://127.0.0.1:4566", "http://localhost:1/", "http://[::1]:1"]
        {
            refuse_plain_http(endpoint).unwrap();
        }
        for endpoint in
            ["http://x.example", "http://x.example:80/", "http://10.0.0.1:4566", "HTTP://127.evil.example"]
        {
            assert!(refuse_plain_http(endpoint).is_err(), "{endpoint}");
        }
    }
}
