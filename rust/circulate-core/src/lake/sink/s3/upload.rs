//! Uploads of objects, whole or in parts.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::bucket::{AttemptError, PUT, S3Bucket};
use super::conditional::{ConditionalError, conditional_error};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::sink::{Created, Object};

/// The size of a part; S3 allows 5 MiB to 5 GiB.
const PART_SIZE: usize = 8 * 1024 * 1024;
/// How many parts S3 takes.
pub(super) const MAX_PARTS: usize = 10_000;
/// Parts of one object on their way at the same time.
pub(super) const PARTS_AT_ONCE: usize = 4;

impl S3Bucket {
    pub(super) async fn put(&self, object: &Object) -> Result<Created, AttemptError> {
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
        match conditional_error(&error) {
            Some(ConditionalError::ConditionFailed) => Ok(Created::Exists),
            Some(ConditionalError::Conflict | ConditionalError::UploadEnded) => {
                Err(AttemptError::Again(failed()))
            }
            None => Err(AttemptError::Failed(failed())),
        }
    }

    /// Stores a large object in parts.
    pub(super) async fn upload(&self, object: &Object) -> Result<Created, AttemptError> {
        let upload = self.begin_upload(&object.key, object.content_type, object.content_encoding).await?;
        let parts = self.upload_parts(object, &upload).await;
        self.end_upload(&object.key, &upload, parts.map_err(AttemptError::from)).await
    }

    pub(super) async fn begin_upload(
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
    pub(super) async fn end_upload(
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
}
