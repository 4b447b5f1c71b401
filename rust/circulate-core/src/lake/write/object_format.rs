//! How objects look.

use crate::encode::{Compression, Format};
use crate::error::{Error, ErrorKind, Result};
use crate::extract::batch::{BatchLimits, Memory};

/// How objects look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ObjectFormat {
    /// How records become bytes.
    pub format: Format,
    /// How these are compressed: tables inside, other formats as a whole.
    pub compression: Compression,
    /// When an object is full.
    pub batch: BatchLimits,
}

impl ObjectFormat {
    /// Objects of `format`; what is not given is as it does best for most: JSON of 1,000 records or 3 MB by gzip, tables of 64 MB
    /// by zstd.
    pub fn new(
        format: Format,
        compression: Option<Compression>,
        records: Option<usize>,
        bytes: Option<usize>,
    ) -> Result<Self> {
        let (usual, batch) = if format.is_columnar() {
            (Compression::Zstd, BatchLimits::of_tables())
        } else {
            (Compression::Gzip, BatchLimits::default())
        };
        let compression = compression.unwrap_or(usual);
        if format.is_columnar() && (compression == Compression::Gzip || records.is_some()) {
            let what = if records.is_some() {
                "tables are closed by their size, not by a number of records"
            } else {
                "tables are compressed by zstd, or not at all"
            };
            return Err(Error::new(ErrorKind::Settings, "read settings", what)
                .hint("leave the option out (`batch_records`, `compression`)"));
        }
        let batch =
            BatchLimits { records: records.unwrap_or(batch.records), bytes: bytes.unwrap_or(batch.bytes) };
        Ok(Self { format, compression, batch })
    }

    /// The memory for such objects: so many bytes, or by default enough.
    pub fn memory(&self, bytes: Option<u64>) -> Result<Memory> {
        if self.format.is_columnar() {
            return Memory::for_tables_of(bytes);
        }
        bytes.map_or(Ok(Memory::default()), |bytes| Memory::new(bytes, self.batch))
    }

    /// How objects as a whole are compressed.
    pub fn around(&self) -> Compression {
        if self.format.is_columnar() { Compression::None } else { self.compression }
    }

    pub(super) fn suffix(&self) -> String {
        format!("{}{}", self.format.suffix(), self.around().suffix())
    }
}
