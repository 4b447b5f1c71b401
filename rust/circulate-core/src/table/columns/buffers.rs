//! Buffers of values that have no parts.

use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{PrimitiveArray, StringArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;

use super::misfit::{Fit, Misfit};
use crate::table::json::{ConversionError, Quoted, unescape};

/// Nulls for values that are not all there.
pub(super) fn nulls(valid: Vec<bool>) -> Option<NullBuffer> {
    if valid.iter().all(|valid| *valid) { None } else { Some(NullBuffer::from(valid)) }
}

/// Values of one size.
#[derive(Debug)]
pub(crate) struct FixedColumn<T> {
    values: Vec<T>,
    pub(super) valid: Vec<bool>,
}

impl<T> Default for FixedColumn<T> {
    fn default() -> Self {
        Self { values: Vec::new(), valid: Vec::new() }
    }
}

impl<T: Copy + Default> FixedColumn<T> {
    #[inline]
    pub(super) fn fit(&mut self, value: Result<T, Misfit>) -> Option<Misfit> {
        self.values.push(value.unwrap_or_default());
        self.valid.push(value.is_ok());
        value.err()
    }

    pub(super) fn resize(&mut self, rows: usize) {
        self.values.resize(rows, T::default());
        self.valid.resize(rows, false);
    }

    pub(super) fn take(&mut self) -> (Vec<bool>, Vec<T>) {
        let rows = self.valid.len();
        let valid = std::mem::replace(&mut self.valid, Vec::with_capacity(rows));
        (valid, std::mem::replace(&mut self.values, Vec::with_capacity(rows)))
    }

    pub(super) fn finish_primitive<A: ArrowPrimitiveType<Native = T>>(
        &mut self,
    ) -> Result<PrimitiveArray<A>, ArrowError>
    where
        T: arrow_buffer::ArrowNativeType,
    {
        let (valid, values) = self.take();
        PrimitiveArray::try_new(ScalarBuffer::from(values), nulls(valid))
    }
}

/// Texts one after the other, with where each ends.
#[derive(Debug)]
pub(crate) struct StringColumn {
    pub(super) offsets: Vec<i32>,
    pub(super) bytes: Vec<u8>,
    valid: Vec<bool>,
}

impl Default for StringColumn {
    fn default() -> Self {
        Self { offsets: vec![0], bytes: Vec::new(), valid: Vec::new() }
    }
}

impl StringColumn {
    pub(crate) fn len(&self) -> usize {
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
    pub(crate) fn append_parts(&mut self, parts: &[&[u8]]) -> Result<(), ConversionError> {
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
    pub(crate) fn resize(&mut self, rows: usize) {
        let end = *self.offsets.get(rows).or(self.offsets.last()).unwrap_or(&0);
        self.offsets.resize(rows + 1, end);
        self.bytes.truncate(usize::try_from(end).unwrap_or(0));
        self.valid.resize(rows, false);
    }

    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Arrow checks here that it is all UTF-8.
    pub(crate) fn finish(&mut self) -> Result<StringArray, ArrowError> {
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
