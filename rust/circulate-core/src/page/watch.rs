//! What the splitter looks for on its way through a page.

use crate::catalog::{Empty, KEY_OF_MAP, PageFormat, Pointer, RecordsSpec, StreamSpec, VALUE_OF_SCALAR};

/// Where a page holds its records, and which other values are wanted from it.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    records: RecordsSpec,
    paths: Vec<WatchedPath>,
    record_fields: usize,
    /// The last of the paths: members that show whether the page is an error.
    error_fields: usize,
    empty: Empty,
    format: PageFormat,
    /// What identifies a record, by which it is distinguished from what is none.
    primary_key: Vec<Pointer>,
}

/// The most members that are watched: masks are 32 bits wide, and one is that of the records.
pub const MAX_WATCHED: usize = 31;

#[derive(Debug, Clone)]
struct WatchedPath {
    pointer: Pointer,
    start: Start,
}

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Page,
    Record,
    /// It leads to the key of a record, which stands before it.
    Key,
    /// It leads nowhere.
    Nowhere,
}

impl WatchedPath {
    fn in_page(pointer: &Pointer) -> Self {
        Self { pointer: pointer.clone(), start: Start::Page }
    }

    /// A path in records as they are written, which is another one in the page.
    fn in_record(pointer: &Pointer, records: &RecordsSpec) -> Self {
        let (pointer, start) = match (records, pointer.segments()) {
            (RecordsSpec::Map(_), segments) if segments == KEY_OF_MAP => (Pointer::default(), Start::Key),
            (RecordsSpec::Scalars(_), [value]) if value == VALUE_OF_SCALAR => {
                (Pointer::default(), Start::Record)
            }
            (RecordsSpec::Scalars(_), _) => (Pointer::default(), Start::Nowhere),
            // The one record is on the way of the page's own members.
            (RecordsSpec::One(records), segments) => {
                (Pointer::of([records.segments(), segments].concat()), Start::Page)
            }
            _ => (pointer.clone(), Start::Record),
        };
        Self { pointer, start }
    }
}

impl Watch {
    /// Records at `records`; of each record the members at `record_fields`, and of the page around them the members at
    /// `page_fields`. At most 31 fields in all.
    pub fn new(records: impl Into<RecordsSpec>, record_fields: &[Pointer], page_fields: &[Pointer]) -> Self {
        debug_assert!(record_fields.len() + page_fields.len() < 32, "masks are 32 bits wide");
        let records = records.into();
        let in_records = record_fields.iter().map(|pointer| WatchedPath::in_record(pointer, &records));
        let paths = in_records.chain(page_fields.iter().map(WatchedPath::in_page)).collect();
        Self { records, paths, record_fields: record_fields.len(), ..Self::default() }
    }

    /// What is found in the pages of `stream`.
    pub fn of(stream: &StreamSpec, record_fields: &[Pointer], page_fields: &[Pointer]) -> Self {
        let records = match stream.format {
            PageFormat::NdjsonWithTrailer => RecordsSpec::member(MEMBER_OF_LINES),
            _ => stream.records.clone(),
        };
        Self {
            empty: stream.empty.clone(),
            format: stream.format,
            primary_key: stream.primary_key.members().to_vec(),
            ..Self::new(records, record_fields, page_fields)
        }
    }

    /// What distinguishes the trailer of a page from a record: as members of it, first those that `watch` has of the page, then
    /// those that identify a record.
    pub(super) fn of_trailer(watch: &Self) -> Self {
        let members: Vec<_> = watch.in_page().chain(&watch.primary_key).cloned().collect();
        Self::new(RecordsSpec::default(), &members, &[])
    }

    /// The same, with members of the page that show whether it is an error, where it need not hold records.
    pub fn with_errors(mut self, fields: &[Pointer]) -> Self {
        self.error_fields = fields.len();
        self.paths.extend(fields.iter().map(WatchedPath::in_page));
        self
    }

    /// How many members are watched in all.
    pub fn members(&self) -> usize {
        self.paths.len()
    }

    /// How many of the members of the page, the last of them, show whether it is an error.
    pub(super) fn error_fields(&self) -> usize {
        self.error_fields
    }

    /// The same, where other things than an empty array count as an empty list.
    #[cfg(test)]
    pub(super) fn with_empty(self, empty: Empty) -> Self {
        Self { empty, ..self }
    }

    /// What counts as an empty list, beside an empty array.
    pub fn empty(&self) -> &Empty {
        &self.empty
    }

    /// Where the records are, and what they look like there.
    pub fn records(&self) -> &RecordsSpec {
        &self.records
    }

    /// What the body of a page is.
    pub(super) fn format(&self) -> PageFormat {
        self.format
    }

    pub(super) fn primary_key(&self) -> &[Pointer] {
        &self.primary_key
    }

    /// Whether the records have members that identify them, beside what is written in front of them.
    pub(super) fn has_key_in_records(&self) -> bool {
        self.key_in_records().next().is_some()
    }

    /// What identifies a record, of its own members.
    pub(super) fn key_in_records(&self) -> impl Iterator<Item = &Pointer> {
        let is_written = |member: &&Pointer| member.segments().starts_with(&["_circulate".to_owned()]);
        self.primary_key.iter().filter(move |member| !is_written(member))
    }

    /// Of the way to the records, the segment at which it goes to each element of an array.
    pub(super) fn groups(&self) -> Option<usize> {
        self.records.pointer().each()
    }

    /// How many members of each record are watched.
    pub fn record_fields(&self) -> usize {
        self.record_fields
    }

    /// How many members of the page are watched.
    pub fn page_fields(&self) -> usize {
        self.paths.len() - self.record_fields
    }

    /// A bit for each path that starts at the page, or at a record.
    pub(super) fn roots(&self, in_record: bool) -> u32 {
        let start = if in_record { Start::Record } else { Start::Page };
        self.bits(start) | if in_record { 0 } else { RECORDS }
    }

    /// A bit for each path that leads to the key of a record.
    pub(super) fn keys(&self) -> u32 {
        self.bits(Start::Key)
    }

    fn bits(&self, start: Start) -> u32 {
        let paths = self.paths.iter().enumerate().filter(|(_, path)| path.start == start);
        paths.fold(0, |mask, (index, _)| mask | 1 << index)
    }

    /// The first of the members of the page that are watched.
    pub(super) fn first_in_page(&self) -> Option<&Pointer> {
        self.in_page().next()
    }

    fn in_page(&self) -> impl Iterator<Item = &Pointer> {
        let of_page = self.paths.iter().skip(self.record_fields);
        of_page.filter(|path| path.start == Start::Page).map(|path| &path.pointer)
    }

    pub(super) fn segments(&self, bit: u32) -> &[String] {
        if bit == RECORDS {
            self.records.pointer().segments()
        } else {
            self.paths[bit.trailing_zeros() as usize].pointer.segments()
        }
    }
}

/// The member in which lines with a trailer stand in the document that is made of them, beside the trailer's own.
pub(super) const MEMBER_OF_LINES: &str = "_circulate";
/// The bit of the path that leads to the records.
pub(super) const RECORDS: u32 = 1 << 31;
