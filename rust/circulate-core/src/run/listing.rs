//! What waits to be written together, and how large it is: one partition may be a batch of long ids.

/// Bytes that wait at most before they are written.
pub(super) const MAX_BYTES: usize = 4_000_000;

/// Items that wait.
#[derive(Debug)]
pub(super) struct Listing<T> {
    items: Vec<T>,
    bytes: usize,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self { items: Vec::new(), bytes: 0 }
    }
}

impl<T> Listing<T> {
    /// Adds an item of about this size.
    pub(super) fn push(&mut self, item: T, bytes: usize) {
        self.items.push(item);
        self.bytes += bytes;
    }

    /// Whether there are so many items, or so many bytes of them.
    pub(super) fn holds(&self, items: usize, bytes: usize) -> bool {
        self.items.len() >= items || self.bytes >= bytes
    }

    /// Takes all of them.
    pub(super) fn take(&mut self) -> Vec<T> {
        self.bytes = 0;
        std::mem::take(&mut self.items)
    }
}
