//! When a batch is full, and how much of everything may be in memory. No I/O.

use crate::error::{Error, ErrorKind, Result};

/// How large a batch may become. A batch never exceeds either bound, except that one record larger than the
/// size bound makes a batch of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Record limit. Default 1,000.
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
    /// Of tables: 64 MB as they are stored, however many records that is.
    pub fn of_tables() -> Self {
        Self { records: usize::MAX, bytes: 64_000_000 }
    }

    /// Whether a batch of `records` may take one more that would make its finished size `bytes`.
    pub fn admit(&self, records: usize, bytes: usize) -> bool {
        records == 0 || (records < self.records && bytes <= self.bytes)
    }

    /// Whether a batch of `records` with finished size `bytes` should be closed without looking at the next record.
    pub fn full(&self, records: usize, bytes: usize) -> bool {
        records >= self.records || bytes >= self.bytes
    }
}

/// The least memory that a pull can do with.
const LEAST: u64 = 16_000_000;

/// Bytes of records that are made into tables at a time, if there is memory for them.
const PIECE: usize = 4_000_000;

/// The one setting that bounds the memory of a pull: what pages and objects on their way may hold. The process itself,
/// with interpreter and TLS, takes some 25 MB more, and what makes tables up to 75 MB besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory(u64);

impl Default for Memory {
    fn default() -> Self {
        Self(64_000_000)
    }
}

impl Memory {
    /// `bytes` for a pull with such batches; refuses what they do not fit in. Default 64,000,000.
    pub fn new(bytes: u64, batch: BatchLimits) -> Result<Self> {
        // One batch fills while one is packed, and its packed form waits to be stored: that leaves a share for pages.
        let least = (batch.bytes as u64).saturating_mul(4).max(LEAST);
        if bytes >= least {
            return Ok(Self(bytes));
        }
        Err(Error::new(
            ErrorKind::Settings,
            "read settings",
            format!("objects of up to {} bytes do not fit in {bytes} bytes of memory", batch.bytes),
        )
        .hint(format!("give at least {least} bytes (`memory`), or make objects smaller (`batch_bytes`)")))
    }

    /// Less than anything fits in, for tests of what does not fit.
    #[cfg(test)]
    pub(crate) fn tiny(bytes: u64) -> Self {
        Self(bytes)
    }

    /// `bytes` for a pull into tables, which become as large as there is room for. Default 128,000,000.
    pub fn for_tables_of(bytes: Option<u64>) -> Result<Self> {
        match bytes {
            None => Ok(Self(128_000_000)),
            Some(bytes) if bytes >= LEAST => Ok(Self(bytes)),
            Some(bytes) => Err(Error::new(
                ErrorKind::Settings,
                "read settings",
                format!("tables can't be made in {bytes} bytes of memory"),
            )
            .hint(format!("give at least {LEAST} bytes (`memory`)"))),
        }
    }

    /// The most bytes of an object that is a table: while one is stored, the next one grows.
    pub fn for_table(self, batch: BatchLimits) -> usize {
        batch.bytes.min(usize::try_from(self.0 / 2).unwrap_or(usize::MAX))
    }

    /// Bytes of records that are made into tables at a time.
    pub fn for_records(self) -> usize {
        PIECE.min(usize::try_from(self.0 / 16).unwrap_or(PIECE))
    }

    /// Bytes that a table may take before it is encoded. A record that lacks members takes more there than as text; where
    /// none does, all records of a piece are one table.
    pub fn for_columns(self) -> usize {
        self.for_records() * 2
    }

    /// Pages larger than this go to a temporary file; up to three are held at a time.
    pub fn for_page(self) -> u64 {
        self.0 / 16
    }

    /// Pages that go through a hook are no larger than this: they are in memory as a whole, here and in the hook.
    pub fn for_hooked_page(self) -> u64 {
        self.0 / 4
    }

    /// What keys of records may take that wait to be written.
    pub fn for_keys(self) -> usize {
        usize::try_from(self.0 / 64).unwrap_or(usize::MAX)
    }

    /// What keys may take that are sorted once all pages are read.
    pub fn for_sorting(self) -> u64 {
        self.0 / 16
    }

    /// What objects may hold that are being packed.
    pub fn for_packing(self) -> u64 {
        self.0 / 4
    }

    /// The most objects that are packed side by side: one more than there are cores, since one waits to be stored.
    pub fn packed_at_once() -> u32 {
        u32::try_from(std::thread::available_parallelism().map_or(2, usize::from)).unwrap_or(1) + 1
    }

    /// What objects may hold that are being stored.
    pub fn for_storing(self) -> u64 {
        self.0 / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_that_do_not_fit_in_memory_are_refused_with_the_way_out() {
        let batch = BatchLimits { bytes: 20_000_000, ..BatchLimits::default() };
        let error = Memory::new(64_000_000, batch).unwrap_err();
        assert!(error.hint_text().unwrap().contains("at least 80000000 bytes"), "{error:?}");
        assert!(Memory::new(80_000_000, batch).unwrap().for_packing() >= 20_000_000);
        assert!(Memory::new(1_000_000, BatchLimits::default()).is_err());
    }
}
