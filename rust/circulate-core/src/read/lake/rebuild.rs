//! Rows of tables as records again: what their columns hold, and what was rescued because it had no place there.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use jiff::Timestamp;

use super::paths::{JOIN, RAW, RESCUED, TablePlaces, for_each_member, member_at};
use crate::catalog::Pointer;
use crate::error::{Error, ErrorKind, Result};
use crate::table::{JsonReader, Member, MemberType, Nested};

/// A JSON value that may be put into: what nothing is put into stays text.
#[derive(Debug, Clone)]
enum RecordValue {
    Null,
    Text(Vec<u8>),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// A row of a table as a record: with its parents and its key in front, as JSON lakes have them.
pub(crate) fn record_of_row(table: &TablePlaces<'_>, batch: &RecordBatch, row: usize) -> Result<Vec<u8>> {
    let mut record = mark_of_row(table, batch, row);
    let raw = text_at(batch, RAW, row);
    let members = match raw {
        Some(raw) => raw.trim_ascii().to_vec(),
        None => json(&members_of_row(table, batch, row)?),
    };
    let members = members.strip_prefix(b"{").ok_or_else(|| broken("a record that is none"))?;
    if record.len() > 1 && !members.trim_ascii_start().starts_with(b"}") {
        record.push(b',');
    }
    record.extend_from_slice(members);
    Ok(record)
}

/// What stands in front of a record, after the brace that opens it.
fn mark_of_row(table: &TablePlaces<'_>, batch: &RecordBatch, row: usize) -> Vec<u8> {
    let (parents, keyed) = table.columns.marks();
    let parents = parents.iter().filter_map(|name| {
        let value = text_at(batch, &format!("_parent_{name}"), row)?;
        Some((name.clone(), RecordValue::Text(json_text(value))))
    });
    let parents: Vec<_> = parents.collect();
    let key = text_at(batch, "_key", row).filter(|_| keyed);
    let key = key.map(|key| ("key".to_owned(), RecordValue::Text(json_text(key))));
    let parent = (!parents.is_empty()).then(|| ("parent".to_owned(), RecordValue::Object(parents)));
    let members: Vec<_> = parent.into_iter().chain(key).collect();
    let mut record = b"{".to_vec();
    if !members.is_empty() {
        record.extend_from_slice(b"\"_circulate\":");
        write(&RecordValue::Object(members), &mut record);
    }
    record
}

fn members_of_row(table: &TablePlaces<'_>, batch: &RecordBatch, row: usize) -> Result<RecordValue> {
    let members = table.columns.members();
    let mut record = RecordValue::Object(row_members(members, "", table.options.nested, batch, row)?);
    let Some(rescued) = text_at(batch, RESCUED, row) else { return Ok(record) };
    let columns = record.clone();
    let mut whole = None;
    for_each_member(&mut JsonReader::new(rescued), |key, value| {
        let text = String::from_utf8_lossy(key).into_owned();
        if text.is_empty() {
            whole = Some(RecordValue::Text(value.to_vec()));
        } else if let Ok(pointer) = Pointer::try_from(text)
            // Where a column holds a value, the entry is an earlier one of a key that the record repeats.
            && is_null_at(&columns, pointer.segments())
        {
            put(&mut record, pointer.segments(), value);
        }
    })
    .ok_or_else(|| broken("what was rescued is not a JSON object"))?;
    Ok(match whole {
        Some(RecordValue::Text(text)) => RecordValue::Text(without_mark(&text)),
        _ => record,
    })
}

/// A record that was rescued as a whole has what stands in front of it.
fn without_mark(record: &[u8]) -> Vec<u8> {
    let mut reader = JsonReader::new(record);
    let is_marked = reader.expect(b'{').is_ok()
        && reader.peek() == Ok(b'"')
        && reader.key().is_ok_and(|key| key.raw == b"_circulate")
        && reader.peek() == Ok(b'{')
        && reader.skip().is_ok();
    if !is_marked {
        return record.to_vec();
    }
    let _ = reader.take(b',');
    let mut rest = b"{".to_vec();
    rest.extend_from_slice(record.get(reader.at()..).unwrap_or_default());
    rest
}

fn row_members(
    members: &[Member],
    prefix: &str,
    nested: Nested,
    batch: &RecordBatch,
    row: usize,
) -> Result<Vec<(String, RecordValue)>> {
    let mut values = Vec::new();
    for Member { name, kind, .. } in members {
        let joined = format!("{prefix}{name}");
        let value = match (kind, nested) {
            (MemberType::Struct(inner), Nested::Flatten) if !inner.is_empty() => {
                let inner = row_members(inner, &format!("{joined}{JOIN}"), nested, batch, row)?;
                if inner.is_empty() { RecordValue::Null } else { RecordValue::Object(inner) }
            }
            // A member whose name another one has, has no column.
            _ => match batch.column_by_name(&joined) {
                Some(array) if nested == Nested::Json => cell(array, &as_json(kind), row)?,
                Some(array) => cell(array, kind, row)?,
                None => RecordValue::Null,
            },
        };
        if !matches!(value, RecordValue::Null) {
            values.push((name.clone(), value));
        }
    }
    Ok(values)
}

fn as_json(kind: &MemberType) -> MemberType {
    match kind {
        MemberType::Struct(_) | MemberType::List(_) => MemberType::Json,
        kind => kind.clone(),
    }
}

fn cell(array: &ArrayRef, kind: &MemberType, row: usize) -> Result<RecordValue> {
    if array.is_null(row) {
        return Ok(RecordValue::Null);
    }
    let other = || broken("a column is of another type than the manifest says");
    Ok(match kind {
        MemberType::String => RecordValue::Text(json_text(
            array.as_string_opt::<i32>().ok_or_else(other)?.value(row).as_bytes(),
        )),
        MemberType::Integer => {
            let numbers = array.as_primitive_opt::<Int64Type>().ok_or_else(other)?;
            RecordValue::Text(numbers.value(row).to_string().into_bytes())
        }
        MemberType::Number => {
            let numbers = array.as_primitive_opt::<Float64Type>().ok_or_else(other)?;
            RecordValue::Text(number_text(numbers.value(row)).into_bytes())
        }
        MemberType::Boolean => {
            RecordValue::Text(array.as_boolean_opt().ok_or_else(other)?.value(row).to_string().into_bytes())
        }
        MemberType::Timestamp => {
            let times = array.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(other)?;
            RecordValue::Text(time_text(times.value(row))?)
        }
        MemberType::Struct(members) if !members.is_empty() => {
            let object = array.as_struct_opt().ok_or_else(other)?;
            let mut values = Vec::new();
            for member in members {
                if let Some(inner) = object.column_by_name(&member.name) {
                    let value = cell(inner, &member.kind, row)?;
                    if !matches!(value, RecordValue::Null) {
                        values.push((member.name.clone(), value));
                    }
                }
            }
            RecordValue::Object(values)
        }
        // A struct without members is JSON text.
        MemberType::Struct(_) | MemberType::Json => {
            RecordValue::Text(array.as_string_opt::<i32>().ok_or_else(other)?.value(row).as_bytes().to_vec())
        }
        MemberType::List(element) => {
            let items = array.as_list_opt::<i32>().ok_or_else(other)?.value(row);
            let items = (0..items.len()).map(|index| cell(&items, element, index));
            RecordValue::List(items.collect::<Result<_>>()?)
        }
    })
}

fn broken(why: &str) -> Error {
    Error::new(ErrorKind::Mismatch, "read lake", why.to_owned())
}

/// A number as a column of numbers takes it back; a whole one fits into a column of whole numbers, too.
fn number_text(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 { format!("{number:.0}") } else { format!("{number:?}") }
}

fn time_text(microseconds: i64) -> Result<Vec<u8>> {
    let time = Timestamp::from_microsecond(microseconds)
        .map_err(|error| broken("a time is beyond the year 9999").caused_by(error))?;
    Ok(json_text(time.to_string().as_bytes()))
}

fn json_text(text: &[u8]) -> Vec<u8> {
    serde_json::Value::from(String::from_utf8_lossy(text)).to_string().into_bytes()
}

pub(super) fn text_at<'b>(batch: &'b RecordBatch, column: &str, row: usize) -> Option<&'b [u8]> {
    let column = batch.column_by_name(column)?.as_string_opt::<i32>()?;
    (!column.is_null(row)).then(|| column.value(row).as_bytes())
}

/// A record with those of its members alone.
pub(super) fn only(record: &[u8], pointers: &[Pointer]) -> Vec<u8> {
    let mut alone = RecordValue::Object(Vec::new());
    for pointer in pointers {
        if let Some(value) = member_at(record, pointer.segments()) {
            put(&mut alone, pointer.segments(), value);
        }
    }
    json(&alone)
}

fn is_null_at(value: &RecordValue, segments: &[String]) -> bool {
    let Some((name, rest)) = segments.split_first() else { return matches!(value, RecordValue::Null) };
    let below = match value {
        RecordValue::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
        RecordValue::List(items) => name.parse::<usize>().ok().and_then(|number| items.get(number)),
        RecordValue::Null => None,
        // Something is there, and it is no container that was taken apart.
        RecordValue::Text(_) => return false,
    };
    below.is_none_or(|value| is_null_at(value, rest))
}

fn put(value: &mut RecordValue, segments: &[String], json: &[u8]) {
    let Some((name, rest)) = segments.split_first() else {
        *value = RecordValue::Text(json.to_vec());
        return;
    };
    if let RecordValue::List(items) = value {
        if let Some(item) = name.parse::<usize>().ok().and_then(|number| items.get_mut(number)) {
            put(item, rest, json);
        }
        return;
    }
    if !matches!(value, RecordValue::Object(_)) {
        *value = RecordValue::Object(Vec::new());
    }
    let RecordValue::Object(members) = value else { return };
    let index = members.iter().position(|(key, _)| key == name).unwrap_or_else(|| {
        members.push((name.clone(), RecordValue::Null));
        members.len() - 1
    });
    put(&mut members[index].1, rest, json);
}

fn json(value: &RecordValue) -> Vec<u8> {
    let mut text = Vec::new();
    write(value, &mut text);
    text
}

fn write(value: &RecordValue, text: &mut Vec<u8>) {
    match value {
        RecordValue::Null => text.extend_from_slice(b"null"),
        RecordValue::Text(json) => text.extend_from_slice(json),
        RecordValue::List(items) => {
            text.push(b'[');
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    text.push(b',');
                }
                write(item, text);
            }
            text.push(b']');
        }
        RecordValue::Object(members) => {
            text.push(b'{');
            for (number, (key, value)) in members.iter().enumerate() {
                if number > 0 {
                    text.push(b',');
                }
                text.extend_from_slice(&json_text(key.as_bytes()));
                text.push(b':');
                write(value, text);
            }
            text.push(b'}');
        }
    }
}
