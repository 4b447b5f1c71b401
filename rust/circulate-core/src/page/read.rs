//! Takes a page in: to its end, checked, and within memory whatever its size.
//!
//! A page counts only when it was read to its end and is valid JSON, so its bytes are kept until then: in memory up
//! to a bound, beyond it in a temporary file that vanishes with the page. The splitter works on the pieces as they
//! arrive.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};
use http::header::{CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};

use super::Watch;
use super::envelope::{EnvelopeMember, members};
use super::error_inside::{ErrorField, ErrorInside, MAX_ERROR_FIELD};
use super::format::{BodyError, Intake};
use super::hooked::{HookedBody, PagePiece, ThroughHooks, refused_record};
use super::paginator::Next;
use super::record::{BYTE_ORDER_MARK, ByteSpan, Problem, Split, Splitter};
use super::written::{key_and_value, write_marked, write_scalar};
use crate::api::hooks::LargePage;
use crate::api::http::{Failure, Response, Success, unpacked};
use crate::catalog::{PageFormat, RecordsSpec};
use crate::error::{Error, ErrorKind, Result};

/// Bounds of what is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimits {
    /// Pages over this go to a temporary file: up to three are held at a time. Default 4 MB.
    pub in_memory: u64,
    /// The largest page, decompressed. Default 1 GB.
    pub page: u64,
    /// The largest record. Default 16 MB.
    pub record: u64,
    /// Record limit of a page. Default 1,000,000.
    pub records: usize,
    /// The largest page that goes through a hook, which is in memory as a whole. Default 16 MB.
    pub hooked: u64,
}

impl Default for PageLimits {
    fn default() -> Self {
        Self {
            in_memory: 4_000_000,
            page: 1_000_000_000,
            record: 16_000_000,
            records: 1_000_000,
            hooked: 16_000_000,
        }
    }
}

/// What may be kept of where the records of a page are, and their watched members: three pages are held at a time. A page of more
/// is split again while its records are taken.
const MAX_SPAN_BYTES: usize = 1_000_000;

/// Records of a page whose places are kept.
fn max_spans(watch: &Watch) -> usize {
    MAX_SPAN_BYTES / (size_of::<ByteSpan>() + watch.record_fields() * size_of::<Option<ByteSpan>>())
}

/// Bytes of such a page that are split at a time.
const PIECE: usize = 64 * 1024;

/// A page of which a hook is to say where it leads.
#[derive(Debug)]
pub(crate) struct PageForHook {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    _large: Option<LargePage>,
}

/// A page that is complete and valid.
#[derive(Debug)]
pub struct Page {
    /// Headers of the response.
    pub headers: HeaderMap,
    /// Its size, decompressed.
    pub bytes: u64,
    /// The HTTP status, if the definition's `empty:` makes this response an empty list.
    pub declared_empty: Option<u16>,
    /// The watched members of the page itself, as JSON text.
    pub fields: Vec<Option<Vec<u8>>>,
    /// Where it leads, if a hook says that.
    pub next_by_hook: Option<Next>,
    /// What a hook needs to say where it leads, until it has.
    pub(crate) for_hook: Option<PageForHook>,
    /// One JSON document, whatever format it came in.
    body: Body,
    /// The size of it.
    size: u64,
    split: Split,
    /// Records at its start that are left out.
    skipped: usize,
    watch: Watch,
}

#[derive(Debug)]
enum Body {
    Memory(Vec<u8>),
    File(File),
}

/// One record of a page.
#[derive(Debug, Clone, Copy)]
pub struct Record<'p> {
    /// Its bytes as they are written: as received, unless it was not an object or has a key.
    pub bytes: &'p [u8],
    /// Its key in the page's object of records, as JSON, if it has one; and it without that.
    key: Option<(&'p [u8], &'p [u8])>,
    /// Its bytes in the page, after its key.
    received: &'p [u8],
    start: u64,
    fields: &'p [Option<ByteSpan>],
}

impl<'p> Record<'p> {
    /// The record at `span` of `body`, with its watched members.
    pub(crate) fn new(body: &'p [u8], span: &ByteSpan, fields: &'p [Option<ByteSpan>]) -> Self {
        Self::of(&body[index(span.start)..index(span.end)], span.start, fields)
    }

    fn of(received: &'p [u8], start: u64, fields: &'p [Option<ByteSpan>]) -> Self {
        Self { bytes: received, key: None, received, start, fields }
    }

    /// Writes it with its parent, as JSON, in front.
    pub(crate) fn write_with_parent(&self, parent: &[u8], written: &mut Vec<u8>) {
        match self.key {
            Some((key, value)) => write_marked([("parent", parent), ("key", key)], value, written),
            None => write_marked([("parent", parent)], self.bytes, written),
        }
    }

    /// Its watched member of this number, as JSON text.
    pub fn field(&self, number: usize) -> Option<&'p [u8]> {
        let span = self.fields.get(number)?.as_ref()?;
        Some(&self.received[index(span.start - self.start)..index(span.end - self.start)])
    }
}

/// The most that may stand around records and is looked through for a next page.
const MAX_ENVELOPE: u64 = 1_000_000;

/// Reads `response` to its end. A broken connection and a page that ends too early are temporary errors. What counts as an
/// empty list says `watch`; any other response that is not a whole page is an error.
///
/// `judge` says whether a success is an error all the same, by its status, its headers and the members that are watched for
/// that, before it is one that there is no array of records. `hooks` are those that the page passes through before it is read.
pub async fn read_page(
    response: Response,
    watch: &Watch,
    limits: PageLimits,
    hooks: Option<&ThroughHooks>,
    judge: impl Fn(StatusCode, &HeaderMap, &[Option<Vec<u8>>]) -> Result<Success, Failure> + Send + Sync,
) -> Result<Page, Failure> {
    let (status, empty) = (response.status, watch.empty());
    // Of other responses only those come here that mean the end of the list.
    if !status.is_success() || empty.statuses.contains(&status.as_u16()) {
        return Ok(Page::empty(response.headers, watch, status).leading_on(hooks));
    }
    if !is_whole_page(status) {
        let ends = judge(status, &response.headers, &[])? == Success::End;
        let is_empty = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT) && empty.no_body;
        if ends {
            return Ok(Page::empty(response.headers, watch, status));
        }
        if is_empty {
            return Ok(Page::empty(response.headers, watch, status).leading_on(hooks));
        }
        return Err(no_page(status, &response.headers).into());
    }
    let splitter = Splitter::new(watch, limits.record, limits.records).keeping(max_spans(watch));
    let (max_record, max_records) = (limits.record, limits.records);
    let errors =
        ErrorInside { status, headers: &response.headers, watch, max_record, max_records, judge: &judge };
    let taken = taken(unpacked(response.body).await?, hooks, limits, &errors).await?;
    let Some(HookedBody { mut pieces, received, body: for_hook, large, said: said_before }) = taken else {
        return Ok(Page::empty(response.headers, watch, status).leading_on(hooks));
    };
    let splits = hooks.is_some_and(ThroughHooks::splits);
    let mut intake =
        if splits { Intake::of_records(splitter) } else { Intake::new(watch, splitter, limits.record) };
    let refused = |error: &BodyError| match hooks.and_then(ThroughHooks::maker) {
        Some(hook) if splits => refused_record(error, hook),
        Some(hook) => refused(error, watch, limits).with("hook", hook),
        None => refused(error, watch, limits),
    };
    let mut body = Body::Memory(Vec::with_capacity(expected_size(&response.headers, limits)));
    let (mut bytes, mut size) = (0, 0);
    while let Some(piece) = pieces.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) if error.kind() == ErrorKind::Hook => {
                errors.judge(&said_before)?;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        };
        let document = match &piece {
            PagePiece::Body(piece) => {
                bytes += piece.len() as u64;
                intake.feed(piece)
            }
            PagePiece::Records(records) => intake.feed_records(records),
        };
        let document = match document {
            Ok(document) => document,
            Err(error) => {
                // What is no page may still be an error that status and headers show.
                errors.judge(&said_before)?;
                return Err(refused(&error).into());
            }
        };
        size += document.len() as u64;
        if bytes.max(size) > limits.page {
            return Err(too_large(limits.page).into());
        }
        body = body.append(document, limits.in_memory).map_err(spool_error)?;
    }
    let rest = match intake.end() {
        Ok(rest) => rest,
        Err(error) if error.error.problem == Problem::Truncated => return Err(refused(&error).into()),
        Err(error) => {
            errors.judge(&said_before)?;
            return Err(refused(&error).into());
        }
    };
    size += rest.len() as u64;
    body = body.append(rest, limits.in_memory).map_err(spool_error)?;
    let said = body.starts(intake.error_fields())?;
    let ended = intake.split();
    if !matches!(&ended, Err(refusal) if refusal.error.problem == Problem::Truncated) {
        errors.judge(&said)?;
    }
    let split = match ended {
        Err(refusal) if refusal.error.problem == Problem::Blank && empty.no_body => {
            return Ok(Page::empty(response.headers, watch, status).leading_on(hooks));
        }
        ended => ended.map_err(|error| refused(&error))?,
    };
    let page = Page {
        headers: response.headers,
        bytes: received.unwrap_or(bytes),
        declared_empty: split.declared_empty.then_some(status.as_u16()),
        fields: Vec::new(),
        next_by_hook: None,
        for_hook: for_hook.map(|body| PageForHook { status, body, _large: large }),
        body,
        size,
        split,
        skipped: 0,
        watch: watch.clone(),
    };
    with_fields(page, watch)
}

/// The page with its watched members, unless these show that it is none.
fn with_fields(mut page: Page, watch: &Watch) -> Result<Page, Failure> {
    page.fields = page.read_fields()?;
    let expected = &page.fields[..page.fields.len() - watch.error_fields()];
    if watch.format() == PageFormat::NdjsonWithTrailer && expected.iter().all(Option::is_none) {
        // No rule says what it is.
        let what = "the page does not end with what should follow its records: the last line is what an error looks like";
        return Err(Error::new(ErrorKind::Data, "read page", what).into());
    }
    if page.record_count() == 0 && page.bytes > 0 && !is_known_csv(&page.headers, watch) {
        let what = "the page is one line, which may be names of columns as well as an error in words";
        let hint = "a list of no rows is believed if its Content-Type is CSV, or if `primary_key` names one of its columns";
        return Err(Error::new(ErrorKind::Data, "read page", what).hint(hint).into());
    }
    Ok(page)
}

/// A body as it is taken in: what hooks make of it, or as it comes. None is one without anything in it that is an empty list.
async fn taken<J>(
    body: BoxStream<'static, Result<Bytes>>,
    hooks: Option<&ThroughHooks>,
    limits: PageLimits,
    errors: &ErrorInside<'_, J>,
) -> Result<Option<HookedBody>, Failure>
where
    J: Fn(StatusCode, &HeaderMap, &[ErrorField]) -> Result<Success, Failure> + Sync,
{
    if let Some(hooks) = hooks {
        return hooks.take(body, limits.hooked, errors).await;
    }
    let pieces = body.map_ok(PagePiece::Body).boxed();
    Ok(Some(HookedBody { pieces, received: None, body: None, large: None, said: Vec::new() }))
}

/// Whether something shows that a CSV without a row is no error in words, which looks the same.
fn is_known_csv(headers: &HeaderMap, watch: &Watch) -> bool {
    let said = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    watch.format() != PageFormat::Csv
        || watch.has_key_in_records()
        || said.to_ascii_lowercase().contains("csv")
}

/// Whether a response of this status is the whole of what was requested. A 203 is, as a proxy changed it.
fn is_whole_page(status: StatusCode) -> bool {
    matches!(status, StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION)
}

/// What a success is that is not a whole page (RFC 9110, section 15.3).
fn no_page(status: StatusCode, headers: &HeaderMap) -> Error {
    let what = match status.as_u16() {
        202 => "it has accepted the request, and the list is not ready",
        204 | 205 => "an empty body, where a page was expected",
        206 => "a part of the page, although no part was asked for",
        207 => "the results of several requests, where a page was expected",
        226 => "the changes to an earlier page, where the page was expected",
        _ => "which is not a page",
    };
    let error =
        Error::new(ErrorKind::Data, "read page", format!("the API returned {}: {what}", status.as_u16()))
            .with_response(status.as_u16(), None);
    match status.as_u16() {
        202 => error.temporary(),
        204 | 205 => error.hint(EMPTY_BODY_HINT),
        206 => match headers.get(CONTENT_RANGE).and_then(|range| range.to_str().ok()) {
            Some(range) => error.with("Content-Range", range.chars().take(100).collect::<String>()),
            None => error,
        },
        _ => error,
    }
}

const EMPTY_BODY_HINT: &str =
    "if this is how the API says that the list is empty, add `empty: no_body` to the endpoint's definition";

/// Room for what the response says it will send, so that memory is taken once and exactly.
fn expected_size(headers: &HeaderMap, limits: PageLimits) -> usize {
    let content_length =
        headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    usize::try_from(content_length.unwrap_or(0).min(limits.in_memory)).unwrap_or(0)
}

impl Body {
    /// The start of what stands at each of these places.
    fn starts(&self, spans: &[Option<ByteSpan>]) -> Result<Vec<Option<Vec<u8>>>> {
        let start = |span: &ByteSpan| self.read(&(span.start..span.end.min(span.start + MAX_ERROR_FIELD)));
        spans.iter().map(|span| span.as_ref().map(start).transpose()).collect()
    }

    fn read(&self, span: &ByteSpan) -> Result<Vec<u8>> {
        match self {
            Self::Memory(buffer) => Ok(buffer[index(span.start)..index(span.end)].to_vec()),
            Self::File(file) => {
                let mut file = file;
                let mut bytes = vec![0; index(span.end - span.start)];
                file.seek(SeekFrom::Start(span.start))
                    .and_then(|_| file.read_exact(&mut bytes))
                    .map_err(spool_error)?;
                Ok(bytes)
            }
        }
    }

    fn append(self, piece: &[u8], in_memory: u64) -> std::io::Result<Self> {
        match self {
            Self::Memory(mut buffer) if (buffer.len() + piece.len()) as u64 <= in_memory => {
                buffer.extend_from_slice(piece);
                Ok(Self::Memory(buffer))
            }
            Self::Memory(buffer) => {
                let mut file = tempfile::tempfile()?;
                file.write_all(&buffer)?;
                Self::File(file).append(piece, in_memory)
            }
            Self::File(mut file) => {
                file.write_all(piece)?;
                Ok(Self::File(file))
            }
        }
    }
}

impl Page {
    /// An empty list, as the definition says of such a response.
    fn empty(headers: HeaderMap, watch: &Watch, status: StatusCode) -> Self {
        Self {
            headers,
            bytes: 0,
            declared_empty: Some(status.as_u16()),
            fields: vec![None; watch.page_fields()],
            next_by_hook: None,
            for_hook: None,
            body: Body::Memory(Vec::new()),
            size: 0,
            split: Split::default(),
            skipped: 0,
            watch: watch.clone(),
        }
    }

    /// The page, for a hook to say where it leads, if one does: a list whose requests are computed may go on behind it.
    fn leading_on(self, hooks: Option<&ThroughHooks>) -> Self {
        let status = self.declared_empty.and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.filter(|status| status.is_success() && hooks.is_some_and(ThroughHooks::leads));
        let for_hook = status.map(|status| PageForHook { status, body: Bytes::new(), _large: None });
        Self { for_hook, ..self }
    }

    /// How many records it holds, but for those that are left out.
    pub fn record_count(&self) -> usize {
        self.split.count - self.skipped
    }

    /// Its records, in order.
    pub fn records(&self) -> Records<'_> {
        let file = match &self.body {
            Body::Memory(_) => None,
            Body::File(file) => Some(BufReader::with_capacity(1 << 20, file)),
        };
        let again = (self.split.records.len() < self.split.count).then(|| Again::new(self));
        Records {
            page: self,
            left_out: self.skipped,
            next: 0,
            again,
            file,
            file_at: 0,
            buffer: Vec::new(),
            written: Vec::new(),
        }
    }

    /// Watched members of its last record, also of one that is left out, as JSON text; none of a page without a record.
    pub fn fields_of_last_record(&self, fields: std::ops::Range<usize>) -> Result<Vec<Option<Vec<u8>>>> {
        let mut last = Vec::new();
        if !fields.is_empty() {
            let mut records = Records { left_out: 0, ..self.records() };
            while let Some(record) = records.next()? {
                last = fields.clone().map(|number| record.field(number).map(<[u8]>::to_vec)).collect();
            }
        }
        Ok(last)
    }

    /// Leaves out its first records: the list has shown them before.
    pub fn skip(&mut self, records: usize) {
        self.skipped = records.min(self.split.count);
    }

    /// What stands around its records; `None` if that is more than 1 MB, which nobody looks through.
    pub(crate) fn envelope(&self) -> Result<Option<Vec<EnvelopeMember>>> {
        let arrays = &self.split.arrays;
        let inside: u64 = arrays.iter().map(|array| array.end - array.start).sum();
        if self.size - inside > MAX_ENVELOPE || arrays.len() < self.split.array_count {
            return Ok(None);
        }
        let (mut document, mut at) = (Vec::new(), 0);
        for array in arrays {
            document.extend(self.read_span(&(at..array.start))?);
            document.extend_from_slice(b"[]");
            at = array.end;
        }
        document.extend(self.read_span(&(at..self.size))?);
        // The splitter skips a byte order mark, too.
        Ok(Some(members(document.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&document))))
    }

    fn read_fields(&self) -> Result<Vec<Option<Vec<u8>>>> {
        let spans = self.split.page_fields.iter();
        spans.map(|span| span.as_ref().map(|span| self.read_span(span)).transpose()).collect()
    }

    fn read_span(&self, span: &ByteSpan) -> Result<Vec<u8>> {
        self.body.read(span)
    }
}

/// Goes through the records of a page. Not an `Iterator`, since records of a spooled page live in its buffer.
#[derive(Debug)]
pub struct Records<'p> {
    page: &'p Page,
    /// Records that are still to be passed over.
    left_out: usize,
    next: usize,
    /// Where the page is split again, if its places were not kept.
    again: Option<Again<'p>>,
    file: Option<BufReader<&'p File>>,
    file_at: u64,
    buffer: Vec<u8>,
    /// A record that is not written as it was received.
    written: Vec<u8>,
}

impl Records<'_> {
    /// The next record.
    #[expect(clippy::should_implement_trait, reason = "an iterator's items can't borrow from it")]
    pub fn next(&mut self) -> Result<Option<Record<'_>>> {
        while self.left_out > 0 {
            self.left_out -= 1;
            self.one()?;
        }
        self.one()
    }

    fn one(&mut self) -> Result<Option<Record<'_>>> {
        let (spans, all_fields) = match &mut self.again {
            None => (&self.page.split.records, &self.page.split.record_fields),
            Some(again) => {
                if self.next == again.records.len() {
                    again.split_on()?;
                    self.next = 0;
                }
                (&again.records, &again.fields)
            }
        };
        let Some(span) = spans.get(self.next) else { return Ok(None) };
        let per_record = self.page.watch.record_fields();
        let fields = all_fields.get(self.next * per_record..(self.next + 1) * per_record);
        self.next += 1;
        let bytes = match (&self.page.body, &mut self.file) {
            (Body::Memory(buffer), _) => &buffer[index(span.start)..index(span.end)],
            (Body::File(_), Some(file)) => {
                read_at(file, &mut self.file_at, span, &mut self.buffer).map_err(spool_error)?;
                &self.buffer
            }
            (Body::File(_), None) => unreachable!("`records` opens a reader for a spooled page"),
        };
        let record = Record::of(bytes, span.start, fields.unwrap_or_default());
        Ok(Some(match self.page.watch.records() {
            RecordsSpec::Array(_) | RecordsSpec::One(_) => record,
            RecordsSpec::Map(_) => {
                let (key, value) = key_and_value(bytes);
                write_marked([("key", key)], value, &mut self.written);
                Record { bytes: &self.written, key: Some((key, value)), ..record }
            }
            RecordsSpec::Scalars(_) => {
                write_scalar(bytes, &mut self.written);
                Record { bytes: &self.written, ..record }
            }
        }))
    }
}

/// Splits a page again, piece by piece. It is valid, as was found when it came.
#[derive(Debug)]
struct Again<'p> {
    body: &'p Body,
    splitter: Splitter<'p>,
    /// How far it is split.
    at: u64,
    bytes: u64,
    /// Records of the last piece, and their watched members.
    records: Vec<ByteSpan>,
    fields: Vec<Option<ByteSpan>>,
    piece: Vec<u8>,
}

impl<'p> Again<'p> {
    fn new(page: &'p Page) -> Self {
        Self {
            body: &page.body,
            splitter: Splitter::new(&page.watch, u64::MAX, usize::MAX),
            at: 0,
            bytes: page.size,
            records: Vec::new(),
            fields: Vec::new(),
            piece: Vec::new(),
        }
    }

    /// Finds the next records; at the end of the page there are none.
    fn split_on(&mut self) -> Result<()> {
        self.records.clear();
        while self.records.is_empty() && self.at < self.bytes {
            let end = (self.at + PIECE as u64).min(self.bytes);
            let piece = match self.body {
                Body::Memory(buffer) => &buffer[index(self.at)..index(end)],
                Body::File(file) => {
                    self.piece.resize(index(end - self.at), 0);
                    file.read_exact_at(&mut self.piece, self.at).map_err(spool_error)?;
                    &self.piece
                }
            };
            self.splitter.feed(piece).map_err(|error| {
                Error::new(ErrorKind::Storage, "read page", "the spooled page has changed")
                    .with("byte", error.offset)
            })?;
            self.splitter.take_records(&mut self.records, &mut self.fields);
            self.at = end;
        }
        Ok(())
    }
}

/// Records lie one after the other, so what is between two of them is skipped and nothing is read twice.
fn read_at(
    file: &mut BufReader<&File>,
    at: &mut u64,
    span: &ByteSpan,
    buffer: &mut Vec<u8>,
) -> std::io::Result<()> {
    if *at == 0 {
        file.seek(SeekFrom::Start(span.start))?;
    } else {
        file.seek_relative(i64::try_from(span.start - *at).map_err(std::io::Error::other)?)?;
    }
    buffer.resize(index(span.end - span.start), 0);
    file.read_exact(buffer)?;
    *at = span.end;
    Ok(())
}

/// A place in a page that fits in memory, or in a record, which always does.
fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

fn spool_error(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Storage, "spool page", "cannot keep a large page in a temporary file")
        .caused_by(error)
        .hint("pages over 4 MB pass through the temporary folder (TMPDIR): is it full or not writable?")
}

fn too_large(limit: u64) -> Error {
    Error::new(ErrorKind::Limit, "read page", format!("the page is larger than {} MB", limit / 1_000_000))
        .hint("ask for smaller pages: `page_size` in the endpoint's definition")
}

/// Says what is wrong with a page, never showing what it holds.
fn refused(BodyError { line, error }: &BodyError, watch: &Watch, limits: PageLimits) -> Error {
    let data = |message: &str| Error::new(ErrorKind::Data, "read page", message);
    let not_json = if line.is_some() { "a line of the page is not JSON" } else { "the page is not JSON" };
    let records = records_of(watch);
    let at = |location: &str| if location.is_empty() { String::new() } else { format!(" at `{location}`") };
    let refused = match &error.problem {
        Problem::Truncated if watch.format() == PageFormat::Csv => {
            data("the page ends in the middle of a row").temporary()
        }
        Problem::Truncated if !watch.format().is_json() => {
            data("the page ends in the middle of a line").temporary()
        }
        Problem::Truncated => data("the page ends in the middle of its JSON").temporary(),
        // A connection that ended too soon may look like this.
        Problem::Blank => data("the page has an empty body").once().hint(EMPTY_BODY_HINT),
        Problem::Markup => data(&format!("the page is HTML or XML, not {}", name_of(watch.format())))
            .hint("a sign-in page, a proxy or a wrong address responds like this: is the base URL the API's?"),
        Problem::Syntax(expected) => data(&format!("{not_json}: expected {expected}")),
        Problem::Utf8 if watch.format() == PageFormat::Csv => data("the page is not UTF-8"),
        Problem::Utf8 => data(&format!("{not_json}: a string in it is not UTF-8")),
        Problem::NotRecords { location, found } => {
            let what = if location.is_empty() { "it".to_owned() } else { format!("`{location}`") };
            let found = found.as_str();
            data(&format!("the page has no {records} where the definition says it is: {what} is {found}"))
                .hint(RECORDS_HINT)
        }
        Problem::NullRecords(location) => data(&format!(
            "the page has `null`{} where the definition says that the {records} is", at(location)
        ))
        .hint("if this is how the API says that the list is empty, add `empty: null` to the endpoint's definition"),
        Problem::MissingRecords(location) => data(&format!(
            "the page has no {records} where the definition says it is: there is no `{location}`"
        ))
        .hint(
            "correct `records` in the endpoint's definition; or, if this is how the API says that the list is empty, add \
             `empty: missing`",
        ),
        Problem::RepeatedRecords(location) => data(&format!("the page has `{location}` twice, where its records are")),
        Problem::NotARecord { found, .. } if line.is_some() => {
            data(&format!("a line of the page is {}, where each is a record, which is an object", found.as_str()))
        }
        Problem::NotARecord { location, found } => {
            let found = found.as_str();
            match watch.records() {
                RecordsSpec::Scalars(_) => data(&format!("the page's array{} holds {found}, not only scalars", at(location)))
                    .hint("if these are the records, write `records` as a plain JSON Pointer"),
                RecordsSpec::Map(_) => {
                    data(&format!("the page's object{} holds {found}, not only records, which are objects", at(location)))
                        .hint(RECORDS_HINT)
                }
                RecordsSpec::Array(_) | RecordsSpec::One(_) => data(&format!("the page's array{} holds something that is not an object: {found}", at(location)))
                    .hint("if these are the records, write `records: {scalars: ...}` in the endpoint's definition"),
            }
        }
        Problem::NotCsv(why) => data(&format!("the page is not CSV as it should be: {why}")),
        Problem::NotARecordLine(why) => data(&format!("the page holds no records: {why}")).hint(
            "if it is an error, say so by `errors` in the endpoint's definition; if such records have no key, write \
             `primary_key: none`",
        ),
        Problem::NotATrailer(why) => data(&format!("the page does not end with what should follow its records: {why}"))
            .hint("a response that breaks off may look so; otherwise correct `format` in the endpoint's definition"),
        Problem::TooDeep => Error::new(
            ErrorKind::Limit,
            "read page",
            format!("the page nests deeper than {} levels", super::record::MAX_DEPTH),
        ),
        Problem::RecordTooLarge => Error::new(
            ErrorKind::Limit,
            "read page",
            format!("a record is larger than {} bytes", limits.record),
        )
        .hint("raise `max_record_bytes` if such records are to be expected"),
        Problem::TooManyRecords => Error::new(
            ErrorKind::Limit,
            "read page",
            format!("the page holds more than {} records", limits.records),
        ),
    };
    match line {
        Some(line) => refused.with("line", line),
        None => refused.with("byte", error.offset),
    }
}

const RECORDS_HINT: &str = "correct `records` in the endpoint's definition, if this is a page of the list";

/// What holds the records.
fn records_of(watch: &Watch) -> &'static str {
    match watch.records() {
        RecordsSpec::Array(_) => "array of records",
        RecordsSpec::Map(_) => "object of records",
        RecordsSpec::Scalars(_) => "array of scalars",
        RecordsSpec::One(_) => "record",
    }
}

fn name_of(format: PageFormat) -> &'static str {
    match format {
        PageFormat::Csv => "CSV",
        PageFormat::Json | PageFormat::Ndjson | PageFormat::NdjsonWithTrailer => "JSON",
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream::iter;

    use super::*;

    /// Reads a page of an API whose successes are none but that.
    async fn read_page(response: Response, watch: &Watch, limits: PageLimits) -> Result<Page> {
        let page = super::read_page(response, watch, limits, None, |_, _, _| Ok(Success::Page)).await;
        page.map_err(|failure| failure.error)
    }
    use crate::catalog::{Empty, Pointer};

    fn response(pieces: Vec<Result<Bytes>>) -> Response {
        Response { status: StatusCode::OK, headers: HeaderMap::new(), body: iter(pieces).boxed() }
    }

    fn pieces(page: &str, size: usize) -> Vec<Result<Bytes>> {
        page.as_bytes().chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()
    }

    fn watch() -> Watch {
        Watch::new(Pointer::default(), &[Pointer::try_from("/t".to_owned()).unwrap()], &[])
    }

    async fn read_all(page: &str, in_memory: u64) -> Vec<(String, Option<String>)> {
        let limits = PageLimits { in_memory, ..PageLimits::default() };
        let page = read_page(response(pieces(page, 7)), &watch(), limits).await.unwrap();
        let mut records = page.records();
        let mut all = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        while let Some(record) = records.next().unwrap() {
            all.push((text(record.bytes), record.field(0).map(text)));
        }
        all
    }

    #[tokio::test]
    async fn a_spooled_page_gives_the_same_records() {
        let page = r#"[{"t":"a","x":[1,2]},   {"x":1},
            {"x":{},"t":5}]"#;
        let in_memory = read_all(page, 1000).await;
        assert_eq!(in_memory[2], (r#"{"x":{},"t":5}"#.to_owned(), Some("5".to_owned())));
        assert_eq!(in_memory[1].1, None);
        assert_eq!(read_all(page, 10).await, in_memory);
    }

    async fn read_with(empty: Empty, status: u16, body: &'static str) -> Result<Page> {
        let watch = Watch::new(Pointer::try_from("/items".to_owned()).unwrap(), &[], &[]).with_empty(empty);
        let (status, body) = (StatusCode::from_u16(status).unwrap(), iter([Ok(Bytes::from(body))]).boxed());
        read_page(Response { status, headers: HeaderMap::new(), body }, &watch, PageLimits::default()).await
    }

    #[tokio::test]
    async fn an_empty_list_is_what_the_definition_says() {
        let null = Empty { null: true, ..Empty::default() };
        let missing = Empty { missing: true, ..Empty::default() };
        let no_body = Empty { no_body: true, ..Empty::default() };
        let status = Empty { statuses: [204, 404].into(), ..Empty::default() };
        for (empty, status, body) in [
            (&null, 200, r#"{"items": null}"#),
            (&null, 203, r#"{"a": [null], "items": null, "n": 1}"#),
            (&missing, 200, r#"{"n": 1}"#),
            (&missing, 200, "{}"),
            (&no_body, 200, ""),
            (&no_body, 200, " \r\n"),
            (&no_body, 204, ""),
            (&no_body, 205, ""),
            (&status, 204, ""),
            (&status, 404, "<html>"),
        ] {
            let page = read_with(empty.clone(), status, body).await.unwrap();
            assert_eq!((page.declared_empty, page.record_count()), (Some(status), 0), "{status} {body}");
            assert!(page.records().next().unwrap().is_none());
        }
        for empty in [&null, &missing, &no_body, &status] {
            let page = read_with(empty.clone(), 200, r#"{"items": [{}]}"#).await.unwrap();
            assert_eq!((page.declared_empty, page.record_count()), (None, 1));
            let none = read_with(empty.clone(), 200, r#"{"items": []}"#).await.unwrap();
            assert_eq!((none.declared_empty, none.record_count()), (None, 0), "an empty array is one anyway");
            for body in [
                r#"{"items": 7}"#,
                r#"{"items": {}}"#,
                "7",
                "null",
                r#"{"items": "null"}"#,
                r#"{"items": nul"#,
            ] {
                assert!(read_with(empty.clone(), 200, body).await.is_err(), "{body}");
            }
        }
    }

    #[tokio::test]
    async fn without_a_word_about_it_an_empty_body_is_an_error_that_says_so() {
        for (status, body, part, temporary) in [
            (200, "", "has an empty body", true),
            (200, "\n", "has an empty body", true),
            (204, "", "returned 204: an empty body", false),
            (205, "", "returned 205: an empty body", false),
        ] {
            let error = read_with(Empty::default(), status, body).await.unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(error.hint_text().unwrap().contains("`empty: no_body`"), "{error:?}");
            assert_eq!(error.status() == crate::error::Status::Temporary, temporary, "{status}");
            assert_eq!(error.is_worth_one_retry(), temporary, "{status}");
        }
        let null = read_with(Empty::default(), 200, r#"{"items": null}"#).await.unwrap_err();
        assert!(null.hint_text().unwrap().contains("`empty: null`"), "{null:?}");
        let missing = read_with(Empty::default(), 200, "{}").await.unwrap_err();
        assert!(missing.hint_text().unwrap().contains("`empty: missing`"), "{missing:?}");
    }

    #[tokio::test]
    async fn only_a_whole_page_is_one() {
        let declared = Empty { null: true, missing: true, no_body: true, ..Empty::default() };
        for (status, part) in [
            (201, "which is not a page"),
            (202, "is not ready"),
            (206, "a part of the page"),
            (207, "results of several requests"),
            (226, "changes to an earlier page"),
            (299, "which is not a page"),
        ] {
            for empty in [Empty::default(), declared.clone()] {
                let error = read_with(empty, status, r#"{"items": [{}]}"#).await.unwrap_err();
                assert!(error.to_string().contains(&format!("the API returned {status}: ")), "{error}");
                assert!(error.to_string().contains(part) && error.kind() == ErrorKind::Data, "{error}");
            }
        }
        let mut part = response(pieces("[]", 2));
        part.status = StatusCode::PARTIAL_CONTENT;
        part.headers.insert(CONTENT_RANGE, "bytes 0-1/9".parse().unwrap());
        let error = read_page(part, &watch(), PageLimits::default()).await.unwrap_err();
        assert!(error.to_string().contains("Content-Range bytes 0-1/9"), "{error}");
    }

    #[tokio::test]
    async fn an_error_inside_of_a_success_is_judged_before_there_is_no_array() {
        let pointers = |strings: &[&str]| -> Vec<Pointer> {
            strings.iter().map(|text| Pointer::try_from((*text).to_owned()).unwrap()).collect()
        };
        let long = format!("\"{}\"", "x".repeat(70_000));
        for (records, body, expected) in [
            ("/items", r#"{"ok": false}"#, [Some("false"), None]),
            ("/items", r#"{"items": "no", "ok": false, "error": {"code": 7}}"#, [Some("false"), Some("7")]),
            ("/items", r#"{"ok": 1, "items": {"ok": 2}, "error": {"code": [1]}}"#, [Some("1"), Some("[1]")]),
            ("/items", r#"{"items": null, "error": {"code": null}}"#, [None, Some("null")]),
            ("/items", r#"{"items": [{"ok": 3}, {}], "ok": true}"#, [Some("true"), None]),
            ("", r#"{"ok": "\u00e9", "error": 7}"#, [Some(r#""\u00e9""#), None]),
            ("", r#"[{"ok": 3}]"#, [None, None]),
            ("/items", "<html>", [None, None]),
            ("/items", "", [None, None]),
            ("/items", &format!(r#"{{"ok": {long}, "items": []}}"#), [Some(&long[..64 * 1024]), None]),
        ] {
            let watch = Watch::new(pointers(&[records]).remove(0), &pointers(&["/ok"]), &pointers(&["/n"]))
                .with_errors(&pointers(&["/ok", "/error/code"]));
            for in_memory in [u64::MAX, 10] {
                let limits = PageLimits { in_memory, ..PageLimits::default() };
                let judged = std::sync::Mutex::new(Vec::new());
                let judge = |_, _: &HeaderMap, found: &[Option<Vec<u8>>]| {
                    judged.lock().unwrap().extend(found.to_vec());
                    Err(Error::new(ErrorKind::Api, "request page", "judged").into())
                };
                let failure = super::read_page(response(pieces(body, 7)), &watch, limits, None, judge)
                    .await
                    .unwrap_err();
                assert!(failure.error.to_string().contains("judged"), "{body}");
                let found = judged.into_inner().unwrap();
                let strings: Vec<_> = found
                    .iter()
                    .map(|text| text.as_deref().map(|text| std::str::from_utf8(text).unwrap()))
                    .collect();
                if !found.is_empty() || expected != [None, None] {
                    assert_eq!(strings, expected, "{body}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_page_that_breaks_off_is_not_judged() {
        let watch = watch().with_errors(&[Pointer::try_from("/ok".to_owned()).unwrap()]);
        let judge = |_, _: &HeaderMap, _: &[Option<Vec<u8>>]| panic!("its rest may say otherwise");
        let broken = response(pieces(r#"{"ok": false, "#, 3));
        let failure = super::read_page(broken, &watch, PageLimits::default(), None, judge).await.unwrap_err();
        assert_eq!(failure.verdict, crate::api::http::RetryDecision::Backoff);
    }

    #[tokio::test]
    async fn what_stands_around_the_records_is_found_in_memory_and_in_a_file() {
        let text = "\u{feff}{\"n\":1, \"items\":[{\"next\":\"no\"},{}] ,\"next\":\"yes\"}";
        let watch = Watch::new(Pointer::try_from("/items".to_owned()).unwrap(), &[], &[]);
        for in_memory in [1000, 10] {
            let limits = PageLimits { in_memory, ..PageLimits::default() };
            let page = read_page(response(pieces(text, 7)), &watch, limits).await.unwrap();
            let found: Vec<_> =
                page.envelope().unwrap().unwrap().iter().map(EnvelopeMember::pointer).collect();
            assert_eq!(found, ["/n", "/items", "/next"]);
        }
    }

    #[tokio::test]
    async fn a_page_of_very_many_records_keeps_no_spans_and_gives_them_all() {
        let record = |number: usize| match number % 3 {
            0 => "{}".to_owned(),
            1 => format!("{{\"t\":{number}}}"),
            _ => format!("{{\"x\":\"{}\",\"t\":\"{number}\"}}", "é".repeat(number % 50)),
        };
        let limit = max_spans(&watch());
        for count in [limit - 1, limit, limit + 1, 2 * limit + 7] {
            let records: Vec<_> = (0..count).map(record).collect();
            let page = format!("[{}]", records.join(" ,"));
            for in_memory in [u64::MAX, 10] {
                let limits = PageLimits { in_memory, ..PageLimits::default() };
                let page = read_page(response(pieces(&page, 9_999)), &watch(), limits).await.unwrap();
                assert_eq!(page.record_count(), count);
                assert!(page.split.records.len() <= limit && page.split.record_fields.len() <= limit);
                let (mut all, mut number) = (page.records(), 0);
                while let Some(found) = all.next().unwrap() {
                    assert_eq!(found.bytes, records[number].as_bytes());
                    let time = if number % 3 == 1 { number.to_string() } else { format!("\"{number}\"") };
                    let expected = (number % 3 > 0).then_some(time);
                    assert_eq!(found.field(0), expected.as_deref().map(str::as_bytes));
                    number += 1;
                }
                assert_eq!(number, count);
            }
        }
    }

    #[tokio::test]
    async fn a_page_that_breaks_off_is_worth_another_try() {
        let cut = read_page(response(pieces("[{\"t\":1}", 3)), &watch(), PageLimits::default()).await;
        assert_eq!(cut.unwrap_err().status(), crate::error::Status::Temporary);
        let html = read_page(response(pieces("<html>", 3)), &watch(), PageLimits::default()).await;
        assert_eq!(html.unwrap_err().status(), crate::error::Status::Permanent);
    }

    #[tokio::test]
    async fn a_page_over_the_limit_is_refused_before_it_is_read_to_its_end() {
        let limits = PageLimits { page: 10, ..PageLimits::default() };
        let body = iter((0..).map(|_| Ok(Bytes::from_static(b"   ")))).boxed();
        let response = Response { status: StatusCode::OK, headers: HeaderMap::new(), body };
        assert_eq!(read_page(response, &watch(), limits).await.unwrap_err().kind(), ErrorKind::Limit);
    }
}
