//! Splits a page into records in one pass, without building a tree of values.
//!
//! [`Splitter`] is a JSON (RFC 8259) validator that is fed a page in pieces of any size and notes where things
//! stand: each record, and the few values that a definition watches. It never copies or changes a byte, so what
//! it finds can be written as it was received. It refuses what is not JSON: invalid UTF-8, NaN, control
//! characters in strings, anything after the document. It keeps what other parsers trip over: lone surrogate
//! escapes, duplicate keys, numbers of any size. A byte order mark before the document is skipped.

use std::ops::Range;

use super::watch::{RECORDS, Watch};
use crate::catalog::RecordsSpec;

/// Containers inside containers that a page may have.
pub const MAX_DEPTH: usize = 1024;

/// What may stand before the document.
pub(super) const BYTE_ORDER_MARK: &[u8; 3] = b"\xEF\xBB\xBF";

/// Where a value stands in a page, in bytes from its start.
pub type ByteSpan = Range<u64>;

/// What a page holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// The array of records, or the object of them; several if they are in another array. None beyond as many as records
    /// were to be [kept](Splitter::keeping).
    pub arrays: Vec<ByteSpan>,
    /// How many of them there are.
    pub array_count: usize,
    /// How many records they hold.
    pub count: usize,
    /// Each record, in order, after its key if it has one; none of a page that holds more than were to be
    /// [kept](Splitter::keeping).
    pub records: Vec<ByteSpan>,
    /// For each of these its watched members, in the order they were requested; `None` where a record lacks one.
    /// Of members with the same key the last one counts, as for most parsers.
    pub record_fields: Vec<Option<ByteSpan>>,
    /// The watched members of the page.
    pub page_fields: Vec<Option<ByteSpan>>,
    /// It holds no array, but what counts as an empty list instead.
    pub declared_empty: bool,
}

/// Why a page is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitError {
    /// Where, in bytes from the start of the page.
    pub offset: u64,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The page ends before its document does.
    Truncated,
    /// The page is a markup document, such as a sign-in or proxy page.
    Markup,
    /// Not JSON: what was expected.
    Syntax(&'static str),
    /// A string that is not UTF-8.
    Utf8,
    /// The page has nothing but white space.
    Blank,
    /// At this place, on the way to the records, or where they should be, is something else.
    NotRecords {
        /// Its JSON Pointer.
        location: String,
        /// What is there.
        found: Found,
    },
    /// `null` is where the records should be.
    NullRecords(String),
    /// The member that should hold the records is missing.
    MissingRecords(String),
    /// The member that holds the records is there twice.
    RepeatedRecords(String),
    /// One of the records, which are here, is none.
    NotARecord {
        /// The JSON Pointer of what holds them.
        location: String,
        /// What is there.
        found: Found,
    },
    /// A page of rows that are none: why.
    NotCsv(String),
    /// What should be the last line is not there: what is.
    NotATrailer(String),
    /// The only line of a page is not a record: why.
    NotARecordLine(String),
    /// More containers inside each other than [`MAX_DEPTH`].
    TooDeep,
    /// A record longer than the limit.
    RecordTooLarge,
    /// More records than a page may have.
    TooManyRecords,
}

/// The kind of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are JSON's own words")]
pub enum Found {
    Object,
    Array,
    String,
    Number,
    Boolean,
    Null,
}

impl Found {
    /// The kind of the value that begins with this byte, if one does.
    pub(super) fn of(first: u8) -> Option<Self> {
        Some(match first {
            b'{' => Self::Object,
            b'[' => Self::Array,
            b'"' => Self::String,
            b'-' | b'0'..=b'9' => Self::Number,
            b't' | b'f' => Self::Boolean,
            b'n' => Self::Null,
            _ => return None,
        })
    }

    /// It, for people.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::String => "a string",
            Self::Number => "a number",
            Self::Boolean => "`true` or `false`",
            Self::Null => "`null`",
        }
    }

    fn is_container(self) -> bool {
        matches!(self, Self::Object | Self::Array)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SplitState {
    /// Before the document: a byte order mark may come, of which so many bytes were seen.
    Mark(u8),
    Value,
    /// After `[`: a value or `]`.
    ValueOrEnd,
    /// After `[` where an object of records should be: `]`, since some APIs write an empty object so.
    EndOnly,
    /// After `{`: a key or `}`.
    KeyOrEnd,
    Key,
    Colon,
    /// After a value in a container.
    CommaOrEnd,
    Text,
    Escape,
    /// So many hexadecimal digits of `\uXXXX` are still to come.
    Hex(u8),
    /// In a multi-byte character: so many bytes to come, the next one within the bounds.
    Utf8 {
        more: u8,
        low: u8,
        high: u8,
    },
    Number(Digits),
    Literal {
        rest: &'static [u8],
    },
    /// After the document.
    End,
}

/// Where in a number (RFC 8259 section 6) we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    Power,
}

impl Digits {
    /// The state after one more byte; `None` if the byte is not part of the number.
    fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus, b'1'..=b'9') | (Self::Integer, b'0'..=b'9') => Some(Self::Integer),
            (Self::Zero | Self::Integer, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Some(Self::Exponent),
            (Self::Exponent, b'+' | b'-') => Some(Self::ExponentSign),
            (Self::Exponent | Self::ExponentSign | Self::Power, b'0'..=b'9') => Some(Self::Power),
            _ => None,
        }
    }

    fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::Power)
    }
}

/// An open container.
#[derive(Debug, Clone, Copy)]
struct Frame {
    object: bool,
    role: Role,
    /// The watched paths that go through it, and how many of their segments led here.
    mask: u32,
    level: u16,
}

/// What a container has to do with records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Plain,
    /// Its elements, or members, are the records.
    Records,
    /// It is the one record.
    Record,
    /// Each of its elements holds some of the records.
    Groups,
}

/// A value whose start was seen and whose end is wanted.
#[derive(Debug, Clone, Copy)]
struct Pending {
    bit: u32,
    start: u64,
    depth: usize,
}

/// What was found where the records should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    Null,
    Array,
}

/// The pass over one page. Feed it pieces, then [`finish`](Self::finish).
#[derive(Debug)]
pub struct Splitter<'w> {
    watch: &'w Watch,
    max_record: u64,
    max_records: usize,
    /// Places are kept up to so many records, and none beyond.
    max_kept: usize,
    offset: u64,
    state: SplitState,
    stack: Vec<Frame>,
    /// The string being read is a member's key.
    in_key: bool,
    /// The raw text of that key, if a watched path goes through its object.
    key: Vec<u8>,
    /// The watched paths of the value to come, and how many segments led to it.
    mask: u32,
    level: u16,
    pending: Vec<Pending>,
    record_start: Option<u64>,
    /// Where the last key of a member began, and where that of a record ended.
    key_start: u64,
    key_end: u64,
    /// What was found where the records should be, in this group if they are in groups.
    seen: Seen,
    /// What was found where the array of groups should be, if they are.
    groups_seen: Seen,
    /// What was found instead of records, of a page that may be an error.
    misplaced: Option<SplitError>,
    /// Groups that have ended.
    groups: u64,
    split: Split,
}

impl<'w> Splitter<'w> {
    /// A pass that looks for what `watch` names and refuses a record of more than `max_record` bytes or a page of
    /// more than `max_records` records.
    pub fn new(watch: &'w Watch, max_record: u64, max_records: usize) -> Self {
        Self {
            watch,
            max_record,
            max_records,
            max_kept: usize::MAX,
            offset: 0,
            state: SplitState::Mark(0),
            stack: Vec::new(),
            in_key: false,
            key: Vec::new(),
            mask: watch.roots(false),
            level: 0,
            pending: Vec::new(),
            record_start: None,
            key_start: 0,
            key_end: 0,
            seen: Seen::Nothing,
            groups_seen: Seen::Nothing,
            misplaced: None,
            groups: 0,
            split: Split { page_fields: vec![None; watch.page_fields()], ..Split::default() },
        }
    }

    /// Keeps no spans of a page that holds more than `limit` records: records of two bytes have spans of many more. Such
    /// a page is to be read again, see [`take_records`](Self::take_records).
    pub fn keeping(mut self, limit: usize) -> Self {
        self.max_kept = limit;
        self
    }

    /// The records that were completed since this was called last, with their watched members: for going through a page
    /// without keeping all places.
    pub fn take_records(&mut self, records: &mut Vec<ByteSpan>, fields: &mut Vec<Option<ByteSpan>>) {
        records.clear();
        records.append(&mut self.split.records);
        fields.clear();
        // Those of a record that has begun stay.
        fields.extend(self.split.record_fields.drain(..records.len() * self.watch.record_fields()));
    }

    /// Takes the next piece of the page.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), SplitError> {
        let mut at = 0;
        while at < piece.len() {
            at = match self.state {
                SplitState::Text => self.text(piece, at)?,
                SplitState::Number(digits) => self.number(piece, at, digits)?,
                _ => {
                    self.step(piece[at], at)?;
                    at + 1
                }
            };
        }
        self.offset += piece.len() as u64;
        if let Some(start) = self.record_start
            && self.offset - start > self.max_record
        {
            return Err(SplitError { offset: start, problem: Problem::RecordTooLarge });
        }
        Ok(())
    }

    /// Where the members stand that show whether the page is an error, as far as it was read.
    pub(super) fn error_fields(&self) -> &[Option<ByteSpan>] {
        let fields = &self.split.page_fields;
        &fields[fields.len() - self.watch.error_fields()..]
    }

    /// Ends the page.
    pub fn finish(mut self) -> Result<Split, SplitError> {
        let problem = match self.state {
            SplitState::End if let Some(error) = self.misplaced.take() => return Err(error),
            SplitState::End => {
                let seen = if self.watch.groups().is_some() { self.groups_seen } else { self.seen };
                match self.judge(seen) {
                    Some(problem) => problem,
                    None if seen == Seen::Array => {
                        if self.split.count > self.max_kept {
                            self.split.record_fields = Vec::new();
                        }
                        return Ok(self.split);
                    }
                    None => return Ok(Split { declared_empty: true, ..self.split }),
                }
            }
            SplitState::Mark(0) | SplitState::Value if self.stack.is_empty() => Problem::Blank,
            _ => Problem::Truncated,
        };
        Err(SplitError { offset: self.offset, problem })
    }

    /// How many records have ended.
    pub(super) fn count(&self) -> usize {
        self.split.count
    }

    /// Whether a record has begun and not ended.
    pub(super) fn is_in_record(&self) -> bool {
        self.record_start.is_some()
    }

    /// Whether the last record of the page so far has ended, and neither a next one nor what follows them has begun.
    pub(super) fn is_behind_record(&self) -> bool {
        self.state == SplitState::CommaOrEnd && self.in_records()
    }

    /// What is wrong where not an array of records, but something that may stand for it, was found.
    fn judge(&self, seen: Seen) -> Option<Problem> {
        let empty = self.watch.empty();
        match seen {
            Seen::Null if !empty.null => Some(Problem::NullRecords(self.location_of_records())),
            Seen::Nothing if !empty.missing => Some(Problem::MissingRecords(self.location_of_records())),
            _ => None,
        }
    }

    /// Where the records should be: in this group, if they are in groups and those have begun.
    #[cold]
    fn location_of_records(&self) -> String {
        let pointer = self.watch.records().pointer();
        let segments = match pointer.each() {
            Some(groups) if !self.stack.iter().any(|frame| frame.role == Role::Groups) => groups,
            _ => usize::MAX,
        };
        pointer.location(segments, self.groups)
    }

    #[cold]
    fn error(&self, at: usize, problem: Problem) -> SplitError {
        SplitError { offset: self.offset + at as u64, problem }
    }

    fn step(&mut self, byte: u8, at: usize) -> Result<(), SplitError> {
        match self.state {
            SplitState::Mark(seen) => return self.mark(seen, byte, at),
            SplitState::Escape => {
                self.state = match byte {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => SplitState::Text,
                    b'u' => SplitState::Hex(4),
                    _ => return Err(self.error(at, Problem::Syntax("an escape such as \\n or \\u0041"))),
                };
                self.note_key(&[byte]);
            }
            SplitState::Hex(more) => {
                if !byte.is_ascii_hexdigit() {
                    return Err(self.error(at, Problem::Syntax("four hexadecimal digits")));
                }
                self.state = if more == 1 { SplitState::Text } else { SplitState::Hex(more - 1) };
                self.note_key(&[byte]);
            }
            SplitState::Utf8 { more, low, high } => {
                if !(low..=high).contains(&byte) {
                    return Err(self.error(at, Problem::Utf8));
                }
                self.state = match more {
                    1 => SplitState::Text,
                    _ => SplitState::Utf8 { more: more - 1, low: 0x80, high: 0xBF },
                };
                self.note_key(&[byte]);
            }
            SplitState::Literal { rest } => {
                if rest[0] != byte {
                    return Err(self.error(at, Problem::Syntax("true, false or null")));
                }
                match &rest[1..] {
                    [] => self.end_value(at + 1)?,
                    rest => self.state = SplitState::Literal { rest },
                }
            }
            _ if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') => {}
            _ => return self.token(byte, at),
        }
        Ok(())
    }

    fn mark(&mut self, seen: u8, byte: u8, at: usize) -> Result<(), SplitError> {
        if byte == BYTE_ORDER_MARK[usize::from(seen)] {
            self.state = if seen == 2 { SplitState::Value } else { SplitState::Mark(seen + 1) };
            return Ok(());
        }
        if seen > 0 {
            return Err(self.error(at, Problem::Syntax("a value")));
        }
        self.state = SplitState::Value;
        self.step(byte, at)
    }

    /// A byte that is neither white space nor inside a string, number or literal.
    fn token(&mut self, byte: u8, at: usize) -> Result<(), SplitError> {
        match (self.state, byte) {
            (SplitState::ValueOrEnd | SplitState::EndOnly, b']') | (SplitState::KeyOrEnd, b'}') => {
                self.close(at)
            }
            (SplitState::Value | SplitState::ValueOrEnd, _) => self.begin_value(byte, at),
            (SplitState::KeyOrEnd | SplitState::Key, b'"') => {
                self.in_key = true;
                self.key.clear();
                self.key_start = self.offset + at as u64;
                self.state = SplitState::Text;
                Ok(())
            }
            (SplitState::Colon, b':') => {
                self.state = SplitState::Value;
                Ok(())
            }
            (SplitState::CommaOrEnd, b',') => {
                self.next_element();
                Ok(())
            }
            (SplitState::CommaOrEnd, b']' | b'}') if self.in_object() == (byte == b'}') => self.close(at),
            (SplitState::EndOnly, _) => {
                let location = self.location_of_records();
                Err(self.error(at, Problem::NotRecords { location, found: Found::Array }))
            }
            (SplitState::KeyOrEnd, _) => Err(self.error(at, Problem::Syntax("a key or `}`"))),
            (SplitState::Key, _) => Err(self.error(at, Problem::Syntax("a key"))),
            (SplitState::Colon, _) => Err(self.error(at, Problem::Syntax("`:`"))),
            (SplitState::CommaOrEnd, _) => {
                Err(self.error(at, Problem::Syntax("`,` or the end of the container")))
            }
            _ => Err(self.error(at, Problem::Syntax("nothing more after the document"))),
        }
    }

    fn in_object(&self) -> bool {
        self.stack.last().is_some_and(|frame| frame.object)
    }

    fn in_records(&self) -> bool {
        self.stack.last().is_some_and(|frame| frame.role == Role::Records)
    }

    fn next_element(&mut self) {
        if self.in_object() {
            self.state = SplitState::Key;
        } else {
            self.state = SplitState::Value;
            self.enter_element();
        }
    }

    /// Sets what is watched in the next element of the array on top of the stack.
    fn enter_element(&mut self) {
        (self.mask, self.level) = match self.stack.last() {
            Some(frame) if frame.role == Role::Records => (self.watch.roots(true), 0),
            Some(frame) if frame.role == Role::Groups => (RECORDS, frame.level + 1),
            _ => (0, 0),
        };
    }

    fn begin_value(&mut self, byte: u8, at: usize) -> Result<(), SplitError> {
        let start = self.offset + at as u64;
        if self.stack.is_empty() && byte == b'<' {
            return Err(self.error(at, Problem::Markup));
        }
        if self.in_records() {
            self.begin_record(byte, start, at)?;
        }
        let role = if self.mask & RECORDS == 0 { Role::Plain } else { self.towards_records(byte, at)? };
        if role == Role::Record {
            self.begin_array(start);
            self.record_start = Some(start);
            self.split.record_fields.resize(self.watch.record_fields(), None);
        }
        let found = self.found_here();
        self.note_starts(found & !RECORDS, start);
        match byte {
            b'{' | b'[' => return self.open(byte == b'{', role, at),
            b'"' => {
                self.in_key = false;
                self.state = SplitState::Text;
            }
            b'-' => self.state = SplitState::Number(Digits::Minus),
            b'0' => self.state = SplitState::Number(Digits::Zero),
            b'1'..=b'9' => self.state = SplitState::Number(Digits::Integer),
            b't' => self.state = SplitState::Literal { rest: b"rue" },
            b'f' => self.state = SplitState::Literal { rest: b"alse" },
            b'n' => self.state = SplitState::Literal { rest: b"ull" },
            _ => return Err(self.error(at, Problem::Syntax("a value"))),
        }
        Ok(())
    }

    #[inline]
    fn begin_record(&mut self, byte: u8, start: u64, at: usize) -> Result<(), SplitError> {
        let scalars = matches!(self.watch.records(), RecordsSpec::Scalars(_));
        if let Some(found) = Found::of(byte)
            && (if scalars { found.is_container() } else { found != Found::Object })
        {
            let location = self.location_of_records();
            return Err(self.error(at, Problem::NotARecord { location, found }));
        }
        let keyed = self.in_object();
        self.record_start = Some(if keyed { self.key_start } else { start });
        if self.split.count >= self.max_kept {
            self.split.record_fields.clear();
        }
        let first = self.split.record_fields.len();
        self.split.record_fields.resize(first + self.watch.record_fields(), None);
        for bit in bits(if keyed { self.watch.keys() } else { 0 }) {
            let field = first + bit.trailing_zeros() as usize;
            self.split.record_fields[field] = Some(self.key_start..self.key_end);
        }
        Ok(())
    }

    /// Checks a value that is on the way to the records, or is where they should be; returns its role.
    #[cold]
    fn towards_records(&mut self, byte: u8, at: usize) -> Result<Role, SplitError> {
        let level = usize::from(self.level);
        let pointer = self.watch.records().pointer();
        let (groups, here) = (pointer.each() == Some(level), pointer.segments().len() == level);
        let location = |splitter: &Self| pointer.location(level, splitter.groups);
        let Some(found) = Found::of(byte) else { return Ok(Role::Plain) };
        let seen = if groups { &mut self.groups_seen } else { &mut self.seen };
        if (groups || here) && *seen == Seen::Array {
            return Err(self.error(at, Problem::RepeatedRecords(location(self))));
        }
        match found {
            // Whether it is an empty list is decided at the end of the page, or of the group.
            Found::Null if groups || here => {
                *seen = Seen::Null;
                Ok(Role::Plain)
            }
            Found::Null if level > 0 => Ok(Role::Plain),
            Found::Array if groups => {
                *seen = Seen::Array;
                Ok(Role::Groups)
            }
            Found::Object if here && self.watch.records().is_map() => Ok(Role::Records),
            Found::Object if here && self.watch.records().is_one() => Ok(Role::Record),
            Found::Array if here && !self.watch.records().is_one() => Ok(Role::Records),
            Found::Object if !groups && !here => Ok(Role::Plain),
            _ => {
                let error = self.error(at, Problem::NotRecords { location: location(self), found });
                if self.watch.error_fields() == 0 {
                    return Err(error);
                }
                // Whether the page is an error is seen at its end.
                self.misplaced.get_or_insert(error);
                Ok(Role::Plain)
            }
        }
    }

    /// The watched paths that end at the value to come.
    fn found_here(&self) -> u32 {
        let level = usize::from(self.level);
        bits(self.mask).filter(|bit| self.watch.segments(*bit).len() == level).fold(0, |all, bit| all | bit)
    }

    fn note_starts(&mut self, found: u32, start: u64) {
        let depth = self.stack.len();
        self.pending.extend(bits(found).map(|bit| Pending { bit, start, depth }));
    }

    fn open(&mut self, object: bool, role: Role, at: usize) -> Result<(), SplitError> {
        if self.stack.len() == MAX_DEPTH {
            return Err(self.error(at, Problem::TooDeep));
        }
        let mut mask = if object { self.mask } else { 0 };
        self.state = if object { SplitState::KeyOrEnd } else { SplitState::ValueOrEnd };
        if role == Role::Records {
            self.begin_array(self.offset + at as u64);
            // Nothing goes by the text of keys of records, which may be long.
            mask = 0;
            if !object && self.watch.records().is_map() {
                self.state = SplitState::EndOnly;
            }
        }
        self.stack.push(Frame { object, role, mask, level: self.level });
        if !object {
            self.enter_element();
        }
        Ok(())
    }

    fn close(&mut self, at: usize) -> Result<(), SplitError> {
        let role = self.stack.pop().map_or(Role::Plain, |frame| frame.role);
        let end = self.offset + at as u64 + 1;
        if matches!(role, Role::Records | Role::Record)
            && self.split.array_count <= self.max_kept
            && let Some(array) = self.split.arrays.last_mut()
        {
            array.end = end;
        }
        if role == Role::Record
            && let Some(start) = self.record_start.take()
        {
            self.end_record(start..end)?;
        }
        self.end_value(at + 1)
    }

    #[cold]
    fn begin_array(&mut self, start: u64) {
        self.seen = Seen::Array;
        self.split.array_count += 1;
        if self.split.array_count <= self.max_kept {
            self.split.arrays.push(start..start);
        } else {
            self.split.arrays = Vec::new();
        }
    }

    /// Ends an element of the array whose elements hold records.
    #[cold]
    fn end_group(&mut self, end: u64) -> Result<(), SplitError> {
        if let Some(problem) = self.judge(self.seen).filter(|_| self.misplaced.is_none()) {
            return Err(SplitError { offset: end, problem });
        }
        self.seen = Seen::Nothing;
        self.groups += 1;
        Ok(())
    }

    /// `end` is the place after the value's last byte, in the current piece.
    fn end_value(&mut self, end: usize) -> Result<(), SplitError> {
        let end = self.offset + end as u64;
        let depth = self.stack.len();
        while let Some(done) = self.pending.pop_if(|pending| pending.depth == depth) {
            let index = done.bit.trailing_zeros() as usize;
            let slot = if let Some(page_field) = index.checked_sub(self.watch.record_fields()) {
                &mut self.split.page_fields[page_field]
            } else {
                let first = self.split.record_fields.len() - self.watch.record_fields();
                &mut self.split.record_fields[first + index]
            };
            *slot = Some(done.start..end);
        }
        match self.stack.last().map_or(Role::Plain, |frame| frame.role) {
            Role::Plain | Role::Record => {}
            Role::Records => {
                if let Some(start) = self.record_start.take() {
                    self.end_record(start..end)?;
                }
            }
            Role::Groups => self.end_group(end)?,
        }
        self.state = if depth == 0 { SplitState::End } else { SplitState::CommaOrEnd };
        Ok(())
    }

    fn end_record(&mut self, span: ByteSpan) -> Result<(), SplitError> {
        let problem = if span.end - span.start > self.max_record {
            Problem::RecordTooLarge
        } else if self.split.count == self.max_records {
            Problem::TooManyRecords
        } else {
            self.split.count += 1;
            if self.split.count <= self.max_kept {
                self.split.records.push(span);
            } else {
                self.split.records = Vec::new();
            }
            return Ok(());
        };
        Err(SplitError { offset: span.start, problem })
    }

    /// Reads on in a string, from `at`; returns where it stopped.
    fn text(&mut self, piece: &[u8], at: usize) -> Result<usize, SplitError> {
        let stop = at + plain_length(&piece[at..]);
        self.note_key(&piece[at..stop]);
        let Some(&byte) = piece.get(stop) else { return Ok(stop) };
        match byte {
            b'"' if self.in_key => self.end_key(stop + 1),
            b'"' => self.end_value(stop + 1)?,
            b'\\' => {
                self.state = SplitState::Escape;
                self.note_key(b"\\");
            }
            0..0x20 => return Err(self.error(stop, Problem::Syntax("no raw control character in a string"))),
            _ => {
                self.state = lead_byte(byte).ok_or_else(|| self.error(stop, Problem::Utf8))?;
                self.note_key(&[byte]);
            }
        }
        Ok(stop + 1)
    }

    fn number(&mut self, piece: &[u8], at: usize, mut digits: Digits) -> Result<usize, SplitError> {
        for (index, byte) in piece.iter().enumerate().skip(at) {
            match digits.next(*byte) {
                Some(next) => digits = next,
                None if digits.may_end() => {
                    self.end_value(index)?;
                    return Ok(index);
                }
                None => return Err(self.error(index, Problem::Syntax("a number"))),
            }
        }
        self.state = SplitState::Number(digits);
        Ok(piece.len())
    }

    fn note_key(&mut self, bytes: &[u8]) {
        if self.in_key && self.stack.last().is_some_and(|frame| frame.mask != 0) {
            self.key.extend_from_slice(bytes);
        }
    }

    /// Narrows the watched paths of the object to those that go on with the key just read, which ends at `end`.
    fn end_key(&mut self, end: usize) {
        self.in_key = false;
        self.state = SplitState::Colon;
        let Some(&Frame { mask, level, role, .. }) = self.stack.last() else { return };
        self.level = level + 1;
        self.mask = 0;
        if mask == 0 {
            if role == Role::Records {
                self.key_end = self.offset + end as u64;
                self.enter_element();
            }
            return;
        }
        let Some(key) = unescape(&self.key) else { return };
        let segment = usize::from(level);
        self.mask = bits(mask)
            .filter(|bit| self.watch.segments(*bit).get(segment).is_some_and(|name| name.as_bytes() == &*key))
            .fold(0, |all, bit| all | bit);
    }
}

/// How many bytes of `text` come before one that is more than itself in a string: a quote, a backslash, a control
/// character, or a part of a longer character. Eight at a time.
#[inline]
fn plain_length(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    // The high bit of each byte that is below `limit`, if none before it is and all are below 0x80.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word;
    let is = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let mut at = 0;
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let special = (word | below(word, b' ') | is(word, b'"') | is(word, b'\\')) & HIGHS;
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let special = |byte: &u8| !matches!(byte, b' '..0x80) || matches!(byte, b'"' | b'\\');
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(special).unwrap_or(rest.len())
}

/// What follows the first byte of a multi-byte character (Unicode, table 3-7); `None` if none can start so.
fn lead_byte(byte: u8) -> Option<SplitState> {
    let (more, low, high) = match byte {
        0xC2..=0xDF => (1, 0x80, 0xBF),
        0xE0 => (2, 0xA0, 0xBF),
        0xE1..=0xEC | 0xEE | 0xEF => (2, 0x80, 0xBF),
        0xED => (2, 0x80, 0x9F),
        0xF0 => (3, 0x90, 0xBF),
        0xF1..=0xF3 => (3, 0x80, 0xBF),
        0xF4 => (3, 0x80, 0x8F),
        _ => return None,
    };
    Some(SplitState::Utf8 { more, low, high })
}

/// The bits of a mask, one at a time.
fn bits(mut mask: u32) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let lowest = mask & mask.wrapping_neg();
        mask ^= lowest;
        (lowest != 0).then_some(lowest)
    })
}

/// The text of a key; `None` for one that no pointer can name (it has a lone surrogate).
fn unescape(raw: &[u8]) -> Option<std::borrow::Cow<'_, [u8]>> {
    if !raw.contains(&b'\\') {
        return Some(raw.into());
    }
    let quoted = [b"\"", raw, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).ok().map(|text| text.into_bytes().into())
}

#[cfg(test)]
#[path = "tests/record.rs"]
mod tests;
