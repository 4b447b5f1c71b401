//! A bucket as a sink: the only user of aws-sdk-s3.
//!
//! Every object is created with `If-None-Match: *`, which S3 judges when the object becomes visible: at the end of a PUT,
//! or when a multipart upload is completed
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>). S3 checks a checksum of what arrives,
//! and the SDK one of what is read back. The SDK retries requests; bodies that break off while they are read, and
//! writes that met another one (409), are tried again here.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart, ServerSideEncryption,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::retries::classifiers::SharedRetryClassifier;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::{BucketLocation, Created, Listed, Object, Sink, StoredObject};
use crate::api::http::{Jitter, Retry, RetryDecision, RetryPolicy, Tally};
use crate::aws::{Aws, Call, MAX_ATTEMPTS, retry_partition, retry_statuses};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::keys::check_key;

mod conditional;
mod copy;

use conditional::{Refusal, refusal};

/// Objects above this go up in parts. One PUT takes up to 5 GB, but begins again from its first byte when it fails.
const MULTIPART_ABOVE: usize = 16 * 1024 * 1024;
/// The size of a part; S3 allows 5 MiB to 5 GiB.
const PART_SIZE: usize = 8 * 1024 * 1024;
/// How many parts S3 takes.
const MAX_PARTS: usize = 10_000;
/// Parts of one object on their way at the same time.
const PARTS_AT_ONCE: usize = 4;

/// How long a part may take to be sent and to be responded to; a dead connection is noticed much sooner, by its stalling.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(5);
/// What [`Sink::probe`] writes.
const ABOUT: &[u8] =
    b"{\"schema\":1,\"about\":\"Data pulled by Circulate Core. Only what a manifest below _circulate/ \
    names is committed; these manifests are SOURCE/ACCOUNT/ENDPOINT/RUN.json.\"}\n";

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
    client: Client,
    region: String,
    bucket: String,
    /// Empty, or with a slash at its end.
    prefix: String,
    options: S3Options,
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
    fn at(&self, location: BucketLocation) -> Self {
        let BucketLocation { bucket, prefix, owner } = location;
        let options = S3Options { bucket_owner: owner, ..self.options.clone() };
        Self { bucket, prefix, options, ..self.clone() }
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn call<'a>(&'a self, operation: &'static str, permissions: &'a str, below: &str) -> Call<'a> {
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

    fn encryption(&self) -> (Option<ServerSideEncryption>, Option<String>, Option<bool>) {
        match &self.options.encryption {
            None => (None, None, None),
            Some(Encryption::Aes256) => (Some(ServerSideEncryption::Aes256), None, None),
            // A bucket key saves a request to KMS for every object.
            Some(Encryption::Kms(key)) => (Some(ServerSideEncryption::AwsKms), key.clone(), Some(true)),
        }
    }

    /// Runs `attempt` until it succeeds, fails for good, or our patience is at its end.
    async fn retrying<T, F>(&self, attempt: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T, AttemptError>>,
    {
        let mut tally = Tally::default();
        loop {
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
                None => return Err(error.temporary().persistent()),
            }
        }
    }

    async fn put(&self, object: &Object) -> Result<Created, AttemptError> {
        let (encryption, kms_key, bucket_key) = self.encryption();
        let sent = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(self.key(&object.key))
            .if_none_match("*")
            // Kept with the object, so that what is there can be compared without reading it.
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .body(object.bytes.clone().into())
            .content_type(object.content_type)
            .set_content_encoding(object.content_encoding.map(str::to_owned))
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key)
            .set_bucket_key_enabled(bucket_key)
            .set_expected_bucket_owner(self.options.bucket_owner.clone())
            .send()
            .await;
        self.created(sent, &object.key)
    }

    /// What came of the request that makes an object visible.
    fn created<T, E>(
        &self,
        sent: Result<T, SdkError<E, HttpResponse>>,
        key: &str,
    ) -> Result<Created, AttemptError>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let Err(error) = sent else { return Ok(Created::New) };
        let failed = || self.call("create object", PUT, key).failed(&error);
        match refusal(&error) {
            Some(Refusal::ConditionFailed) => Ok(Created::Exists),
            Some(Refusal::Conflict | Refusal::UploadEnded) => Err(AttemptError::Again(failed())),
            None => Err(AttemptError::Failed(failed())),
        }
    }

    /// Stores a large object in parts.
    async fn upload(&self, object: &Object) -> Result<Created, AttemptError> {
        let upload = self.begin_upload(&object.key, object.content_type, object.content_encoding).await?;
        let parts = self.upload_parts(object, &upload).await;
        self.end_upload(&object.key, &upload, parts.map_err(AttemptError::from)).await
    }

    async fn begin_upload(
        &self,
        key: &str,
        content_type: &str,
        content_encoding: Option<&str>,
    ) -> Result<String> {
        let (encryption, kms_key, bucket_key) = self.encryption();
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(self.key(key))
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .content_type(content_type)
            .set_content_encoding(content_encoding.map(str::to_owned))
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key)
            .set_bucket_key_enabled(bucket_key)
            .set_expected_bucket_owner(self.options.bucket_owner.clone())
            .send()
            .await
            .map_err(|error| self.call("begin upload", PUT, key).failed(&error))?;
        begun.upload_id.ok_or_else(|| {
            Error::new(ErrorKind::Storage, "begin upload", "S3 gave the upload no id").with("key", key)
        })
    }

    /// Makes the object of its parts. If that fails, what went up is thrown away; if even that fails, it costs storage
    /// until the bucket's lifecycle rule for unfinished uploads removes it.
    async fn end_upload(
        &self,
        key: &str,
        upload: &str,
        parts: Result<Vec<CompletedPart>, AttemptError>,
    ) -> Result<Created, AttemptError> {
        let created = match parts {
            Ok(parts) => self.complete(key, upload, parts).await,
            Err(error) => Err(error),
        };
        if !matches!(created, Ok(Created::New)) {
            let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(self.key(key));
            let abort = abort.set_expected_bucket_owner(self.options.bucket_owner.clone());
            let _ = abort.upload_id(upload).send().await;
        }
        created
    }

    async fn upload_parts(&self, object: &Object, upload: &str) -> Result<Vec<CompletedPart>> {
        let size = PART_SIZE.max(object.bytes.len().div_ceil(MAX_PARTS));
        let starts = (0..object.bytes.len()).step_by(size);
        let parts = (1..).zip(starts).map(|(number, start)| {
            let part = object.bytes.slice(start..object.bytes.len().min(start + size));
            self.upload_part(&object.key, upload, number, part)
        });
        stream::iter(parts).buffered(PARTS_AT_ONCE).try_collect().await
    }

    async fn upload_part(&self, key: &str, upload: &str, number: i32, part: Bytes) -> Result<CompletedPart> {
        let sent = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(self.key(key))
            .upload_id(upload)
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(part.into())
            .set_expected_bucket_owner(self.options.bucket_owner.clone())
            .send()
            .await
            .map_err(|error| self.call("upload part", PUT, key).failed(&error))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .build())
    }

    async fn complete(
        &self,
        key: &str,
        upload: &str,
        parts: Vec<CompletedPart>,
    ) -> Result<Created, AttemptError> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let sent = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(self.key(key))
            .upload_id(upload)
            .multipart_upload(parts)
            .if_none_match("*")
            .set_expected_bucket_owner(self.options.bucket_owner.clone())
            .send()
            .await;
        self.created(sent, key)
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, AttemptError> {
        let sent = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.key(key))
            .checksum_mode(ChecksumMode::Enabled)
            .set_expected_bucket_owner(self.options.bucket_owner.clone())
            .send()
            .await;
        match sent {
            Ok(output) => self.body(key, output).await.map(Some),
            Err(error) if code(&error) == Some("NoSuchKey") => Ok(None),
            Err(error) => Err(self.call("read object", GET, key).failed(&error).into()),
        }
    }

    async fn body(&self, key: &str, output: GetObjectOutput) -> Result<Bytes, AttemptError> {
        let expected = output.content_length.and_then(|length| u64::try_from(length).ok());
        let broken = |why: String| {
            let error = Error::new(ErrorKind::Storage, "read object", "the object did not arrive whole");
            AttemptError::Again(error.caused_by(why).with("bucket", &self.bucket).with("key", self.key(key)))
        };
        let body = output.body.collect().await.map_err(|error| broken(error.to_string()))?.into_bytes();
        match expected {
            Some(expected) if expected != body.len() as u64 => {
                Err(broken(format!("{} of {expected} bytes came", body.len())))
            }
            _ => Ok(body),
        }
    }

    /// A page of a listing, and where the next one begins.
    async fn page(
        &self,
        prefix: &str,
        from: Option<String>,
    ) -> Result<(Vec<Result<Listed>>, Option<String>)> {
        let page = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(self.key(prefix))
            .set_continuation_token(from)
            .set_expected_bucket_owner(self.options.bucket_owner.clone())
            .send()
            .await
            .map_err(|error| self.call("list objects", "s3:ListBucket", "").failed(&error))?;
        let next = page.next_continuation_token.filter(|_| page.is_truncated == Some(true));
        let listed = page.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let key = object.key?.strip_prefix(&self.prefix)?.to_owned();
            let bytes = object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
            let written = object.last_modified.and_then(|time| Timestamp::from_second(time.secs()).ok());
            Some(Ok(Listed { key, bytes, written: written.unwrap_or(Timestamp::MAX) }))
        });
        Ok((listed.collect(), next))
    }
}

const PUT: &str = "s3:PutObject";
const GET: &str =
    "s3:GetObject (and s3:ListBucket on the bucket, without which S3 does not say that an object is missing)";

/// Why an attempt did not succeed.
enum AttemptError {
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

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|output| output.status().as_u16())
}

fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

impl Sink for S3Bucket {
    fn copy_from<'a>(
        &'a self,
        from: &'a dyn Sink,
        known: &'a StoredObject,
    ) -> BoxFuture<'a, Result<Created>> {
        match from.bucket_location() {
            Some(location) => Box::pin(async move { self.copy(&self.at(location), known).await }),
            None => Box::pin(super::copy_by_reading(self, from, known)),
        }
    }

    fn memory_to_copy(&self, from: &dyn Sink, bytes: u64) -> u64 {
        match from.bucket_location() {
            // Where S3 knows no digest we compute it, piece by piece.
            Some(_) => bytes.min(copy::PIECE),
            None => bytes,
        }
    }

    fn bucket_location(&self) -> Option<BucketLocation> {
        Some(BucketLocation {
            bucket: self.bucket.clone(),
            prefix: self.prefix.clone(),
            owner: self.options.bucket_owner.clone(),
        })
    }

    fn create(&self, object: Object) -> BoxFuture<'_, Result<Created>> {
        Box::pin(async move {
            check_key(&object.key)?;
            if object.bytes.len() > MULTIPART_ABOVE {
                self.retrying(|| self.upload(&object)).await
            } else {
                self.retrying(|| self.put(&object)).await
            }
        })
    }

    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>> {
        Box::pin(async move {
            check_key(key)?;
            self.retrying(move || self.get(key)).await
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<Listed>> {
        let pages = stream::try_unfold(Some(None), move |from: Option<Option<String>>| async move {
            let Some(from) = from else { return Ok::<_, Error>(None) };
            let (listed, next) = self.page(prefix, from).await?;
            Ok(Some((stream::iter(listed), next.map(Some))))
        });
        pages.try_flatten().boxed()
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let removed = self
                .client
                .delete_object()
                .bucket(&self.bucket)
                .key(self.key(key))
                .set_expected_bucket_owner(self.options.bucket_owner.clone())
                .send()
                .await;
            let call = || self.call("remove object", "s3:DeleteObject", key);
            removed.map(drop).map_err(|error| call().failed(&error))
        })
    }

    /// Creates a small object that says what this place is: after that, bucket, region, credentials and permissions are
    /// known to be right. Looking at the bucket would take a permission that writing does not need.
    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let bytes = Bytes::from_static(ABOUT);
            let about = Object {
                key: "_circulate/about.json".to_owned(),
                bytes,
                content_type: "application/json",
                content_encoding: None,
            };
            self.create(about).await.map(drop)
        })
    }

    fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix).trim_end_matches('/').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::sync::Mutex;

    use super::*;
    use crate::testing::{self, object, stand_in};

    /// An S3 in trouble: nine times it responds with these statuses to a key, or ends the connection where there is none,
    /// and then it creates the object. Returns its URL.
    fn in_trouble(statuses: [Option<u16>; 9]) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (requests, mut stream) = (Arc::clone(&requests), BufReader::new(stream.unwrap()));
                std::thread::spawn(move || {
                    let (mut head, mut line) = (Vec::new(), String::new());
                    while stream.read_line(&mut line).is_ok_and(|length| length > 2) {
                        head.push(std::mem::take(&mut line).to_lowercase());
                    }
                    let Some(first) = head.first().cloned() else { return };
                    let length = head
                        .iter()
                        .find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
                    let mut body = vec![0; length.unwrap_or(0)];
                    stream.read_exact(&mut body).unwrap();
                    let mut requests = requests.lock().unwrap();
                    let number = requests.entry(first).or_default();
                    *number += 1;
                    let status = statuses.get(*number - 1).copied().unwrap_or(Some(200));
                    let Some(status) = status else { return };
                    let response =
                        format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                    stream.get_mut().write_all(response.as_bytes()).unwrap();
                });
            }
        });
        url
    }

    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn many_writes_that_meet_trouble_at_once_have_ten_tries_each() {
        let trouble =
            [Some(503), Some(500), None, Some(502), Some(520), Some(429), None, Some(599), Some(504)];
        let aws = Aws::at(&in_trouble(trouble)).await.unwrap().in_a_hurry();
        let sink = S3Bucket::new(&aws, "lake", "", S3Options::default());
        let writes = (0..20).map(|number| sink.create(object(&format!("{number}"), "text")));
        for created in futures_util::future::join_all(writes).await {
            assert_eq!(created.unwrap(), Created::New);
        }
        sink.probe().await.unwrap();
    }

    const SERVERS: [&str; 2] = ["MINISTACK", "S3S"];
    /// s3s-fs looks whether a key is free and then writes, so two at once both find it free: it can't judge races.
    const SERVERS_WITH_RACES: [&str; 2] = ["MINISTACK", "MOTO"];

    async fn new_bucket(server: &str) -> S3Bucket {
        let bucket = format!("lake-{:08x}", fastrand::u32(..));
        let sink = S3Bucket::new(&stand_in(server).await, &bucket, "some/prefix/", S3Options::default());
        sink.client.create_bucket().bucket(&bucket).send().await.unwrap();
        sink
    }

    fn large(byte: u8) -> Object {
        Object { bytes: vec![byte; MULTIPART_ABOVE + 1].into(), ..object("large.json", "") }
    }

    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn s3_passes_the_sink_suite() {
        for server in SERVERS {
            testing::storing_suite(&new_bucket(server).await).await;
        }
        for server in SERVERS_WITH_RACES {
            testing::racing_suite(&new_bucket(server).await).await;
        }
    }

    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn large_objects_go_up_in_parts_and_overwrite_nothing() {
        for server in SERVERS {
            let sink = new_bucket(server).await;
            assert_eq!(sink.create(large(1)).await.unwrap(), Created::New);
            assert_eq!(sink.create(large(2)).await.unwrap(), Created::Exists);
            assert_eq!(sink.read("large.json").await.unwrap().unwrap(), large(1).bytes);
            let head = sink.client.head_object().bucket(&sink.bucket).key("some/prefix/large.json");
            let head = head.send().await.unwrap();
            assert!(head.e_tag().unwrap().contains("-3"), "three parts: {head:?}");
            assert_eq!(head.content_type(), Some("application/json"));
        }
    }

    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn an_upload_that_comes_too_late_leaves_nothing_behind() {
        let sink = new_bucket("MINISTACK").await;
        sink.create(large(1)).await.unwrap();
        sink.create(large(2)).await.unwrap();
        let uploads = sink.client.list_multipart_uploads().bucket(&sink.bucket).send().await.unwrap();
        assert_eq!(uploads.uploads(), []);
    }

    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn of_two_uploads_of_a_key_one_wins() {
        for server in ["MINISTACK"] {
            let sink = new_bucket(server).await;
            let (one, other) = tokio::join!(sink.create(large(1)), sink.create(large(2)));
            let mut created = [one.unwrap(), other.unwrap()];
            created.sort_by_key(|created| *created == Created::New);
            assert_eq!(created, [Created::Exists, Created::New], "{server}");
        }
    }

    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn headers_and_encryption_arrive() {
        let mut sink = new_bucket("MINISTACK").await;
        for (encryption, kms_key) in [
            (Encryption::Aes256, None),
            (Encryption::Kms(Some("arn:aws:kms:us-east-1:000000000000:key/k".to_owned())), Some("key/k")),
        ] {
            sink.options.encryption = Some(encryption.clone());
            let name = format!("{encryption:?}");
            let gzip = Object { content_encoding: Some("gzip"), ..object(&name, "text") };
            sink.create(gzip).await.unwrap();
            let head =
                sink.client.head_object().bucket(&sink.bucket).key(sink.key(&name)).send().await.unwrap();
            assert_eq!(
                (head.content_type(), head.content_encoding()),
                (Some("application/json"), Some("gzip"))
            );
            assert_eq!(head.server_side_encryption(), sink.encryption().0.as_ref());
            assert!(kms_key.is_none_or(|key| head.ssekms_key_id().unwrap().ends_with(key)));
        }
    }

    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn a_listing_of_many_pages_is_whole() {
        let sink = new_bucket("MINISTACK").await;
        let keys: Vec<_> = (0..1100).map(|n| format!("n/{n:04}")).collect();
        stream::iter(&keys)
            .map(|key| sink.create(object(key, "x")))
            .buffered(16)
            .try_for_each(|_| async { Ok(()) })
            .await
            .unwrap();
        let listed: Vec<_> = sink.list("n/").map_ok(|listed| listed.key).try_collect().await.unwrap();
        assert_eq!(listed, keys);
    }
}
