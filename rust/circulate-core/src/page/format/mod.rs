//! The body of a page, whatever its format, as the JSON document that is split into records and kept.

mod csv;
mod document;
mod ndjson;
mod split;

use bytes::Bytes;

use super::record::{ByteSpan, Split, Splitter};
use super::watch::Watch;
use crate::catalog::PageFormat;

use csv::CsvReader;
pub(super) use document::BodyError;
use document::Document;
use ndjson::NdjsonReader;
use split::SplitReader;

/// The one pass over a body. Feed it pieces, [`end`](Self::end) it, then take what it is [split](Self::split) into.
#[derive(Debug)]
pub(super) struct Intake<'w> {
    reader: FormatReader<'w>,
    document: Document<'w>,
}

#[derive(Debug)]
enum FormatReader<'w> {
    /// The body is the document.
    Json,
    Ndjson(NdjsonReader<'w>),
    Csv(CsvReader<'w>),
    /// Records that a hook makes.
    Split(SplitReader),
}

impl<'w> Intake<'w> {
    /// A pass over a body in the format that `watch` says, with lines and rows of at most `max_record` bytes.
    pub(super) fn new(watch: &'w Watch, splitter: Splitter<'w>, max_record: u64) -> Self {
        let reader = match watch.format() {
            PageFormat::Json => FormatReader::Json,
            PageFormat::Ndjson => FormatReader::Ndjson(NdjsonReader::new(watch, max_record)),
            PageFormat::NdjsonWithTrailer => {
                FormatReader::Ndjson(NdjsonReader::new(watch, max_record).with_trailer())
            }
            PageFormat::Csv => FormatReader::Csv(CsvReader::new(watch, max_record)),
        };
        Self { reader, document: Document::new(splitter) }
    }

    /// A pass over a JSON document, whatever the format of pages.
    pub(super) fn of_json(splitter: Splitter<'w>) -> Self {
        Self { reader: FormatReader::Json, document: Document::new(splitter) }
    }

    /// A pass over records that are whole already.
    pub(super) fn of_records(splitter: Splitter<'w>) -> Self {
        Self { reader: FormatReader::Split(SplitReader::default()), document: Document::new(splitter) }
    }

    /// Takes the next records; returns the next piece of the document.
    pub(super) fn feed_records(&mut self, records: &[Bytes]) -> Result<&[u8], BodyError> {
        let document = self.document.restart();
        if let FormatReader::Split(reader) = &mut self.reader {
            reader.feed(records, document)?;
        }
        Ok(self.document.piece())
    }

    /// Takes the next piece of the body; returns the next piece of the document.
    pub(super) fn feed<'p>(&'p mut self, piece: &'p [u8]) -> Result<&'p [u8], BodyError> {
        let document = &mut self.document;
        match &mut self.reader {
            FormatReader::Json => {
                document.check(piece)?;
                return Ok(piece);
            }
            FormatReader::Ndjson(reader) => reader.feed(piece, document.restart())?,
            FormatReader::Csv(reader) => reader.feed(piece, document.restart())?,
            FormatReader::Split(_) => {}
        }
        Ok(document.piece())
    }

    /// Ends the body; returns the last piece of the document.
    pub(super) fn end(&mut self) -> Result<&[u8], BodyError> {
        let document = self.document.restart();
        match &mut self.reader {
            FormatReader::Json => {}
            FormatReader::Ndjson(reader) => reader.end(document)?,
            FormatReader::Csv(reader) => reader.end(document)?,
            FormatReader::Split(_) => SplitReader::end(document)?,
        }
        Ok(self.document.piece())
    }

    /// Where the members of the document stand that show whether it is an error.
    pub(super) fn error_fields(&self) -> &[Option<ByteSpan>] {
        self.document.error_fields()
    }

    /// What the document holds.
    pub(super) fn split(self) -> Result<Split, BodyError> {
        self.document.finish()
    }
}

#[cfg(test)]
#[path = "../tests/format.rs"]
mod tests;
