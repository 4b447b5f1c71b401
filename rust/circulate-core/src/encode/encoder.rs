//! The seam between records and the objects that hold them as they were received.

use std::fmt;

/// Builds one object after the other.
pub trait Encoder: Send + Sync + fmt::Debug {
    /// The size the object would have if it were finished after one more record of `length` bytes.
    fn size_with(&self, length: usize) -> usize;

    /// Adds a record.
    fn write(&mut self, record: &[u8]);

    /// Finishes the object and begins the next.
    fn finish(&mut self) -> Vec<u8>;
}
