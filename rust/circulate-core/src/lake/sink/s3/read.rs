//! Reads objects and lists them.

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::ChecksumMode;
use bytes::Bytes;
use jiff::Timestamp;

use super::bucket::{AttemptError, GET, S3Bucket, code};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::sink::Listed;

impl S3Bucket {
    pub(super) async fn get(&self, key: &str) -> Result<Option<Bytes>, AttemptError> {
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

    pub(super) async fn body(&self, key: &str, output: GetObjectOutput) -> Result<Bytes, AttemptError> {
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
    pub(super) async fn page(
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
