//! Errors of objects that are not what a manifest says of them.

use crate::error::{Error, ErrorKind};

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
