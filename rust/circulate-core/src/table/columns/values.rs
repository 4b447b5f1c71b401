//! Columns, that values are appended to straight from the JSON text. Those of objects and lists hold columns themselves.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{ArrayRef, BooleanArray, ListArray, StructArray, TimestampMicrosecondArray};
use arrow_buffer::{BooleanBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, FieldRef, Fields};

use super::buffers::{FixedColumn, StringColumn, nulls};
use super::drift::DriftKind;
use super::drift_recorder::DriftRecorder;
use super::misfit::{Fit, Misfit};
use super::names::{MAX_NAME, Taken};
use crate::table::json::{
    ConversionError, JsonReader, MemberText, Quoted, Repeats, members, name_of, number, pointer, unescape,
};
use crate::timestamp::{Instant, parse_timestamp};

/// The values of one column so far. Those of a record without it are added when the next value comes, or at the end.
#[derive(Debug)]
pub(crate) enum Values {
    Text(StringColumn),
    Json(StringColumn),
    Integer(FixedColumn<i64>),
    Number(FixedColumn<f64>),
    Boolean(FixedColumn<bool>),
    Time(FixedColumn<i64>),
    Object(Box<StructColumn>),
    List(Box<ListColumn>),
}

impl Values {
    /// Appends the value that comes next.
    #[inline]
    fn append(&mut self, cursor: &mut JsonReader<'_>, notes: &mut DriftRecorder) -> Fit {
        let first = cursor.peek()?;
        match (&mut *self, first) {
            (_, b'n') => self.append_null(cursor),
            (Self::Text(text), b'"') => text.append_unescaped(cursor.string()?),
            (Self::Json(text), _) => text.append(cursor.skip()?),
            (Self::Integer(values), b'-' | b'0'..=b'9') => Ok(values.fit(whole(cursor.scalar()?))),
            (Self::Number(values), b'-' | b'0'..=b'9') => {
                Ok(values.fit(number::float(cursor.scalar()?).map_err(Misfit::from)))
            }
            (Self::Boolean(values), b't' | b'f') => {
                let value = first == b't';
                cursor.literal(if value { b"true" } else { b"false" })?;
                Ok(values.fit(Ok(value)))
            }
            (Self::Time(values), b'"') => Ok(values.fit(time_of(cursor.string()?))),
            (Self::Object(object), b'{') => object.append(cursor, notes).map(|()| None),
            (Self::List(list), b'[') => list.append(cursor, notes).map(|()| None),
            _ => {
                cursor.skip()?;
                self.push_null();
                Ok(Some(Misfit::Type(first)))
            }
        }
    }

    fn append_null(&mut self, cursor: &mut JsonReader<'_>) -> Fit {
        cursor.literal(b"null")?;
        self.push_null();
        Ok(None)
    }

    fn push_null(&mut self) {
        self.pad(self.len() + 1);
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(text) | Self::Json(text) => text.len(),
            Self::Integer(values) | Self::Time(values) => values.valid.len(),
            Self::Number(values) => values.valid.len(),
            Self::Boolean(values) => values.valid.len(),
            Self::Object(object) => object.len(),
            Self::List(list) => list.len(),
        }
    }

    /// Adds nulls up to `rows`.
    #[inline]
    fn pad(&mut self, rows: usize) {
        if self.len() >= rows {
            return;
        }
        match self {
            Self::Text(text) | Self::Json(text) => text.resize(rows),
            Self::Integer(values) | Self::Time(values) => values.resize(rows),
            Self::Number(values) => values.resize(rows),
            Self::Boolean(values) => values.resize(rows),
            Self::Object(object) => object.pad(rows),
            Self::List(list) => list.pad(rows),
        }
    }

    /// Takes back what is beyond `rows`.
    fn truncate(&mut self, rows: usize) {
        // Even without a row too many there may be the beginning of one.
        let rows = rows.min(self.len());
        match self {
            Self::Text(text) | Self::Json(text) => text.resize(rows),
            Self::Integer(values) | Self::Time(values) => values.resize(rows),
            Self::Number(values) => values.resize(rows),
            Self::Boolean(values) => values.resize(rows),
            Self::Object(object) => object.truncate(rows),
            Self::List(list) => list.truncate(rows),
        }
    }

    /// What the column is for, in the words of definitions.
    fn word(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Json(_) => "json",
            Self::Integer(_) => "integer",
            Self::Number(_) => "number",
            Self::Boolean(_) => "boolean",
            Self::Time(_) => "timestamp",
            Self::Object(_) => "object",
            Self::List(_) => "list",
        }
    }

    /// Bytes that a value takes, whatever it is, beside those of strings and of elements of lists.
    fn null_bytes(&self) -> usize {
        match self {
            Self::Text(_) | Self::Json(_) | Self::List(_) => 5,
            Self::Integer(_) | Self::Time(_) | Self::Number(_) => 9,
            Self::Boolean(_) => 2,
            Self::Object(object) => object.null_bytes(),
        }
    }

    /// About how much memory is in use.
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Json(text) => text.bytes.len() + text.offsets.len() * 5,
            Self::Integer(values) | Self::Time(values) => values.valid.len() * 9,
            Self::Number(values) => values.valid.len() * 9,
            Self::Boolean(values) => values.valid.len() * 2,
            Self::Object(object) => object.bytes(),
            Self::List(list) => list.bytes(),
        }
    }

    /// The column's array of `rows` values; starts over.
    pub(crate) fn finish(&mut self, rows: usize) -> Result<ArrayRef, ArrowError> {
        self.pad(rows);
        Ok(match self {
            Self::Text(text) | Self::Json(text) => Arc::new(text.finish()?),
            Self::Integer(values) => Arc::new(values.finish_primitive::<Int64Type>()?),
            Self::Number(values) => Arc::new(values.finish_primitive::<Float64Type>()?),
            Self::Time(values) => {
                let (valid, values) = values.take();
                let times = TimestampMicrosecondArray::try_new(ScalarBuffer::from(values), nulls(valid))?;
                Arc::new(times.with_timezone("UTC"))
            }
            Self::Boolean(values) => {
                let (valid, values) = values.take();
                Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls(valid)))
            }
            Self::Object(object) => {
                let (valid, arrays) = object.finish(rows)?;
                Arc::new(StructArray::try_new(object.fields(), arrays, nulls(valid))?)
            }
            Self::List(list) => Arc::new(list.finish()?),
        })
    }
}

fn whole(raw: &[u8]) -> Result<i64, Misfit> {
    let unfit = || if number::is_whole(raw) { Misfit::Range } else { Misfit::NotWhole };
    number::integer(raw).ok_or_else(unfit)
}

fn time_of(text: Quoted<'_>) -> Result<i64, Misfit> {
    if !text.escaped {
        return micros(text.raw).ok_or(Misfit::NotATime);
    }
    let mut unescaped = Vec::new();
    unescape(text.raw, &mut unescaped);
    micros(&unescaped).ok_or(Misfit::NotATime)
}

/// What a column of times holds of a text.
pub(crate) fn micros(text: &[u8]) -> Option<i64> {
    parse_timestamp(text).and_then(Instant::microseconds)
}

/// Lists one after the other: their elements, and where each list ends.
#[derive(Debug)]
pub(crate) struct ListColumn {
    element: Values,
    pub(crate) element_field: FieldRef,
    /// Where its elements stand, for the drift report.
    path: String,
    /// Bytes that an element takes, whatever it holds.
    element_bytes: usize,
    offsets: Vec<i32>,
    valid: Vec<bool>,
}

impl ListColumn {
    pub(crate) fn new(element: Values, element_field: FieldRef, path: String) -> Self {
        let element_bytes = element.null_bytes();
        Self { element, element_field, path, element_bytes, offsets: vec![0], valid: Vec::new() }
    }

    /// Appends the list that comes next.
    fn append(
        &mut self,
        cursor: &mut JsonReader<'_>,
        notes: &mut DriftRecorder,
    ) -> Result<(), ConversionError> {
        let first = self.element.len();
        cursor.expect(b'[')?;
        if !cursor.take(b']')? {
            loop {
                self.append_element(first, cursor, notes)?;
                if !cursor.another(b']')? {
                    break;
                }
            }
        }
        self.offsets.push(i32::try_from(self.element.len()).map_err(|_| ConversionError::TooLarge)?);
        self.valid.push(true);
        Ok(())
    }

    fn append_element(
        &mut self,
        first: usize,
        cursor: &mut JsonReader<'_>,
        notes: &mut DriftRecorder,
    ) -> Result<(), ConversionError> {
        notes.count_element(self.element_bytes)?;
        let number = self.element.len() - first;
        let start = cursor.at();
        let inside =
            matches!(self.element, Values::Object(_) | Values::List(_)).then(|| notes.enter_element(number));
        let misfit = self.element.append(cursor, notes)?;
        if let Some(mark) = inside {
            notes.leave(mark);
        }
        if let Some(misfit) = misfit {
            let mark = notes.enter_element(number);
            notes.misfit(misfit, &self.path, self.element.word(), cursor.since(start));
            notes.leave(mark);
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.valid.len()
    }

    fn pad(&mut self, rows: usize) {
        let end = *self.offsets.last().unwrap_or(&0);
        self.offsets.resize(rows + 1, end);
        self.valid.resize(rows, false);
    }

    fn truncate(&mut self, rows: usize) {
        let rows = rows.min(self.len());
        self.offsets.truncate(rows + 1);
        self.valid.truncate(rows);
        // Elements of a list that was begun are beyond the last end too.
        self.element.truncate(usize::try_from(*self.offsets.last().unwrap_or(&0)).unwrap_or(0));
    }

    fn bytes(&self) -> usize {
        self.element.bytes() + self.offsets.len() * 5
    }

    fn finish(&mut self) -> Result<ListArray, ArrowError> {
        let rows = self.element.len();
        let values = self.element.finish(rows)?;
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        let valid = std::mem::take(&mut self.valid);
        let offsets = OffsetBuffer::new(offsets.into());
        ListArray::try_new(FieldRef::clone(&self.element_field), offsets, values, nulls(valid))
    }
}

/// A member with its column.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) field: FieldRef,
    pub(crate) values: Values,
    /// The key as JSON writes it, with its quotes.
    quoted: Vec<u8>,
    /// The key as a segment of a JSON Pointer, within a JSON string.
    segment: Vec<u8>,
    /// Where it stands, for the drift report.
    path: String,
}

impl Column {
    pub(crate) fn new(name: &str, path: String, field: FieldRef, values: Values) -> Self {
        Self {
            field,
            values,
            quoted: pointer::json_text(name).into_bytes(),
            segment: pointer::segment(name),
            path,
        }
    }
}

/// The columns of the members of objects at one path.
#[derive(Debug)]
pub(crate) struct StructColumn {
    pub(crate) columns: Vec<Column>,
    /// By the key's bytes.
    indices: HashMap<Vec<u8>, usize, ahash::RandomState>,
    /// Which column came after which one last time, for it is likely to do so again; first the one that came first.
    followers: Vec<usize>,
    /// Members that have no column since another one has their name, or one that readers can't distinguish from it.
    refused: HashSet<String>,
    folded: Taken,
    /// Names of columns of our own.
    ours: Taken,
    valid: Vec<bool>,
    path: String,
}

/// Where a key was found.
enum KeyMatch<'j> {
    Column(usize),
    Unknown(Quoted<'j>),
}

impl StructColumn {
    pub(crate) fn new(path: String, columns: Vec<(String, Column)>, refused: HashSet<String>) -> Self {
        let folded = columns.iter().map(|(name, _)| name.as_str()).collect();
        let (names, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let indices = names.into_iter().enumerate().map(|(index, name)| (name.into_bytes(), index)).collect();
        let followers = (0..=columns.len()).collect();
        Self { columns, indices, followers, refused, folded, ours: Taken::default(), valid: Vec::new(), path }
    }

    /// Keeps names for columns of our own.
    pub(crate) fn reserve(&mut self, ours: Taken) {
        self.ours = ours;
    }

    /// Appends the object that comes next.
    pub(crate) fn append(
        &mut self,
        cursor: &mut JsonReader<'_>,
        notes: &mut DriftRecorder,
    ) -> Result<(), ConversionError> {
        if notes.careful {
            return self.append_carefully(cursor, notes);
        }
        cursor.expect(b'{')?;
        if !cursor.take(b'}')? {
            self.append_members(cursor, notes)?;
        }
        self.end_row();
        Ok(())
    }

    /// Appends members up to and with the end of their object.
    pub(crate) fn append_members(
        &mut self,
        cursor: &mut JsonReader<'_>,
        notes: &mut DriftRecorder,
    ) -> Result<(), ConversionError> {
        let mut before = 0;
        loop {
            match self.find(cursor, before)? {
                KeyMatch::Column(index) => {
                    self.append_member(index, cursor, notes)?;
                    before = index + 1;
                }
                KeyMatch::Unknown(key) => self.rescue_unknown(key, cursor.skip()?, notes),
            }
            if !cursor.another(b'}')? {
                return Ok(());
            }
        }
    }

    /// The object has come to its end.
    pub(crate) fn end_row(&mut self) {
        self.valid.push(true);
    }

    /// Finds the column of the key that comes next, first where it was found last time.
    #[inline]
    fn find<'j>(
        &mut self,
        cursor: &mut JsonReader<'j>,
        before: usize,
    ) -> Result<KeyMatch<'j>, ConversionError> {
        cursor.peek()?;
        let likely = self.followers.get(before).copied().unwrap_or_default();
        if let Some(column) = self.columns.get(likely)
            && cursor.take_bytes(&column.quoted)
        {
            cursor.expect(b':')?;
            return Ok(KeyMatch::Column(likely));
        }
        let key = cursor.key()?;
        let index = self.column_of(key);
        Ok(match index {
            Some(index) => {
                if let Some(follower) = self.followers.get_mut(before) {
                    *follower = index;
                }
                KeyMatch::Column(index)
            }
            None => KeyMatch::Unknown(key),
        })
    }

    #[inline]
    fn column_of(&self, key: Quoted<'_>) -> Option<usize> {
        if key.escaped {
            return name_of(key).and_then(|name| self.indices.get(name.as_bytes()).copied());
        }
        self.indices.get(key.raw).copied()
    }

    #[inline]
    fn append_member(
        &mut self,
        index: usize,
        cursor: &mut JsonReader<'_>,
        notes: &mut DriftRecorder,
    ) -> Result<(), ConversionError> {
        let row = self.valid.len();
        let column = &mut self.columns[index];
        if column.values.len() > row {
            return Err(ConversionError::Repeated);
        }
        column.values.pad(row);
        cursor.peek()?;
        let start = cursor.at();
        let inside = matches!(column.values, Values::Object(_) | Values::List(_))
            .then(|| notes.enter(&column.segment));
        let misfit = column.values.append(cursor, notes)?;
        if let Some(mark) = inside {
            notes.leave(mark);
        }
        if let Some(misfit) = misfit {
            let mark = notes.enter(&column.segment);
            notes.misfit(misfit, &column.path, column.values.word(), cursor.since(start));
            notes.leave(mark);
        }
        Ok(())
    }

    /// A member without a column goes to the rescue column. Null is nothing that could be lost.
    fn rescue_unknown(&self, key: Quoted<'_>, value: &[u8], notes: &mut DriftRecorder) {
        if notes.muted {
            return;
        }
        let name = name_of(key);
        if value == b"null" {
            // Unless it takes back what came before it.
            let mark = notes.enter(&segment_of(key, name.as_deref()));
            if notes.has_rescued_here() {
                notes.rescue(value);
            }
            notes.leave(mark);
            return;
        }
        let kind = match name.as_deref() {
            None => DriftKind::NotUnicode,
            Some(name) if name.is_empty() || self.refused.contains(name) || self.ours.has(name) => {
                DriftKind::NameTaken
            }
            Some(name) if self.folded.has(name) => DriftKind::CaseOnly,
            Some(_) => DriftKind::NewMember,
        };
        let can_be_column = name.as_deref().is_some_and(|name| name.len() <= MAX_NAME);
        notes.fresh |= kind == DriftKind::NewMember && can_be_column;
        self.rescue(key, value, kind, notes);
    }

    fn rescue(&self, key: Quoted<'_>, value: &[u8], kind: DriftKind, notes: &mut DriftRecorder) {
        let name = name_of(key);
        let mark = notes.enter(&segment_of(key, name.as_deref()));
        notes.rescue(value);
        notes.leave(mark);
        let shown = name.unwrap_or_else(|| String::from_utf8_lossy(key.raw));
        notes.note(pointer::path(&self.path, &shown), kind, value);
    }

    /// Appends an object that may have a key twice: the last value counts, the earlier ones are rescued.
    fn append_carefully(
        &mut self,
        cursor: &mut JsonReader<'_>,
        notes: &mut DriftRecorder,
    ) -> Result<(), ConversionError> {
        self.append_member_list(members(cursor)?, notes)?;
        self.end_row();
        Ok(())
    }

    pub(crate) fn append_member_list(
        &mut self,
        members: Vec<MemberText<'_>>,
        notes: &mut DriftRecorder,
    ) -> Result<(), ConversionError> {
        for MemberText { key, name, value, repeats } in members {
            let index = name.and_then(|name| self.indices.get(name.as_bytes()).copied());
            match (repeats, index) {
                (Repeats::Later, _) => self.rescue(key, value, DriftKind::RepeatedKey, notes),
                (_, Some(index)) => {
                    let shows_as_null = value == b"null" || (notes.flatten && value.starts_with(b"{"));
                    if repeats == Repeats::Earlier && shows_as_null {
                        // Otherwise an earlier value would seem to be the last one.
                        let mark = notes.enter(&self.columns[index].segment);
                        notes.rescue(value);
                        notes.leave(mark);
                    }
                    self.append_member(index, &mut JsonReader::new(value), notes)?;
                }
                (_, None) => self.rescue_unknown(key, value, notes),
            }
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.valid.len()
    }

    pub(crate) fn pad(&mut self, rows: usize) {
        self.valid.resize(rows, false);
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.valid.truncate(rows);
        self.columns.iter_mut().for_each(|column| column.values.truncate(rows));
    }

    /// Bytes that an object takes, whatever it holds, beside those of strings and of elements of lists.
    pub(crate) fn null_bytes(&self) -> usize {
        1 + self.columns.iter().map(|column| column.values.null_bytes()).sum::<usize>()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.valid.len() + self.columns.iter().map(|column| column.values.bytes()).sum::<usize>()
    }

    /// Starts over where the arrays of members were taken one by one.
    pub(crate) fn restart(&mut self) {
        self.valid.clear();
    }

    pub(crate) fn fields(&self) -> Fields {
        self.columns.iter().map(|column| Arc::clone(&column.field)).collect()
    }

    /// The arrays of its members, and where there was an object at all; starts over.
    pub(crate) fn finish(&mut self, rows: usize) -> Result<(Vec<bool>, Vec<ArrayRef>), ArrowError> {
        self.pad(rows);
        let arrays =
            self.columns.iter_mut().map(|column| column.values.finish(rows)).collect::<Result<_, _>>()?;
        Ok((std::mem::take(&mut self.valid), arrays))
    }
}

fn segment_of(key: Quoted<'_>, name: Option<&str>) -> Vec<u8> {
    name.map_or_else(|| pointer::raw_segment(key.raw), pointer::segment)
}
