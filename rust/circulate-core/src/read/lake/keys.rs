//! The keys of records, and their versions, from JSON as received and from rows of tables.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};

use super::entries::VERSION_BYTES;
use super::paths::{MemberPlace, TablePlaces, member_at, rescued_at};
use super::rebuild::{only, record_of_row};
use crate::catalog::Pointer;
use crate::error::Result;
use crate::lake::manifest::Identity;
use crate::lake::record_key::{KeyBuilder, KeyValue, RecordKey};
use crate::page::{Record, Watch};
use crate::table::{JsonReader, MemberType, unescape};
use crate::timestamp::parse_timestamp;

/// What is read of each record to know which one it is.
#[derive(Debug)]
pub(crate) struct KeyMembers {
    pointers: Vec<Pointer>,
    parents: usize,
    keys: usize,
    pub(super) version: bool,
    /// For records as JSON.
    pub(crate) watch: Watch,
}

impl KeyMembers {
    pub(crate) fn new(identity: &Identity) -> Self {
        let parents = identity.parents.iter().map(|name| parent_pointer(name));
        let pointers: Vec<_> =
            parents.chain(identity.primary_key.iter().cloned()).chain(identity.version.clone()).collect();
        Self {
            watch: Watch::new(crate::catalog::RecordsSpec::default(), &pointers, &[]),
            parents: identity.parents.len(),
            keys: identity.primary_key.len(),
            version: identity.version.is_some(),
            pointers,
        }
    }

    /// The key of a record as JSON; `None` if a value of it is missing.
    pub(crate) fn key_of_record(&self, record: &Record<'_>, builder: &mut KeyBuilder) -> Option<RecordKey> {
        let value = |number| record.field(number).map_or(KeyValue::Missing, KeyValue::Json);
        self.key(value, builder)
    }

    pub(crate) fn version_of_record(&self, record: &Record<'_>) -> [u8; VERSION_BYTES] {
        let value = if self.version { record.field(self.parents + self.keys) } else { None };
        version_bytes(value.map_or(KeyValue::Missing, KeyValue::Json))
    }

    fn key<'v>(&self, value: impl Fn(usize) -> KeyValue<'v>, builder: &mut KeyBuilder) -> Option<RecordKey> {
        for number in 0..self.parents {
            builder.parent(value(number));
        }
        for number in self.parents..self.parents + self.keys {
            builder.value(value(number));
        }
        builder.finish()
    }

    /// The members of its key of a record, and nothing else.
    pub(super) fn key_alone(&self, record: &[u8]) -> Vec<u8> {
        only(record, &self.pointers[..self.parents + self.keys])
    }

    /// Where the same stands in tables.
    pub(crate) fn paths(&self, table: &TablePlaces<'_>) -> Vec<MemberPlace> {
        self.pointers.iter().map(|pointer| table.find(pointer)).collect()
    }

    /// The columns of a table that keys are read from.
    pub(super) fn columns(&self, table: &TablePlaces<'_>) -> Vec<String> {
        let paths = self.paths(table);
        let mut columns: Vec<_> =
            paths.iter().flat_map(|member_path| member_path.columns().iter().cloned()).collect();
        columns.extend(table.rescued().map(str::to_owned));
        columns.sort();
        columns.dedup();
        columns
    }

    /// The key of a row of a table, in which its members have these places.
    pub(crate) fn key_of_row(
        &self,
        table: &TablePlaces<'_>,
        (batch, row): (&RecordBatch, usize),
        paths: &[MemberPlace],
        builder: &mut KeyBuilder,
    ) -> Result<Option<RecordKey>> {
        let is_composed = |path: &MemberPlace| matches!(path, MemberPlace::Composed { .. });
        let of_key = &paths[..self.parents + self.keys];
        let record =
            if of_key.iter().any(is_composed) { record_of_row(table, batch, row)? } else { Vec::new() };
        let value = |number: usize| {
            let pointer = &self.pointers[number];
            if is_composed(&paths[number]) {
                member_at(&record, pointer.segments()).map_or(KeyValue::Missing, KeyValue::Json)
            } else {
                value_at(batch, &paths[number], pointer, row)
            }
        };
        Ok(self.key(value, builder))
    }

    pub(crate) fn version_of_row(
        &self,
        batch: &RecordBatch,
        paths: &[MemberPlace],
        row: usize,
    ) -> [u8; VERSION_BYTES] {
        let number = self.parents + self.keys;
        let value = if self.version {
            value_at(batch, &paths[number], &self.pointers[number], row)
        } else {
            KeyValue::Missing
        };
        version_bytes(value)
    }
}

/// Where a member of a parent stands in a record as it is written.
pub(super) fn parent_pointer(name: &str) -> Pointer {
    Pointer::of(["_circulate", "parent", name].map(str::to_owned).to_vec())
}

/// A value in a row: that of its column, or what was rescued because it had no place there.
pub(super) fn value_at<'b>(
    batch: &'b RecordBatch,
    member_path: &MemberPlace,
    pointer: &Pointer,
    row: usize,
) -> KeyValue<'b> {
    match in_column(batch, member_path, row) {
        KeyValue::Missing => rescued_at(batch, pointer, row).map_or(KeyValue::Missing, KeyValue::Json),
        value => value,
    }
}

fn in_column<'b>(batch: &'b RecordBatch, member_path: &MemberPlace, row: usize) -> KeyValue<'b> {
    let MemberPlace::Column { path, kind, below } = member_path else { return KeyValue::Missing };
    let Some((first, members)) = path.split_first() else { return KeyValue::Missing };
    let Some(mut array) = batch.column_by_name(first) else { return KeyValue::Missing };
    for member in members {
        if array.is_null(row) {
            return KeyValue::Missing;
        }
        let Some(inner) = array.as_struct_opt().and_then(|members| members.column_by_name(member)) else {
            return KeyValue::Missing;
        };
        array = inner;
    }
    if array.is_null(row) {
        return KeyValue::Missing;
    }
    let found = match kind {
        MemberType::String => array.as_string_opt::<i32>().map(|strings| KeyValue::Text(strings.value(row))),
        MemberType::Json => array
            .as_string_opt::<i32>()
            .and_then(|strings| member_at(strings.value(row).as_bytes(), below).map(KeyValue::Json)),
        MemberType::Integer => {
            array.as_primitive_opt::<Int64Type>().map(|numbers| KeyValue::Integer(numbers.value(row)))
        }
        MemberType::Number => {
            array.as_primitive_opt::<Float64Type>().map(|numbers| KeyValue::Float(numbers.value(row)))
        }
        MemberType::Boolean => array.as_boolean_opt().map(|values| KeyValue::Boolean(values.value(row))),
        MemberType::Timestamp => {
            array.as_primitive_opt::<TimestampMicrosecondType>().map(|times| KeyValue::Time(times.value(row)))
        }
        MemberType::Struct(_) | MemberType::List(_) => None,
    };
    found.unwrap_or(KeyValue::Missing)
}

/// A version as bytes that sort as versions do: nothing that can be compared, then numbers, then times.
pub(super) fn version_bytes(value: KeyValue<'_>) -> [u8; VERSION_BYTES] {
    match value {
        KeyValue::Missing | KeyValue::Boolean(_) => version_of(1, [0; 16]),
        KeyValue::Text(text) => text_version(text.as_bytes()),
        KeyValue::Integer(number) => number_version(number.to_string().as_bytes()),
        KeyValue::Float(number) => number_version(format!("{number:?}").as_bytes()),
        KeyValue::Time(microseconds) => time_version(
            microseconds.div_euclid(1_000_000),
            u32::try_from(microseconds.rem_euclid(1_000_000)).unwrap_or_default() * 1000,
        ),
        KeyValue::Json(json) => json_version(json.trim_ascii()),
    }
}

fn json_version(json: &[u8]) -> [u8; VERSION_BYTES] {
    if json.first() != Some(&b'"') {
        return number_version(json);
    }
    let Ok(quoted) = JsonReader::new(json).string() else { return version_of(1, [0; 16]) };
    let mut text = Vec::new();
    if unescape(quoted.raw, &mut text) { text_version(&text) } else { version_of(1, [0; 16]) }
}

fn text_version(text: &[u8]) -> [u8; VERSION_BYTES] {
    match parse_timestamp(text) {
        Some(time) => time_version(time.seconds, u32::try_from(time.nanoseconds).unwrap_or_default()),
        None => version_of(1, [0; 16]),
    }
}

fn time_version(seconds: i64, nanoseconds: u32) -> [u8; VERSION_BYTES] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(seconds.cast_unsigned() ^ 1 << 63).to_be_bytes());
    bytes[8..12].copy_from_slice(&nanoseconds.to_be_bytes());
    version_of(3, bytes)
}

/// A number: the float that is nearest to it, then what a whole one of 64 bits is above that.
fn number_version(number: &[u8]) -> [u8; VERSION_BYTES] {
    let text = std::str::from_utf8(number).unwrap_or_default();
    let Some(float) = text.parse::<f64>().ok().filter(|float| float.is_finite()) else {
        return version_of(1, [0; 16]);
    };
    let float = if float == 0.0 { 0.0 } else { float };
    let bits = float.to_bits();
    let ordered = if float.is_sign_negative() { !bits } else { bits ^ 1 << 63 };
    #[expect(clippy::cast_possible_truncation, reason = "a whole number of 64 bits is near to its float")]
    let above = text.parse::<i64>().map_or(0, |whole| i128::from(whole) - float as i128);
    let above = i64::try_from(above).unwrap_or_default().cast_unsigned() ^ 1 << 63;
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&ordered.to_be_bytes());
    bytes[8..].copy_from_slice(&above.to_be_bytes());
    version_of(2, bytes)
}

fn version_of(kind: u8, value: [u8; 16]) -> [u8; VERSION_BYTES] {
    let mut bytes = [kind; VERSION_BYTES];
    bytes[1..].copy_from_slice(&value);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whole_versions_sort_as_numbers_do(one in any::<i64>(), other in any::<i64>()) {
            let bytes = |number| version_bytes(KeyValue::Integer(number));
            prop_assert_eq!(bytes(one).cmp(&bytes(other)), one.cmp(&other));
            prop_assert_eq!(bytes(one), version_bytes(KeyValue::Json(one.to_string().as_bytes())));
        }

        #[test]
        fn other_versions_do_too(one in any::<f64>(), other in any::<f64>()) {
            prop_assume!(one.is_finite() && other.is_finite());
            let bytes = |number| version_bytes(KeyValue::Float(number));
            prop_assert_eq!(Some(bytes(one).cmp(&bytes(other))), one.partial_cmp(&other));
            let json = serde_json::to_string(&one).unwrap();
            prop_assert_eq!(bytes(one), version_bytes(KeyValue::Json(json.as_bytes())));
        }

        #[test]
        fn times_sort_as_instants_do(one in -62_000_000_000_i64..250_000_000_000, other in any::<i32>()) {
            let bytes = |micros| version_bytes(KeyValue::Time(micros));
            let other = i64::from(other) * 1_000_003;
            prop_assert_eq!(bytes(one).cmp(&bytes(other)), one.cmp(&other));
        }
    }

    #[test]
    fn a_time_is_the_same_version_as_text_and_in_a_table() {
        let text = version_bytes(KeyValue::Json(br#""2026-01-01T01:00:00.5+01:00""#));
        assert_eq!(text, version_bytes(KeyValue::Time(1_767_225_600_500_000)));
        assert!(version_bytes(KeyValue::Json(b"\"never\"")) < version_bytes(KeyValue::Json(b"-5")));
    }
}
