//! Bytes of an object in, its records out.

use std::io::Cursor;

use arrow_ipc::reader::FileReader;
use bytes::Bytes;
use parquet::file::reader::{FileReader as _, SerializedFileReader};

use super::Format;
use crate::error::{Error, ErrorKind, Result};
use crate::page::record::{SplitError, Splitter};
use crate::page::{Record, Watch};

impl Format {
    /// Goes through the records of an object, with what `watch` watches of each.
    pub fn for_each_record(
        self,
        body: &[u8],
        watch: &Watch,
        mut each: impl FnMut(&Record<'_>) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Json => array(body, watch, &mut each),
            Self::Ndjson => {
                let mut line_as_array = Vec::new();
                body.split_inclusive(|byte| *byte == b'\n').try_for_each(|line| {
                    line_as_array.clear();
                    line_as_array.push(b'[');
                    line_as_array.extend_from_slice(line);
                    line_as_array.push(b']');
                    array(&line_as_array, watch, &mut each)
                })
            }
            Self::Parquet | Self::Arrow => Err(Error::new(
                ErrorKind::Mismatch,
                "read object",
                "a table does not hold records as received",
            )),
        }
    }

    /// The rows of an object that is a table, by its footer.
    pub fn rows(self, object: Bytes) -> Result<u64> {
        let not_a_table =
            || Error::new(ErrorKind::Mismatch, "read object", "the object is not a valid table");
        if self == Self::Arrow {
            let mut batches = FileReader::try_new(Cursor::new(object), None)
                .map_err(|error| not_a_table().caused_by(error))?;
            return batches.try_fold(0, |rows, batch| match batch {
                Ok(batch) => Ok(rows + batch.num_rows() as u64),
                Err(error) => Err(not_a_table().caused_by(error)),
            });
        }
        let file = SerializedFileReader::new(object).map_err(|error| not_a_table().caused_by(error))?;
        u64::try_from(file.metadata().file_metadata().num_rows()).map_err(|_| not_a_table())
    }
}

/// Bytes of an object that are split at a time: the places of all records may take more memory than the records.
const PIECE: usize = 64 * 1024;

fn array(body: &[u8], watch: &Watch, each: &mut impl FnMut(&Record<'_>) -> Result<()>) -> Result<()> {
    let mut splitter = Splitter::new(watch, u64::MAX, usize::MAX);
    let (mut records, mut fields) = (Vec::new(), Vec::new());
    let per_record = watch.record_fields();
    for piece in body.chunks(PIECE) {
        splitter.feed(piece).map_err(|error| not_json(&error))?;
        splitter.take_records(&mut records, &mut fields);
        for (number, span) in records.iter().enumerate() {
            let fields = fields.get(number * per_record..(number + 1) * per_record);
            each(&Record::new(body, span, fields.unwrap_or_default()))?;
        }
    }
    splitter.finish().map(drop).map_err(|error| not_json(&error))
}

fn not_json(error: &SplitError) -> Error {
    Error::new(ErrorKind::Mismatch, "read object", "the object is not valid JSON").with("byte", error.offset)
}
