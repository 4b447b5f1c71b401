//! Where objects go.

mod key;
mod local;
mod memory;
mod s3;

use std::fmt;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use jiff::Timestamp;

use crate::error::{Error, ErrorKind, Result};

pub use key::StreamKeys;
pub use local::LocalFolder;
pub(crate) use local::make_folders;
pub use memory::MemorySink;
pub use s3::{Encryption, S3Bucket, S3Options};

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

    /// Lists what lies below `prefix`, in no particular order. What is removed meanwhile may or may not be listed.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<Listed>>;

    /// Removes an object; that there is none is fine. Only garbage is ever removed.
    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>>;

    /// Makes sure that objects can be written, for a clear error before anything is asked of an API.
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
    Err(Error::new(ErrorKind::Mismatch, "create object", "another object is stored under this key")
        .with("key", key)
        .hint("objects are never overwritten; did something else write into this folder?"))
}
