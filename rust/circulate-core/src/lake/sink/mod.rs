//! Where objects go.

mod local;
mod memory;
mod mismatch;
mod s3;
mod seam;

pub use local::LocalFolder;
pub(crate) use local::make_folders;
pub use memory::MemorySink;
pub(crate) use mismatch::{another, differs, missing};
pub use s3::{Encryption, S3Bucket, S3Options};
pub use seam::{BucketLocation, Created, Listed, Object, Sink, StoredObject, copy_by_reading, create_same};
