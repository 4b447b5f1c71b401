//! Copying an object between places: only what is as it was written is copied, and nothing is overwritten.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{Created, Object, Sink};
use crate::error::{Error, ErrorKind, Result};

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

/// What a manifest names is not there.
pub(crate) fn missing(key: &str) -> Error {
    Error::new(ErrorKind::Mismatch, "read object", "an object that the manifest names is missing")
        .with("key", key)
        .hint("was it removed by hand, or by a lifecycle rule that is shorter than the time it is needed?")
}

/// What a manifest names is there, but not as it was written.
pub(crate) fn differs(key: &str) -> Error {
    Error::new(ErrorKind::Mismatch, "read object", "the object differs from what was written")
        .with("key", key)
        .hint("something else wrote under this key: pull the run again, and see who may write there")
}

/// Something else is stored where an object was to go.
pub(crate) fn another(key: &str) -> Error {
    Error::new(ErrorKind::Mismatch, "create object", "another object is stored under this key")
        .with("key", key)
        .hint("objects are never overwritten; did something else write into this folder?")
}
