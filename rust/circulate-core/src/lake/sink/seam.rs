//! What every store of objects can do, and what is made of it: copies from one to another.

use std::fmt;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::mismatch::{another, differs, missing};
use crate::error::Result;

/// An object to store.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its key: relative, `/` between parts.
    pub key: String,
    /// Its bytes as stored.
    pub bytes: Bytes,
    /// Its media type.
    pub content_type: &'static str,
    /// Its compression, if any.
    pub content_encoding: Option<&'static str>,
}

/// An object as it is known to have been stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// Its media type.
    pub content_type: &'static str,
    /// Its compression, if any.
    pub content_encoding: Option<&'static str>,
}

impl StoredObject {
    fn is(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.bytes && crate::hex(&Sha256::digest(bytes)) == self.sha256
    }

    fn object(&self, bytes: Bytes) -> Object {
        let Self { key, content_type, content_encoding, .. } = self;
        Object { key: key.clone(), bytes, content_type, content_encoding: *content_encoding }
    }
}

/// Where objects lie in S3. All buckets of a process are reached by the same region, endpoint and credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketLocation {
    /// Name of the bucket.
    pub bucket: String,
    /// What the keys in the bucket begin with. Empty, or with a slash at its end.
    pub prefix: String,
    /// The AWS account that must own the bucket; requests fail if it is another one.
    pub owner: Option<String>,
}

/// What came of creating an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is there now, and was not before.
    New,
    /// There was an object of that key already. It was not touched.
    Exists,
}

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its size as stored.
    pub bytes: u64,
    /// When it was written, by the store's clock.
    pub written: Timestamp,
}

/// A store of immutable objects. Nothing is ever overwritten.
pub trait Sink: Send + Sync + fmt::Debug {
    /// Stores an object unless its key is taken. After `Ok` it is durable and whole; a failure leaves nothing that
    /// a reader would see.
    fn create(&self, object: Object) -> BoxFuture<'_, Result<Created>>;

    /// Reads an object; `None` if there is none.
    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>>;

    /// Creates the object that `from` has under the same key and that must be as it is `known`, unless it is here already.
    /// What is not as known, there or here, is a mismatch.
    fn copy_from<'a>(
        &'a self,
        from: &'a dyn Sink,
        known: &'a StoredObject,
    ) -> BoxFuture<'a, Result<Created>> {
        Box::pin(copy_by_reading(self, from, known))
    }

    /// Bytes of memory that copying an object of this size from `from` takes.
    fn memory_to_copy(&self, _from: &dyn Sink, bytes: u64) -> u64 {
        bytes
    }

    /// Where objects lie, if that is a bucket: another bucket then copies them without sending us the bytes.
    fn bucket_location(&self) -> Option<BucketLocation> {
        None
    }

    /// Lists what lies below `prefix`, in no particular order. What is removed meanwhile may or may not be listed.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<Listed>>;

    /// Removes an object; that there is none is fine. Only garbage is ever removed.
    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>>;

    /// Makes sure that objects can be written, for a clear error before anything is requested of an API.
    fn probe(&self) -> BoxFuture<'_, Result<()>>;

    /// The place as a person writes it; state refuses to go on with another one.
    fn uri(&self) -> String;
}

/// Creates an object that may be there already from an earlier try of ours: equal content is success.
pub async fn create_same(sink: &dyn Sink, object: Object) -> Result<()> {
    let (key, bytes) = (object.key.clone(), object.bytes.clone());
    if sink.create(object).await? == Created::New
        || sink.read(&key).await?.is_some_and(|there| there == bytes)
    {
        return Ok(());
    }
    Err(another(&key))
}

/// Copies an object through memory.
pub async fn copy_by_reading<S: Sink + ?Sized>(
    to: &S,
    from: &dyn Sink,
    known: &StoredObject,
) -> Result<Created> {
    if let Some(there) = to.read(&known.key).await? {
        return if known.is(&there) { Ok(Created::Exists) } else { Err(another(&known.key)) };
    }
    let bytes = from.read(&known.key).await?.ok_or_else(|| missing(&known.key))?;
    if !known.is(&bytes) {
        return Err(differs(&known.key));
    }
    match to.create(known.object(bytes)).await? {
        Created::New => Ok(Created::New),
        Created::Exists if to.read(&known.key).await?.is_some_and(|there| known.is(&there)) => {
            Ok(Created::Exists)
        }
        Created::Exists => Err(another(&known.key)),
    }
}
