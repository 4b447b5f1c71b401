//! JSON objects, one a line.

use super::document::{BodyError, Document};
use crate::page::record::{BYTE_ORDER_MARK, ByteSpan, Found, Problem, Splitter};
use crate::page::watch::{MEMBER_OF_LINES, Watch};

/// Lines become the elements of an array; a trailer, which is the last of them, becomes what stands around it.
#[derive(Debug)]
pub(super) struct NdjsonReader<'w> {
    watch: &'w Watch,
    max_line: u64,
    /// What has come of a line.
    line: Vec<u8>,
    /// Its number, from 1 on.
    number: u64,
    /// The only record so far, with the number of its line.
    only: Option<(Vec<u8>, u64)>,
    trailer: Option<Trailer<'w>>,
}

/// The last line that is known, with its number: it is the trailer if none follows.
#[derive(Debug)]
struct Trailer<'w> {
    watch: &'w Watch,
    line: Vec<u8>,
    number: u64,
}

impl<'w> NdjsonReader<'w> {
    pub(super) fn new(watch: &'w Watch, max_line: u64) -> Self {
        Self { watch, max_line, line: Vec::new(), number: 1, only: None, trailer: None }
    }

    pub(super) fn with_trailer(self) -> Self {
        Self { trailer: Some(Trailer { watch: self.watch, line: Vec::new(), number: 0 }), ..self }
    }

    pub(super) fn feed(&mut self, piece: &[u8], document: &mut Document<'_>) -> Result<(), BodyError> {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.end_line(document, false)?;
                self.number += 1;
            } else if self.line.len() as u64 > self.max_line {
                return Err(BodyError::in_line(self.number, Problem::RecordTooLarge));
            }
        }
        Ok(())
    }

    pub(super) fn end(&mut self, document: &mut Document<'_>) -> Result<(), BodyError> {
        self.end_line(document, true)?;
        if let Some((line, number)) = &self.only {
            check_only_record(line, self.watch).map_err(|problem| BodyError::in_line(*number, problem))?;
        }
        match self.trailer.take() {
            Some(trailer) if trailer.number > 0 => trailer.end(document),
            None if document.has_begun() => Ok(document.write(&[b"]"])?),
            _ => Ok(()),
        }
    }

    /// Takes a line in. One that nothing ends may have been cut off.
    fn end_line(&mut self, document: &mut Document<'_>, is_last: bool) -> Result<(), BodyError> {
        let mut line = std::mem::take(&mut self.line);
        let mut text = line.trim_ascii();
        if self.number == 1 {
            text = text.strip_prefix(BYTE_ORDER_MARK.as_slice()).unwrap_or(text).trim_ascii();
        }
        if text.starts_with(b"<") && !document.has_begun() {
            return Err(BodyError::in_line(self.number, Problem::Markup));
        }
        if !text.is_empty() {
            match &mut self.trailer {
                None => {
                    self.only = (!document.has_begun()).then(|| (text.to_vec(), self.number));
                    write_line(text, self.number, is_last, document, b"[")?;
                }
                Some(trailer) => {
                    if trailer.number > 0 {
                        write_line(&trailer.line, trailer.number, false, document, &start_of_lines())?;
                    }
                    trailer.number = self.number;
                    trailer.line.clear();
                    trailer.line.extend_from_slice(text);
                }
            }
        }
        line.clear();
        self.line = line;
        Ok(())
    }
}

/// The document up to its first line, if it has a trailer.
fn start_of_lines() -> Vec<u8> {
    format!("{{\"{MEMBER_OF_LINES}\":[").into_bytes()
}

fn write_line(
    line: &[u8],
    number: u64,
    is_last: bool,
    document: &mut Document<'_>,
    start: &[u8],
) -> Result<(), BodyError> {
    let wrong = |problem| Err(BodyError::in_line(number, problem));
    match document.write_record(start, line) {
        Ok(true) => Ok(()),
        Ok(false) if is_last && document.is_in_record() => wrong(Problem::Truncated),
        Ok(false) => wrong(Problem::Syntax("one whole object in each line")),
        Err(error) => wrong(error.problem),
    }
}

/// The members of a line that are wanted of the page, and those that identify a record; `None` of what is no JSON, which is
/// found to be so when it is written.
type FoundMembers = Option<(Vec<bool>, Vec<bool>)>;

fn members_of(line: &[u8], watch: &Watch) -> FoundMembers {
    let watched = Watch::of_trailer(watch);
    let mut splitter = Splitter::new(&watched, u64::MAX, 1);
    [b"[".as_slice(), line, b"]"].iter().try_for_each(|part| splitter.feed(part)).ok()?;
    let split = splitter.finish().ok()?;
    let (of_page, of_record) = split.record_fields.split_at(watch.page_fields());
    let found = |members: &[Option<ByteSpan>]| members.iter().map(Option::is_some).collect();
    Some((found(of_page), found(of_record)))
}

/// Refuses the only line of a page if it has nothing that identifies a record: APIs say errors so, with status 200.
fn check_only_record(line: &[u8], watch: &Watch) -> Result<(), Problem> {
    match (members_of(line, watch), watch.primary_key().first()) {
        (Some((_, of_record)), Some(pointer)) if !of_record.contains(&true) => Err(Problem::NotARecordLine(
            format!("the only line has no member `{pointer}` of the primary key: it is not a record"),
        )),
        _ => Ok(()),
    }
}

impl Trailer<'_> {
    fn end(self, document: &mut Document<'_>) -> Result<(), BodyError> {
        let wrong = |problem| BodyError::in_line(self.number, problem);
        match self.line.first().and_then(|first| Found::of(*first)) {
            Some(Found::Object) => {}
            Some(found) => {
                return Err(wrong(Problem::NotATrailer(format!("the last line is {}", found.as_str()))));
            }
            None => return Err(wrong(Problem::Syntax("a value"))),
        }
        self.check().map_err(wrong)?;
        if !document.has_begun() {
            document.write(&[&start_of_lines()])?;
        }
        let members = self.line.get(1..).unwrap_or_default();
        let is_empty = members.trim_ascii_start().starts_with(b"}");
        let separator: &[u8] = if is_empty { b"]" } else { b"]," };
        document.write(&[separator, members]).map_err(|error| wrong(error.problem))
    }

    /// Refuses what may be a record or an error instead of the trailer: APIs say errors with status 200. A trailer has a member
    /// that the paginator reads, `null` included. One that an error rule reads is judged by that rule first.
    fn check(&self) -> Result<(), Problem> {
        let Some((of_page, of_record)) = members_of(&self.line, self.watch) else { return Ok(()) };
        if of_page.contains(&true) {
            return Ok(());
        }
        if !of_record.is_empty() && !of_record.contains(&false) {
            return Err(Problem::NotATrailer("the last line is a record: it has the primary key".to_owned()));
        }
        let expected = self.watch.first_in_page();
        let why =
            expected.map_or_else(String::new, |pointer| format!("the last line has no member `{pointer}`"));
        Err(Problem::NotATrailer(why))
    }
}
