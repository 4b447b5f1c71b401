//! A bucket: how requests to it are made and retried.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::types::ServerSideEncryption;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::retries::classifiers::SharedRetryClassifier;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::time::Instant;

use crate::api::http::{Jitter, Retry, RetryDecision, RetryPolicy, Tally};
use crate::aws::{Aws, Call, MAX_ATTEMPTS, retry_partition, retry_statuses};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::sink::BucketLocation;

/// How long a part may take to be sent and to be responded to; a dead connection is noticed much sooner, by its stalling.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(5);

pub(super) const PUT: &str = "s3:PutObject";
pub(super) const GET: &str =
    "s3:GetObject (and s3:ListBucket on the bucket, without which S3 does not say that an object is missing)";

/// How objects are written to a bucket, and whose bucket it must be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Options {
    /// How S3 encrypts objects. Default: as the bucket says.
    pub encryption: Option<Encryption>,
    /// The AWS account that must own the bucket; requests fail if it is another one.
    pub bucket_owner: Option<String>,
}

/// How S3 encrypts an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// With keys of S3 (SSE-S3).
    Aes256,
    /// With a key of KMS (SSE-KMS): this one, or the account's own for S3.
    Kms(Option<String>),
}

/// Objects below a prefix of a bucket.
#[derive(Debug, Clone)]
pub struct S3Bucket {
    pub(super) client: Client,
    region: String,
    pub(super) bucket: String,
    /// Empty, or with a slash at its end.
    pub(super) prefix: String,
    pub(super) options: S3Options,
    retry: Arc<Retry>,
}

impl S3Bucket {
    /// A sink below `prefix` (which may be empty) of `bucket`.
    pub fn new(aws: &Aws, bucket: &str, prefix: &str, options: S3Options) -> Self {
        let mut config = aws_sdk_s3::config::Builder::from(aws.config());
        // Other services than AWS's own are seldom at `bucket.host`.
        let other = aws.endpoint("S3").is_some_and(|endpoint| !endpoint.contains("amazonaws.com"));
        config.set_force_path_style(other.then_some(true));
        config.set_retry_partition(Some(retry_partition()));
        config.push_retry_classifier(SharedRetryClassifier::new(retry_statuses()));
        let base = Duration::from_millis(100);
        let policy = RetryPolicy { attempts: MAX_ATTEMPTS, base, ..RetryPolicy::default() };
        let prefix = prefix.trim_matches('/');
        let uploads = TimeoutConfig::builder().read_timeout(UPLOAD_TIMEOUT);
        config.set_timeout_config(Some(uploads.build()));
        Self {
            client: Client::from_conf(config.build()),
            region: aws.region().to_owned(),
            bucket: bucket.to_owned(),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            options,
            retry: Arc::new(Retry::new(policy, Jitter::random())),
        }
    }

    /// The same client at another location.
    pub(super) fn at(&self, location: BucketLocation) -> Self {
        let BucketLocation { bucket, prefix, owner } = location;
        let options = S3Options { bucket_owner: owner, ..self.options.clone() };
        Self { bucket, prefix, options, ..self.clone() }
    }

    pub(super) fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    pub(super) fn call<'a>(&'a self, operation: &'static str, permissions: &'a str, below: &str) -> Call<'a> {
        let bucket = format!("arn:aws:s3:::{}", self.bucket);
        let (resource, allow_on) = match below {
            "" => (bucket.clone(), bucket),
            _ => (format!("{bucket}/{}", self.key(below)), format!("{bucket}/{}*", self.prefix)),
        };
        Call {
            service: "S3",
            kind: ErrorKind::Storage,
            operation,
            permissions,
            resource,
            allow_on,
            region: &self.region,
        }
    }

    pub(super) fn encryption(&self) -> (Option<ServerSideEncryption>, Option<String>, Option<bool>) {
        match &self.options.encryption {
            None => (None, None, None),
            Some(Encryption::Aes256) => (Some(ServerSideEncryption::Aes256), None, None),
            // A bucket key saves a request to KMS for every object.
            Some(Encryption::Kms(key)) => (Some(ServerSideEncryption::AwsKms), key.clone(), Some(true)),
        }
    }

    /// Runs `attempt` until it succeeds, fails for good, or our patience is at its end.
    pub(super) async fn retrying<T, F>(&self, attempt: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T, AttemptError>>,
    {
        let mut tally = Tally::default();
        let (mut attempts, began) = (0, Instant::now());
        loop {
            attempts += 1;
            let error = match attempt().await {
                Ok(done) => {
                    self.retry.succeeded();
                    return Ok(done);
                }
                Err(AttemptError::Failed(error)) => return Err(error),
                Err(AttemptError::Again(error)) => error,
            };
            match self.retry.wait(RetryDecision::Backoff, &mut tally) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error.after(attempts, began.elapsed()).temporary().persistent()),
            }
        }
    }
}

/// Why an attempt did not succeed.
pub(super) enum AttemptError {
    /// Trying again would not help, or was done already.
    Failed(Error),
    /// Trying again may help.
    Again(Error),
}

impl From<Error> for AttemptError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|output| output.status().as_u16())
}

pub(super) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}
