//! The formats of objects.

use serde::{Deserialize, Serialize};

use super::encoder::Encoder;
use super::json::{JsonArray, Ndjson};

/// The format of objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON array per object.
    #[default]
    Json,
    /// One record per line.
    Ndjson,
    /// Apache Parquet: a table.
    Parquet,
    /// The file format of Arrow IPC: a table.
    Arrow,
}

impl Format {
    /// An encoder that puts records as they were received into objects; `None` for tables, see [`Columnar`](super::Columnar).
    pub fn encoder(self) -> Option<Box<dyn Encoder>> {
        match self {
            Self::Json => Some(Box::<JsonArray>::default()),
            Self::Ndjson => Some(Box::<Ndjson>::default()),
            Self::Parquet | Self::Arrow => None,
        }
    }

    /// Whether its objects are tables.
    pub fn is_columnar(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow)
    }

    /// The end of an object's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Json => ".json",
            Self::Ndjson => ".ndjson",
            Self::Parquet => ".parquet",
            Self::Arrow => ".arrow",
        }
    }

    /// The media type of an object before compression.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            // Both as registered with IANA.
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Arrow => "application/vnd.apache.arrow.file",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::extract::batch::BatchLimits;

    /// Cuts records into objects as the object writer does.
    fn objects(format: Format, records: &[String], limits: BatchLimits) -> Vec<(usize, Vec<u8>)> {
        let mut encoder = format.encoder().unwrap();
        let mut objects = Vec::new();
        let mut count = 0;
        for record in records {
            if !limits.admit(count, encoder.size_with(record.len())) {
                objects.push((std::mem::take(&mut count), encoder.finish()));
            }
            encoder.write(record.as_bytes());
            count += 1;
        }
        if count > 0 {
            objects.push((count, encoder.finish()));
        }
        objects
    }

    fn decode(format: Format, object: &[u8]) -> Vec<String> {
        let text = std::str::from_utf8(object).unwrap();
        match format {
            Format::Json => text[1..text.len() - 1].split(',').map(str::to_owned).collect(),
            Format::Ndjson => text.lines().map(str::to_owned).collect(),
            Format::Parquet | Format::Arrow => unreachable!("they are no text"),
        }
    }

    proptest! {
        #[test]
        fn batches_lose_repeat_and_reorder_nothing_and_keep_both_limits(
            sizes in proptest::collection::vec(1usize..40, 1..60),
            records in 1usize..8,
            bytes in 10usize..100,
            ndjson in any::<bool>(),
        ) {
            let format = if ndjson { Format::Ndjson } else { Format::Json };
            let limits = BatchLimits { records, bytes };
            let sent: Vec<_> = sizes.iter().enumerate().map(|(n, size)| format!("{n}{}", "x".repeat(*size))).collect();
            let objects = objects(format, &sent, limits);
            for (count, object) in &objects {
                prop_assert!(*count <= records && (object.len() <= bytes || *count == 1));
            }
            let received: Vec<_> = objects.iter().flat_map(|(_, object)| decode(format, object)).collect();
            prop_assert_eq!(received, sent);
        }

        #[test]
        fn size_with_is_the_size_the_object_gets(sizes in proptest::collection::vec(1usize..40, 1..10)) {
            for format in [Format::Json, Format::Ndjson] {
                let mut encoder = format.encoder().unwrap();
                let mut expected = 0;
                for size in &sizes {
                    expected = encoder.size_with(*size);
                    encoder.write(&vec![b'x'; *size]);
                }
                prop_assert_eq!(encoder.finish().len(), expected);
            }
        }
    }
}
