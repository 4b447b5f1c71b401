//! Buffers of columns, that values are appended to straight from the JSON text.

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Float64Type, Int64Type};
use arrow_array::{
    ArrayRef, BooleanArray, PrimitiveArray, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;

use super::drift_recorder::DriftRecorder;
use super::json_reader::{ConversionError, JsonReader, Quoted, unescape};
use super::list_column::ListColumn;
use super::number::{self, Unfit};
use super::struct_column::StructColumn;
use crate::timestamp::{Instant, parse_timestamp};

/// The values of one column so far. Those of a record that lacks it are added when the next value comes, or at the end.
#[derive(Debug)]
pub(super) enum Values {
    Text(StringColumn),
    Json(StringColumn),
    Integer(FixedColumn<i64>),
    Number(FixedColumn<f64>),
    Boolean(FixedColumn<bool>),
    Time(FixedColumn<i64>),
    Object(Box<StructColumn>),
    List(Box<ListColumn>),
}

/// Why a column can't hold a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit {
    /// It is of another type, which begins with this byte.
    Type(u8),
    /// It is a number with a fraction or an exponent.
    NotWhole,
    /// It is a number too large or too close to zero.
    Range,
    /// It is a number with more digits than a float keeps.
    Digits,
    /// It is no time that microseconds can tell.
    NotATime,
    /// It is a string that UTF-8 has no bytes for.
    NotUnicode,
}

impl From<Unfit> for Misfit {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Range => Self::Range,
            Unfit::Digits => Self::Digits,
        }
    }
}

/// Whether a value went into its column. If not, that has a null, and the value is to be rescued.
pub(super) type Fit = Result<Option<Misfit>, ConversionError>;

impl Values {
    /// Appends the value that comes next.
    #[inline]
    pub(super) fn append(&mut self, cursor: &mut JsonReader<'_>, notes: &mut DriftRecorder) -> Fit {
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

    pub(super) fn len(&self) -> usize {
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
    pub(super) fn pad(&mut self, rows: usize) {
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
    pub(super) fn truncate(&mut self, rows: usize) {
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
    pub(super) fn word(&self) -> &'static str {
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

    /// Bytes that a value takes, whatever it is, beside those of texts and of elements of lists.
    pub(super) fn null_bytes(&self) -> usize {
        match self {
            Self::Text(_) | Self::Json(_) | Self::List(_) => 5,
            Self::Integer(_) | Self::Time(_) | Self::Number(_) => 9,
            Self::Boolean(_) => 2,
            Self::Object(object) => object.null_bytes(),
        }
    }

    /// About how much memory is in use.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Json(text) => text.bytes.len() + text.offsets.len() * 5,
            Self::Integer(values) | Self::Time(values) => values.valid.len() * 9,
            Self::Number(values) => values.valid.len() * 9,
            Self::Boolean(values) => values.valid.len() * 2,
            Self::Object(object) => object.bytes(),
            Self::List(list) => list.bytes(),
        }
    }

    /// The column's array of `rows` values; begins anew.
    pub(super) fn finish(&mut self, rows: usize) -> Result<ArrayRef, ArrowError> {
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

/// Nulls for values that are not all there.
pub(super) fn nulls(valid: Vec<bool>) -> Option<NullBuffer> {
    if valid.iter().all(|valid| *valid) { None } else { Some(NullBuffer::from(valid)) }
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
pub(super) fn micros(text: &[u8]) -> Option<i64> {
    parse_timestamp(text).and_then(Instant::microseconds)
}

/// Values of one size.
#[derive(Debug)]
pub(super) struct FixedColumn<T> {
    values: Vec<T>,
    valid: Vec<bool>,
}

impl<T> Default for FixedColumn<T> {
    fn default() -> Self {
        Self { values: Vec::new(), valid: Vec::new() }
    }
}

impl<T: Copy + Default> FixedColumn<T> {
    #[inline]
    fn fit(&mut self, value: Result<T, Misfit>) -> Option<Misfit> {
        self.values.push(value.unwrap_or_default());
        self.valid.push(value.is_ok());
        value.err()
    }

    fn resize(&mut self, rows: usize) {
        self.values.resize(rows, T::default());
        self.valid.resize(rows, false);
    }

    fn take(&mut self) -> (Vec<bool>, Vec<T>) {
        let rows = self.valid.len();
        let valid = std::mem::replace(&mut self.valid, Vec::with_capacity(rows));
        (valid, std::mem::replace(&mut self.values, Vec::with_capacity(rows)))
    }

    fn finish_primitive<A: ArrowPrimitiveType<Native = T>>(&mut self) -> Result<PrimitiveArray<A>, ArrowError>
    where
        T: arrow_buffer::ArrowNativeType,
    {
        let (valid, values) = self.take();
        PrimitiveArray::try_new(ScalarBuffer::from(values), nulls(valid))
    }
}

/// Texts one after the other, with where each ends.
#[derive(Debug)]
pub(super) struct StringColumn {
    offsets: Vec<i32>,
    bytes: Vec<u8>,
    valid: Vec<bool>,
}

impl Default for StringColumn {
    fn default() -> Self {
        Self { offsets: vec![0], bytes: Vec::new(), valid: Vec::new() }
    }
}

impl StringColumn {
    pub(super) fn len(&self) -> usize {
        self.valid.len()
    }

    /// Appends a text as it is.
    #[inline]
    pub(super) fn append(&mut self, text: &[u8]) -> Fit {
        self.bytes.extend_from_slice(text);
        self.end_value(true)?;
        Ok(None)
    }

    #[inline]
    pub(super) fn append_unescaped(&mut self, text: Quoted<'_>) -> Fit {
        if !text.escaped {
            return self.append(text.raw);
        }
        let fits = unescape(text.raw, &mut self.bytes);
        self.end_value(fits)?;
        Ok(if fits { None } else { Some(Misfit::NotUnicode) })
    }

    /// Appends what `parts` are together.
    pub(super) fn append_parts(&mut self, parts: &[&[u8]]) -> Result<(), ConversionError> {
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.end_value(true)
    }

    #[inline]
    fn end_value(&mut self, valid: bool) -> Result<(), ConversionError> {
        self.offsets.push(i32::try_from(self.bytes.len()).map_err(|_| ConversionError::TooLarge)?);
        self.valid.push(valid);
        Ok(())
    }

    /// Nulls up to `rows`, or nothing beyond them.
    pub(super) fn resize(&mut self, rows: usize) {
        let end = *self.offsets.get(rows).or(self.offsets.last()).unwrap_or(&0);
        self.offsets.resize(rows + 1, end);
        self.bytes.truncate(usize::try_from(end).unwrap_or(0));
        self.valid.resize(rows, false);
    }

    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Arrow checks here that it is all UTF-8.
    pub(super) fn finish(&mut self) -> Result<StringArray, ArrowError> {
        let (rows, size) = (self.valid.len(), self.bytes.len());
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        let offsets = std::mem::replace(&mut self.offsets, offsets);
        let bytes = std::mem::replace(&mut self.bytes, Vec::with_capacity(size));
        let valid = std::mem::replace(&mut self.valid, Vec::with_capacity(rows));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        StringArray::try_new(offsets, Buffer::from_vec(bytes), nulls(valid))
    }
}
