//! Copies from bucket to bucket, which S3 makes by itself: what it is to copy is what was looked at, by its entity tag,
//! and nothing is overwritten.
//!
//! Small objects are kept with their SHA-256, so a look at both sides is enough. Of others (large ones went up in parts,
//! whose checksum is one of checksums) the digest is computed, by reading them piece by piece.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedPart};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::bucket::{AttemptError, GET, PUT, S3Bucket, code, status};
use super::conditional::{ConditionalError, conditional_error};
use super::upload::{MAX_PARTS, PARTS_AT_ONCE};
use crate::error::Result;
use crate::lake::keys::check_key;
use crate::lake::sink::{Created, StoredObject, another, differs, missing};

/// Objects above this are copied in parts. One copy takes up to 5 GB, but has its response only when it is done.
const IN_PARTS_ABOVE: u64 = 64 * 1024 * 1024;
/// The size of a part of a copy.
const COPIED_PART: u64 = 64 * 1024 * 1024;
/// How much of an object is read at a time to compute its digest.
pub(super) const PIECE: u64 = 8 * 1024 * 1024;

/// An object as a look at it shows it.
struct ObjectHead {
    etag: String,
    bytes: u64,
    /// SHA-256 of the whole object in hex, if S3 knows it.
    sha256: Option<String>,
}

/// What came of a copy that was requested of S3.
enum CopyOutcome {
    Copied,
    /// The object was changed after we looked at it, or its key has been taken since.
    Refused,
}

impl S3Bucket {
    /// See [`Sink::copy_from`].
    pub(super) async fn copy(&self, from: &Self, known: &StoredObject) -> Result<Created> {
        check_key(&known.key)?;
        let (source, target) = tokio::join!(from.look(&known.key), self.look(&known.key));
        if let Some(there) = target? {
            return self.exists(&there, known).await;
        }
        let source = source?.ok_or_else(|| missing(&known.key))?;
        if !from.is(&source, known).await? {
            return Err(differs(&known.key));
        }
        let outcome = if known.bytes > IN_PARTS_ABOVE {
            self.retrying(|| self.copy_in_parts(from, known, &source.etag)).await?
        } else {
            self.retrying(|| self.copy_whole(from, known, &source.etag)).await?
        };
        match outcome {
            CopyOutcome::Copied => Ok(Created::New),
            CopyOutcome::Refused => match self.look(&known.key).await? {
                Some(there) => self.exists(&there, known).await,
                None => Err(differs(&known.key)),
            },
        }
    }

    async fn exists(&self, there: &ObjectHead, known: &StoredObject) -> Result<Created> {
        if self.is(there, known).await? { Ok(Created::Exists) } else { Err(another(&known.key)) }
    }

    /// Whether what was seen is what is known.
    async fn is(&self, seen: &ObjectHead, known: &StoredObject) -> Result<bool> {
        if seen.bytes != known.bytes {
            return Ok(false);
        }
        match &seen.sha256 {
            Some(sha256) => Ok(*sha256 == known.sha256),
            None => Ok(self.digest(&known.key, seen).await? == known.sha256),
        }
    }

    async fn look(&self, key: &str) -> Result<Option<ObjectHead>> {
        let sent = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(self.key(key))
            .checksum_mode(ChecksumMode::Enabled)
            .set_expected_bucket_owner(self.options.bucket_owner.clone())
            .send()
            .await;
        let head = match sent {
            Ok(head) => head,
            // Responses to HEAD have no body that could show whether it is the bucket or the object that is missing.
            Err(error) if status(&error) == Some(404) => return Ok(None),
            Err(error) => return Err(self.call("look at object", GET, key).failed(&error)),
        };
        let composite = head.checksum_type == Some(ChecksumType::Composite);
        let sha256 = head.checksum_sha256.filter(|_| !composite).and_then(|text| hex_of(&text));
        let bytes = head.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default();
        Ok(Some(ObjectHead { etag: head.e_tag.unwrap_or_default(), bytes, sha256 }))
    }

    /// Reads an object to its end, piece by piece.
    async fn digest(&self, key: &str, seen: &ObjectHead) -> Result<String> {
        let mut digest = Sha256::new();
        let mut start = 0;
        while start < seen.bytes {
            let end = seen.bytes.min(start + PIECE);
            digest.update(self.retrying(|| self.piece(key, seen, start, end - 1)).await?);
            start = end;
        }
        Ok(crate::hex(&digest.finalize()))
    }

    async fn piece(&self, key: &str, seen: &ObjectHead, start: u64, end: u64) -> Result<Bytes, AttemptError> {
        let sent = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.key(key))
            .range(format!("bytes={start}-{end}"))
            .if_match(&seen.etag)
            .set_expected_bucket_owner(self.options.bucket_owner.clone())
            .send()
            .await;
        match sent {
            Ok(output) => self.body(key, output).await,
            Err(error) if conditional_error(&error) == Some(ConditionalError::ConditionFailed) => {
                Err(differs(key).into())
            }
            Err(error) if code(&error) == Some("NoSuchKey") => Err(missing(key).into()),
            Err(error) => Err(self.call("read object", GET, key).failed(&error).into()),
        }
    }

    async fn copy_whole(
        &self,
        from: &Self,
        known: &StoredObject,
        etag: &str,
    ) -> Result<CopyOutcome, AttemptError> {
        let (encryption, kms_key, bucket_key) = self.encryption();
        let sent = self
            .client
            .copy_object()
            .bucket(&self.bucket)
            .key(self.key(&known.key))
            .copy_source(from.copy_source(&known.key))
            .copy_source_if_match(etag)
            .if_none_match("*")
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key)
            .set_bucket_key_enabled(bucket_key)
            .set_expected_bucket_owner(self.options.bucket_owner.clone())
            .set_expected_source_bucket_owner(from.options.bucket_owner.clone())
            .send()
            .await;
        let output = match sent {
            Ok(output) => output,
            Err(error) => return self.refused(from, &known.key, &error),
        };
        let stored = output.copy_object_result.and_then(|result| hex_of(&result.checksum_sha256?));
        match stored {
            Some(sha256) if sha256 != known.sha256 => Err(differs(&known.key).into()),
            _ => Ok(CopyOutcome::Copied),
        }
    }

    async fn copy_in_parts(
        &self,
        from: &Self,
        known: &StoredObject,
        etag: &str,
    ) -> Result<CopyOutcome, AttemptError> {
        let key = &known.key;
        let upload = self.begin_upload(key, known.content_type, known.content_encoding).await?;
        let size = COPIED_PART.max(known.bytes.div_ceil(MAX_PARTS as u64));
        let starts = (0..known.bytes).step_by(usize::try_from(size).unwrap_or(usize::MAX));
        let parts = (1..).zip(starts).map(|(number, start)| {
            let range = format!("bytes={start}-{}", known.bytes.min(start + size) - 1);
            self.copy_part(from, key, &upload, number, range, etag)
        });
        let parts = stream::iter(parts).buffered(PARTS_AT_ONCE).try_collect().await;
        match self.end_upload(key, &upload, parts).await? {
            Created::New => Ok(CopyOutcome::Copied),
            Created::Exists => Ok(CopyOutcome::Refused),
        }
    }

    async fn copy_part(
        &self,
        from: &Self,
        key: &str,
        upload: &str,
        number: i32,
        range: String,
        etag: &str,
    ) -> Result<CompletedPart, AttemptError> {
        let sent = self
            .client
            .upload_part_copy()
            .bucket(&self.bucket)
            .key(self.key(key))
            .upload_id(upload)
            .part_number(number)
            .copy_source(from.copy_source(key))
            .copy_source_if_match(etag)
            .copy_source_range(range)
            .set_expected_bucket_owner(self.options.bucket_owner.clone())
            .set_expected_source_bucket_owner(from.options.bucket_owner.clone())
            .send()
            .await;
        let copied = match sent {
            Ok(output) => output.copy_part_result,
            Err(error) => {
                self.refused(from, key, &error)?;
                // A part overwrites nothing: it is the source that has changed.
                return Err(differs(key).into());
            }
        };
        let (etag, crc32) = copied.map(|part| (part.e_tag, part.checksum_crc32)).unwrap_or_default();
        let part = CompletedPart::builder().part_number(number);
        Ok(part.set_e_tag(etag).set_checksum_crc32(crc32).build())
    }

    fn refused<E>(
        &self,
        from: &Self,
        key: &str,
        error: &SdkError<E, HttpResponse>,
    ) -> Result<CopyOutcome, AttemptError>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let permissions =
            format!("{PUT}, and s3:GetObject on arn:aws:s3:::{}/{}*,", from.bucket, from.prefix);
        let call = self.call("copy object", &permissions, key);
        match conditional_error(error) {
            Some(ConditionalError::ConditionFailed) => Ok(CopyOutcome::Refused),
            Some(ConditionalError::Conflict) => Err(AttemptError::Again(call.failed(error))),
            _ if code(error) == Some("NoSuchKey") => Err(missing(key).into()),
            _ => Err(call.failed(error).into()),
        }
    }

    /// How a copy names its source: every byte that a URL gives a meaning is escaped, but slashes.
    fn copy_source(&self, key: &str) -> String {
        escaped(&format!("{}/{}", self.bucket, self.key(key)))
    }
}

/// All but slashes and the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

fn escaped(path: &str) -> String {
    utf8_percent_encode(path, RESERVED).to_string()
}

/// A checksum as S3 writes it, in hex; `None` if it is not the SHA-256 of a whole object: one of parts has their number
/// behind it.
fn hex_of(checksum: &str) -> Option<String> {
    STANDARD.decode(checksum).ok().filter(|digest| digest.len() == 32).map(|digest| crate::hex(&digest))
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::ServerSideEncryption;

    use super::super::bucket::{Encryption, S3Options};
    use super::*;
    use crate::error::ErrorKind;
    use crate::lake::sink::{MemorySink, Object, Sink};
    use crate::testing::{self, object, stand_in};

    const SERVERS: [&str; 3] = ["MINISTACK", "MOTO", "S3S"];

    async fn new_bucket(server: &str, prefix: &str) -> S3Bucket {
        let bucket = format!("lake-{:08x}", fastrand::u32(..));
        let sink = S3Bucket::new(&stand_in(server).await, &bucket, prefix, S3Options::default());
        sink.client.create_bucket().bucket(&bucket).send().await.unwrap();
        sink
    }

    async fn two_buckets(server: &str) -> (S3Bucket, S3Bucket) {
        (new_bucket(server, "a b/50%+ü").await, new_bucket(server, "data").await)
    }

    fn known(object: &Object) -> StoredObject {
        StoredObject {
            key: object.key.clone(),
            bytes: object.bytes.len() as u64,
            sha256: crate::lake::manifest::sha256_hex(&object.bytes),
            content_type: object.content_type,
            content_encoding: object.content_encoding,
        }
    }

    #[test]
    fn sources_are_escaped_byte_by_byte() {
        assert_eq!(escaped("b/a b/50%+ü/é&#?=x~"), "b/a%20b/50%25%2B%C3%BC/%C3%A9%26%23%3F%3Dx~");
    }

    #[test]
    fn checksums_of_parts_are_no_digests() {
        let digest = STANDARD.encode([7; 32]);
        assert_eq!(hex_of(&digest), Some("07".repeat(32)));
        assert_eq!(hex_of(&format!("{digest}-3")), None);
        assert_eq!(hex_of(&STANDARD.encode([7; 4])), None);
    }

    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn buckets_pass_the_copying_suite() {
        for server in SERVERS {
            let (from, to) = two_buckets(server).await;
            testing::copying_suite(&from, &to).await;
        }
        let (from, to) = two_buckets("MINISTACK").await;
        testing::copying_suite(&MemorySink::default(), &to).await;
        testing::copying_suite(&from, &MemorySink::default()).await;
    }

    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn a_copy_between_buckets_takes_the_memory_of_a_piece() {
        let (from, to) = two_buckets("MINISTACK").await;
        assert_eq!(to.memory_to_copy(&from, PIECE + 1), PIECE);
        assert_eq!(to.memory_to_copy(&from, 5), 5);
        assert_eq!(to.memory_to_copy(&MemorySink::default(), PIECE + 1), PIECE + 1);
        assert_eq!(MemorySink::default().memory_to_copy(&from, PIECE + 1), PIECE + 1);
    }

    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn small_objects_are_kept_with_their_digest_and_so_are_copies() {
        for server in ["MINISTACK", "MOTO"] {
            let (from, to) = two_buckets(server).await;
            let gzip = Object { content_encoding: Some("gzip"), ..object("x", "text") };
            from.create(gzip.clone()).await.unwrap();
            to.copy_from(&from, &known(&gzip)).await.unwrap();
            for bucket in [&from, &to] {
                let seen = bucket.look("x").await.unwrap().unwrap();
                assert_eq!(seen.sha256, Some(known(&gzip).sha256), "{server}");
                let head = bucket.client.head_object().bucket(&bucket.bucket).key(bucket.key("x"));
                let head = head.send().await.unwrap();
                assert_eq!(
                    (head.content_type(), head.content_encoding()),
                    (Some("application/json"), Some("gzip")),
                    "{server}"
                );
            }
        }
    }

    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn large_objects_are_compared_by_reading_them_and_copied_in_parts() {
        let (from, mut to) = two_buckets("MINISTACK").await;
        to.options.encryption = Some(Encryption::Aes256);
        let mut bytes = vec![7; usize::try_from(IN_PARTS_ABOVE).unwrap() + 5];
        let last = bytes.len() - 1;
        bytes[last] = 8;
        let large = Object { bytes: bytes.into(), content_encoding: Some("gzip"), ..object("large é", "") };
        from.create(large.clone()).await.unwrap();
        assert_eq!(from.look("large é").await.unwrap().unwrap().sha256, None, "it went up in parts");
        assert_eq!(to.copy_from(&from, &known(&large)).await.unwrap(), Created::New);
        assert!(to.read("large é").await.unwrap().unwrap() == large.bytes);
        assert_eq!(to.copy_from(&from, &known(&large)).await.unwrap(), Created::Exists);
        let head = to.client.head_object().bucket(&to.bucket).key(to.key("large é")).send().await.unwrap();
        assert!(head.e_tag().unwrap().ends_with("-2\""), "{head:?}");
        assert_eq!((head.content_type(), head.content_encoding()), (Some("application/json"), Some("gzip")));
        assert_eq!(head.server_side_encryption(), Some(&ServerSideEncryption::Aes256));
        let wrong = StoredObject { sha256: "00".repeat(32), ..known(&large) };
        assert_eq!(to.copy_from(&from, &wrong).await.unwrap_err().kind(), ErrorKind::Mismatch);
        assert!(new_bucket("MINISTACK", "").await.copy_from(&from, &wrong).await.is_err());
    }

    /// Of the stand-ins, only some judge the condition: S3S those of whole copies, ministack all.
    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn what_changes_between_look_and_copy_is_not_copied() {
        for (server, parts) in [("S3S", false), ("MINISTACK", true)] {
            let (from, to) = two_buckets(server).await;
            from.create(object("x", "old")).await.unwrap();
            let seen = from.look("x").await.unwrap().unwrap();
            from.remove("x").await.unwrap();
            from.create(object("x", "new")).await.unwrap();
            let stored = known(&object("x", "old"));
            let outcome = to.copy_whole(&from, &stored, &seen.etag).await;
            assert!(matches!(outcome, Ok(CopyOutcome::Refused)), "{server}");
            if parts {
                let outcome = to.copy_in_parts(&from, &stored, &seen.etag).await;
                assert!(
                    matches!(outcome, Err(AttemptError::Failed(error)) if error.kind() == ErrorKind::Mismatch)
                );
            }
            assert_eq!(to.read("x").await.unwrap(), None, "{server}");
        }
    }
}
