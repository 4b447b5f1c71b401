//! When a batch is full. No I/O.

/// How large a batch may become. A batch never exceeds either bound, except that one record larger than the
/// size bound makes a batch of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// The most records. Default 1,000.
    pub records: usize,
    /// The most bytes of the finished object before compression, brackets and separators included. Default 3,000,000.
    pub bytes: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { records: 1_000, bytes: 3_000_000 }
    }
}

impl BatchLimits {
    /// Whether a batch of `records` may take one more that would make its finished size `bytes`.
    pub fn admit(&self, records: usize, bytes: usize) -> bool {
        records == 0 || (records < self.records && bytes <= self.bytes)
    }

    /// Whether a batch of `records` with finished size `bytes` should be closed without looking at the next record.
    pub fn full(&self, records: usize, bytes: usize) -> bool {
        records >= self.records || bytes >= self.bytes
    }
}
