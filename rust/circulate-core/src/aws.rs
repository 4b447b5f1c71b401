//! What all AWS services have in common: region, credentials and endpoints as every AWS tool finds them, and refusals
//! put into words.
//!
//! The order is that of the AWS SDKs: `AWS_*` variables, then the profile (`AWS_PROFILE`), then what the machine offers
//! (container and instance roles). `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>` name other endpoints;
//! `HTTPS_PROXY`, `NO_PROXY` and `SSL_CERT_FILE` are honoured; an endpoint on loopback is never reached through a proxy. Calls are
//! retried by the SDK and by nobody else.

use std::error::Error as StdError;
use std::ops::RangeInclusive;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Builder, Connector, tls};
use aws_smithy_runtime::client::retries::classifiers::HttpStatusCodeClassifier;
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::net::{is_loopback, tls_trouble};
use crate::redact::Redactor;

/// Attempts at a call, unless `AWS_MAX_ATTEMPTS` or the profile says otherwise: a pull of hours meets more trouble than
/// the three attempts get over that the SDK would make.
pub(crate) const MAX_ATTEMPTS: u32 = 10;
/// What the SDK retries beside 500, 502, 503 and 504: S3 is also what others serve, behind gateways of theirs. 501 and 505 say
/// that the server never does what was requested.
const OTHER_SERVER_ERRORS: [RangeInclusive<u16>; 2] = [506..=599, 429..=429];
/// More than a pull's retries cost.
const RETRY_TOKENS: usize = 100_000_000;
/// How long a call may take until its response begins; that of S3 includes the upload.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Region, credentials and endpoints.
#[derive(Debug, Clone)]
pub struct Aws {
    config: SdkConfig,
    region: String,
}

impl Aws {
    /// Finds region, credentials and endpoints. Credentials are only used, and reported as missing, at the first call.
    pub async fn load() -> Result<Self> {
        Self::from_config(&aws_config::defaults(behavior_version()).http_client(http_client()).load().await)
    }

    /// The same with all services at `endpoint`.
    #[cfg(any(test, feature = "testing"))]
    pub async fn at(endpoint: &str) -> Result<Self> {
        let loader = aws_config::defaults(behavior_version()).http_client(http_client());
        Self::from_config(&loader.endpoint_url(endpoint).load().await)
    }

    fn from_config(config: &SdkConfig) -> Result<Self> {
        let Some(region) = config.region().map(ToString::to_string).filter(|region| !region.is_empty())
        else {
            return Err(Error::new(ErrorKind::Settings, "prepare AWS", "no AWS region is set")
                .hint("set AWS_REGION, or `region` in the AWS profile"));
        };
        // They have 40 characters and more; what is shorter is a stand-in's, and may be any word.
        let given = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
            .map(|name| std::env::var(name).unwrap_or_default());
        given.iter().filter(|key| key.len() >= 40).for_each(|key| Redactor::shared().hide(key));
        let mut builder = config.to_builder();
        // The SDK's own default can't be distinguished from a choice of three attempts in a profile; that is read as the
        // default.
        let chosen = std::env::var_os("AWS_MAX_ATTEMPTS").is_some();
        if let Some(retry) = config.retry_config().filter(|retry| !chosen && retry.max_attempts() == 3) {
            builder.set_retry_config(Some(retry.clone().with_max_attempts(MAX_ATTEMPTS)));
        } else if config.retry_config().is_none() {
            builder.set_retry_config(Some(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS)));
        }
        let timeouts = TimeoutConfig::builder().read_timeout(READ_TIMEOUT).build();
        let timeouts = match config.timeout_config() {
            Some(given) => given.clone().take_defaults_from(&timeouts).clone(),
            None => timeouts,
        };
        builder.set_timeout_config(Some(timeouts));
        Ok(Self { config: builder.build(), region })
    }

    /// The configuration, for the clients of services.
    pub(crate) fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Who these credentials are, as IAM has it in `aws:userid`: of a role with the name of the session.
    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
    pub async fn user_id(&self) -> Result<String> {
        let call = Call {
            service: "STS",
            kind: ErrorKind::Settings,
            operation: "read identity",
            // Needs none, and no policy can refuse it.
            permissions: "sts:GetCallerIdentity",
            resource: "these credentials".to_owned(),
            allow_on: "*".to_owned(),
            region: &self.region,
        };
        let client = aws_sdk_sts::Client::new(&self.config);
        let identity = client.get_caller_identity().send().await.map_err(|error| call.failed(&error))?;
        identity
            .user_id
            .filter(|id| !id.is_empty())
            .ok_or_else(|| call.error("STS returned no user id".to_owned()))
    }

    /// The region of requests.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// Whether another endpoint than AWS's own is used, for all services or for the one whose id is written like this
    /// in `AWS_ENDPOINT_URL_<SERVICE>`.
    pub(crate) fn endpoint(&self, service: &str) -> Option<String> {
        let own = std::env::var(format!("AWS_ENDPOINT_URL_{service}")).ok();
        own.or_else(|| self.config.endpoint_url().map(ToOwned::to_owned))
    }
}

/// The defaults of the SDK that we were tested with.
pub(crate) fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Retries that each call has for itself: the budget that the SDK has all calls of a service share is used up by a dozen uploads
/// that meet the same trouble.
pub(crate) fn retry_partition() -> RetryPartition {
    RetryPartition::custom("circulate").token_bucket(TokenBucket::new(RETRY_TOKENS)).build()
}

/// Says that these statuses are worth a retry too.
pub(crate) fn retry_statuses() -> HttpStatusCodeClassifier {
    HttpStatusCodeClassifier::new_from_codes(OTHER_SERVER_ERRORS.into_iter().flatten().collect::<Vec<_>>())
}

/// As the SDK's own, but for loopback.
fn http_client() -> SharedHttpClient {
    let client = |proxy: fn() -> ProxyConfig| {
        Builder::new().build_with_connector_fn(move |settings, components| {
            let crypto = tls::rustls_provider::CryptoMode::AwsLc;
            let mut connector = Connector::builder().tls_provider(tls::Provider::Rustls(crypto));
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            connector.set_proxy_config(Some(proxy()));
            connector.build()
        })
    };
    SharedHttpClient::new(DirectToLoopback {
        proxied: client(ProxyConfig::from_env),
        direct: client(ProxyConfig::disabled),
    })
}

/// Asks through a proxy where the environment says so, but never for loopback.
#[derive(Debug, Clone)]
struct DirectToLoopback {
    proxied: SharedHttpClient,
    direct: SharedHttpClient,
}

impl HttpClient for DirectToLoopback {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let (clients, settings, components) = (self.clone(), settings.clone(), components.clone());
        SharedHttpConnector::new(DirectConnector { clients, settings, components })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.proxied.connector_metadata()
    }
}

/// Makes the connector that a request needs, and not the other one: each reads the machine's certificates.
#[derive(Debug)]
struct DirectConnector {
    clients: DirectToLoopback,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl HttpConnector for DirectConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let stays_here = Url::parse(request.uri()).is_ok_and(|url| is_loopback(&url));
        let client = if stays_here { &self.clients.direct } else { &self.clients.proxied };
        client.http_connector(&self.settings, &self.components).call(request)
    }
}

/// A call of an AWS service, as errors name it.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    /// `S3`, `DynamoDB`, `Secrets Manager`.
    pub(crate) service: &'static str,
    /// What its failure is.
    pub(crate) kind: ErrorKind,
    /// A short verb phrase: `create object`.
    pub(crate) operation: &'static str,
    /// The permissions it takes: `s3:PutObject`.
    pub(crate) permissions: &'a str,
    /// The ARN that it is about.
    pub(crate) resource: String,
    /// The ARN that the permissions are needed on.
    pub(crate) allow_on: String,
    /// The region of the request.
    pub(crate) region: &'a str,
}

impl Call<'_> {
    /// Maps an error: what went wrong and what to do about it.
    pub(crate) fn failed<E>(&self, error: &SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        match error {
            SdkError::ServiceError(response) => self.refused(response.err(), response.raw()),
            SdkError::ResponseError(response) => self
                .error(format!("{} returned a response that cannot be read", self.service))
                .caused_by(innermost(error))
                .with("status", response.raw().status())
                .temporary()
                .persistent(),
            _ if mentions_credentials(error) => self
                .error(format!("no AWS credentials for {}", self.service))
                .caused_by(innermost(error).trim_end_matches(" Attempted:").to_owned())
                .hint(
                    "set AWS_PROFILE (and sign in with `aws sso login`), or AWS_ACCESS_KEY_ID and \
                     AWS_SECRET_ACCESS_KEY",
                ),
            _ => {
                let failed = self.error(format!("cannot reach {}", self.service));
                if let Some(trouble) = tls_trouble(error) {
                    return failed
                        .caused_by(trouble.what)
                        .hint(format!("{} (AWS_CA_BUNDLE is not read)", trouble.hint));
                }
                let hint =
                    "is the network up, and are AWS_ENDPOINT_URL and HTTPS_PROXY right, if they are set?";
                failed.caused_by(innermost(error)).temporary().persistent().hint(hint)
            }
        }
    }

    fn refused<E: ProvideErrorMetadata>(&self, error: &E, response: &HttpResponse) -> Error {
        let status = response.status().as_u16();
        // Responses to HEAD, and redirects, have no code.
        let code = error.code().unwrap_or(match status {
            301 => "PermanentRedirect",
            403 => "AccessDenied",
            404 => "NotFound",
            _ => "no code",
        });
        let reason = error.message().map_or_else(String::new, |message| format!(": {message}"));
        let failed = self.error(format!("{} refused to {} ({code}){reason}", self.service, self.operation));
        let failed = match error.meta().extra("aws_request_id") {
            Some(id) => failed.with("request", id),
            None => failed,
        };
        let Self { allow_on, permissions, region, .. } = self;
        match code {
            "SlowDown"
            | "ServiceUnavailable"
            | "InternalError"
            | "InternalServerError"
            | "InternalServiceError"
            | "RequestTimeout"
            | "ThrottlingException"
            | "Throttling"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded" => failed.temporary().persistent().hint(format!(
                "{} stayed busy over all attempts; try again later: nothing is lost",
                self.service
            )),
            "AccessDenied" | "AccessDeniedException" | "AllAccessDisabled" => {
                let kms =
                    if reason.contains("kms:") { ", and on the KMS key what the message names" } else { "" };
                failed.hint(format!("allow {permissions} on {allow_on}{kms}"))
            }
            "NoSuchBucket" => failed.hint("make the bucket first, or correct its name"),
            "NoSuchUpload" => failed.temporary(),
            "PermanentRedirect"
            | "TemporaryRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException"
            | "IncorrectEndpoint" => {
                match response.headers().get("x-amz-bucket-region").or(quoted_region(error.message())) {
                    Some(there) => {
                        failed.hint(format!("it is in {there}, not in {region}: set AWS_REGION={there}"))
                    }
                    None => {
                        failed.hint(format!("it seems to be in another region than {region}: set AWS_REGION"))
                    }
                }
            }
            "ResourceNotFoundException" if self.service == "DynamoDB" => failed.hint(format!(
                "there is no such table in {region}: make it with `circulate state init`, or set AWS_REGION"
            )),
            "ResourceNotFoundException" => failed.hint(format!("there is no such secret in {region}")),
            "InvalidAccessKeyId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "IncompleteSignature"
            | "InvalidClientTokenId" => {
                failed.hint("the AWS credentials are wrong: check AWS_PROFILE or AWS_ACCESS_KEY_ID")
            }
            "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => {
                failed.hint("the AWS credentials have expired: sign in again")
            }
            "RequestTimeTooSkewed" => failed.hint("this machine's clock is wrong"),
            _ if status >= 500 => failed.temporary().persistent(),
            _ => failed,
        }
    }

    fn error(&self, message: String) -> Error {
        Error::new(self.kind, self.operation, message).with("on", &self.resource)
    }
}

/// The region in a message such as "the region 'us-east-1' is wrong; expecting 'eu-west-1'".
fn quoted_region(message: Option<&str>) -> Option<&str> {
    message?.split_once("expecting '")?.1.split('\'').next()
}

fn mentions_credentials(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if text.contains("credential") || text.contains("identity") {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The first line of the innermost cause: those between repeat each other, and a chain of credential providers shows
/// each of its links on a line of its own.
fn innermost(error: &dyn StdError) -> String {
    error.source().map_or_else(|| error.to_string().lines().next().unwrap_or_default().to_owned(), innermost)
}

#[cfg(test)]
impl Aws {
    /// The same with next to no waits between attempts.
    pub(crate) fn in_a_hurry(self) -> Self {
        let (first, longest) = (Duration::from_millis(1), Duration::from_millis(2));
        let retry = RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS);
        let retry = retry.with_initial_backoff(first).with_max_backoff(longest);
        Self { config: self.config.to_builder().retry_config(retry).build(), ..self }
    }
}
