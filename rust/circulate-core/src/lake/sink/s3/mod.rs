//! A bucket as a sink: the only user of aws-sdk-s3.
//!
//! Every object is created with `If-None-Match: *`, which S3 judges when the object becomes visible: at the end of a PUT,
//! or when a multipart upload is completed
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>). S3 checks a checksum of what arrives,
//! and the SDK one of what is read back. The SDK retries requests; bodies that break off while they are read, and
//! writes that met another one (409), are tried again here.

mod bucket;
mod conditional;
mod copy;
mod read;
mod upload;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::{BucketLocation, Created, Listed, Object, Sink, StoredObject, copy_by_reading};
use crate::error::{Error, Result};
use crate::lake::keys::check_key;

pub use bucket::{Encryption, S3Bucket, S3Options};

/// Objects above this go up in parts. One PUT takes up to 5 GB, but begins again from its first byte when it fails.
const MULTIPART_ABOVE: usize = 16 * 1024 * 1024;
/// What [`Sink::probe`] writes.
const ABOUT: &[u8] =
    b"{\"schema\":1,\"about\":\"Data pulled by Circulate Core. Only what a manifest below _circulate/ \
    names is committed; these manifests are SOURCE/ACCOUNT/ENDPOINT/RUN.json.\"}\n";

impl Sink for S3Bucket {
    fn copy_from<'a>(
        &'a self,
        from: &'a dyn Sink,
        known: &'a StoredObject,
    ) -> BoxFuture<'a, Result<Created>> {
        match from.bucket_location() {
            Some(location) => Box::pin(async move { self.copy(&self.at(location), known).await }),
            None => Box::pin(copy_by_reading(self, from, known)),
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
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::aws::Aws;
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
