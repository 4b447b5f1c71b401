//! What identifies a record: a digest of its parents and of the members that are its key.
//!
//! It is the same whether the record is read as received or from a table that it was put into. So a value counts by what
//! it is, and not by how it is written:
//!
//! - text by its characters, escapes decoded; text that tables hold as a time by its microseconds;
//! - whole numbers by their digits: `1`, `1.0` and `1e0` are one, and no size changes a digit;
//! - other numbers as the 64-bit floating point that tables hold, or by their digits where that would change them;
//! - an object by its members that are not null, in whatever order; of a key that it repeats the last value counts.
//!
//! A whole number above 2^53 that is written with a fraction or an exponent is what a float holds of it, so it differs
//! from the same number in digits alone: two keys are better than one for two numbers.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::table::{JsonReader, exact_float, is_whole_number, unescape};
use crate::timestamp::{Instant, parse_timestamp};

/// Bytes of a key.
pub const KEY_BYTES: usize = 16;
/// Bytes of the key of a record with its parents in front.
pub const KEY_ENTRY: usize = 2 * KEY_BYTES;
/// Bytes of parents, with what became of their list.
pub const SCOPE_ENTRY: usize = KEY_BYTES + 1;

/// What identifies a record within a stream of one account. A record without a value for one of the members of its key
/// has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey(pub [u8; KEY_BYTES]);

/// The parents of a record, all zero if its stream has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeKey(pub [u8; KEY_BYTES]);

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::hex(&self.0))
    }
}

impl fmt::Display for ScopeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::hex(&self.0))
    }
}

/// The value of a member of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum KeyValue<'v> {
    /// `null`, or no such member.
    Missing,
    /// Any value, as JSON.
    Json(&'v [u8]),
    /// Text.
    Text(&'v str),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A time, as microseconds since 1970.
    Time(i64),
}

/// Gathers what identifies one record after the other: its parents first, in the order of their names, then the members of
/// its key, in the order of the definition.
#[derive(Debug, Default)]
pub struct KeyBuilder {
    parts: Vec<u8>,
    is_missing: bool,
    /// For text without its escapes.
    text: Vec<u8>,
}

impl KeyBuilder {
    /// Adds a value that stands in front of the record for one of its parents.
    pub fn parent(&mut self, value: KeyValue<'_>) {
        self.value(value);
    }

    /// Adds the value of a member of the key.
    pub fn value(&mut self, value: KeyValue<'_>) {
        let (parts, text) = (&mut self.parts, &mut self.text);
        match value {
            KeyValue::Missing => self.is_missing = true,
            KeyValue::Json(json) => {
                self.is_missing |= !write_json(json.trim_ascii(), EmptyObject::Kept, parts, text);
            }
            KeyValue::Text(text) => write_text(text.as_bytes(), parts),
            KeyValue::Integer(number) => write_number(number.to_string().as_bytes(), parts),
            KeyValue::Float(number) => write_float(number, parts),
            KeyValue::Boolean(value) => write(Tag::Boolean, &[u8::from(value)], parts),
            KeyValue::Time(microseconds) => write(Tag::Time, &microseconds.to_be_bytes(), parts),
        }
    }

    /// A digest of all that a record holds, whatever format it has: what tables cannot tell from nothing is nothing.
    pub fn content(&mut self, record: &[u8]) -> [u8; KEY_BYTES] {
        write_json(record.trim_ascii(), EmptyObject::Dropped, &mut self.parts, &mut self.text);
        let content = half(&self.parts);
        self.parts.clear();
        content
    }

    /// The parents that were added; to be taken before the members of the key are.
    pub fn scope(&self) -> ScopeKey {
        if self.parts.is_empty() { ScopeKey::default() } else { ScopeKey(half(&self.parts)) }
    }

    /// The key of what was added, if no value is missing. Begins the next one.
    pub fn finish(&mut self) -> Option<RecordKey> {
        let key = (!self.is_missing).then(|| RecordKey(half(&self.parts)));
        self.parts.clear();
        self.is_missing = false;
        key
    }
}

/// The scope of records with these parents, in the order of their names.
pub fn scope_of<'p>(parents: impl IntoIterator<Item = Option<&'p str>>) -> ScopeKey {
    let mut builder = KeyBuilder::default();
    for parent in parents {
        builder.parent(parent.map_or(KeyValue::Missing, KeyValue::Text));
    }
    builder.scope()
}

/// A record by its parents and its key.
pub fn key_entry(scope: ScopeKey, key: RecordKey) -> [u8; KEY_ENTRY] {
    let mut entry = [0; KEY_ENTRY];
    entry[..KEY_BYTES].copy_from_slice(&scope.0);
    entry[KEY_BYTES..].copy_from_slice(&key.0);
    entry
}

/// What became of the list of a scope, in the order in which one outweighs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ScopeRead {
    /// Its parent no longer exists.
    Gone = 0,
    /// It was read to its end.
    Complete = 1,
    /// Something of it may be missing.
    Incomplete = 2,
}

impl ScopeRead {
    /// The scope with it.
    pub fn entry(self, scope: ScopeKey) -> [u8; SCOPE_ENTRY] {
        let mut entry = [self as u8; SCOPE_ENTRY];
        entry[..KEY_BYTES].copy_from_slice(&scope.0);
        entry
    }
}

/// Whether an entry is of this scope.
pub fn scope_of_entry(entry: &[u8]) -> ScopeKey {
    let mut scope = ScopeKey::default();
    scope.0.copy_from_slice(&entry[..KEY_BYTES]);
    scope
}

fn half(bytes: &[u8]) -> [u8; KEY_BYTES] {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let mut half = [0; KEY_BYTES];
    half.copy_from_slice(&digest[..KEY_BYTES]);
    half
}

/// What a part is of. Keys in lakes are made of these: they stay as they are.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Tag {
    Text = b's',
    Time = b't',
    Number = b'n',
    Boolean = b'b',
    Null = b'0',
    Array = b'a',
    Object = b'o',
    /// What is not read as JSON, as it stands.
    Bytes = b'x',
}

/// An object without a value.
const NOTHING: [u8; 9] = [Tag::Object as u8, 0, 0, 0, 0, 0, 0, 0, 0];

fn write(tag: Tag, bytes: &[u8], parts: &mut Vec<u8>) {
    let start = begin(tag, parts);
    parts.extend_from_slice(bytes);
    end(start, parts);
}

/// Begins a part, whose length is not known yet.
fn begin(tag: Tag, parts: &mut Vec<u8>) -> usize {
    parts.push(tag as u8);
    parts.extend_from_slice(&[0; 8]);
    parts.len()
}

fn end(start: usize, parts: &mut [u8]) {
    let length = (parts.len() - start) as u64;
    parts[start - 8..start].copy_from_slice(&length.to_be_bytes());
}

/// What becomes of a member that is an object without a value, which tables with a column for each member don't have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EmptyObject {
    Kept,
    Dropped,
}

/// Writes a value; `false` if it is `null`. What is broken or too deep counts by its bytes.
fn write_json(json: &[u8], empty: EmptyObject, parts: &mut Vec<u8>, text: &mut Vec<u8>) -> bool {
    if json == b"null" {
        return false;
    }
    let start = parts.len();
    let mut reader = JsonReader::new(json);
    if write_value(&mut reader, 0, empty, parts, text).is_none() || !reader.at_end() {
        parts.truncate(start);
        write(Tag::Bytes, json, parts);
    }
    true
}

/// Containers inside each other that are looked into.
const MAX_DEPTH: usize = 128;

fn write_value(
    reader: &mut JsonReader<'_>,
    depth: usize,
    empty: EmptyObject,
    parts: &mut Vec<u8>,
    text: &mut Vec<u8>,
) -> Option<()> {
    match reader.peek().ok()? {
        b'"' => {
            let quoted = reader.string().ok()?;
            if quoted.escaped {
                text.clear();
                decode(quoted.raw, text);
                write_text(text, parts);
            } else {
                write_text(quoted.raw, parts);
            }
        }
        b'{' if depth < MAX_DEPTH => write_object(reader, depth, empty, parts, text)?,
        b'[' if depth < MAX_DEPTH => {
            let start = begin(Tag::Array, parts);
            reader.expect(b'[').ok()?;
            if !reader.take(b']').ok()? {
                loop {
                    write_value(reader, depth + 1, empty, parts, text)?;
                    if !reader.another(b']').ok()? {
                        break;
                    }
                }
            }
            end(start, parts);
        }
        b'{' | b'[' => return None,
        _ => match reader.scalar().ok()? {
            b"true" => write(Tag::Boolean, &[1], parts),
            b"false" => write(Tag::Boolean, &[0], parts),
            b"null" => write(Tag::Null, &[], parts),
            number => write_number(number, parts),
        },
    }
    Some(())
}

fn write_object(
    reader: &mut JsonReader<'_>,
    depth: usize,
    empty: EmptyObject,
    parts: &mut Vec<u8>,
    text: &mut Vec<u8>,
) -> Option<()> {
    let mut members: Vec<(Vec<u8>, &[u8])> = Vec::new();
    reader.expect(b'{').ok()?;
    if !reader.take(b'}').ok()? {
        loop {
            let key = reader.key().ok()?;
            let mut name = Vec::with_capacity(key.raw.len());
            decode(key.raw, &mut name);
            reader.peek().ok()?;
            members.push((name, reader.skip().ok()?));
            if !reader.another(b'}').ok()? {
                break;
            }
        }
    }
    // A stable sort leaves the last of a repeated key behind the others.
    members.sort_by(|one, other| one.0.cmp(&other.0));
    let start = begin(Tag::Object, parts);
    for (number, (name, value)) in members.iter().enumerate() {
        let is_repeated = members.get(number + 1).is_some_and(|next| next.0 == *name);
        if is_repeated || *value == b"null" {
            continue;
        }
        let before = parts.len();
        write(Tag::Text, name, parts);
        let value_at = parts.len();
        write_value(&mut JsonReader::new(value), depth + 1, empty, parts, text)?;
        if empty == EmptyObject::Dropped && parts[value_at..] == NOTHING {
            parts.truncate(before);
        }
    }
    end(start, parts);
    Some(())
}

fn write_text(text: &[u8], parts: &mut Vec<u8>) {
    match parse_timestamp(text).and_then(Instant::microseconds) {
        Some(microseconds) => write(Tag::Time, &microseconds.to_be_bytes(), parts),
        None => write(Tag::Text, text, parts),
    }
}

/// The characters of a string with escapes. Half of a surrogate pair, for which UTF-8 has no bytes, has three bytes by the
/// same scheme.
fn decode(raw: &[u8], text: &mut Vec<u8>) {
    if unescape(raw, text) {
        return;
    }
    let mut rest = raw;
    while let Some(start) = rest.iter().position(|byte| *byte == b'\\') {
        text.extend_from_slice(&rest[..start]);
        let escaped = &rest[start..];
        let pair = unit(escaped).filter(|first| (0xD800..0xDC00).contains(first));
        let pair = pair.and_then(|_| unit(escaped.get(6..)?)).filter(|next| (0xDC00..0xE000).contains(next));
        let length = match escaped.get(1) {
            Some(b'u') if pair.is_some() => 12,
            Some(b'u') => 6,
            _ => 2,
        };
        let (escape, after) = escaped.split_at(length.min(escaped.len()));
        match unit(escape).filter(|unit| (0xD800..0xE000).contains(unit) && pair.is_none()) {
            Some(half) => text.extend(surrogate_bytes(half)),
            None if unescape(escape, text) => {}
            None => text.extend_from_slice(escape),
        }
        rest = after;
    }
    text.extend_from_slice(rest);
}

/// The code unit that `\uXXXX` stands for.
fn unit(escaped: &[u8]) -> Option<u16> {
    let digits = escaped.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn surrogate_bytes(half: u16) -> [u8; 3] {
    let [high, low] = half.to_be_bytes();
    [0xED, 0x80 | (high & 0x0F) << 2 | low >> 6, 0x80 | low & 0x3F]
}

/// Writes a number as it is in JSON.
fn write_number(raw: &[u8], parts: &mut Vec<u8>) {
    match exact_float(raw).filter(|_| !is_whole_number(raw)) {
        Some(number) => write_float(number, parts),
        None => write_decimal(raw, parts),
    }
}

fn write_float(number: f64, parts: &mut Vec<u8>) {
    // Whole numbers count to their last digit, of which the shortest text that a float is read from may lack some.
    let text = if number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:e}") };
    write_decimal(text.as_bytes(), parts);
}

/// Writes a number by its digits, without zeros around them, and the power of ten that they are multiplied by.
fn write_decimal(raw: &[u8], parts: &mut Vec<u8>) {
    let start = begin(Tag::Number, parts);
    if write_digits(raw, parts).is_none() {
        parts.truncate(start);
        parts.extend_from_slice(raw);
    }
    end(start, parts);
}

/// `None` if the power is beyond what can be counted, or it is not a number.
fn write_digits(raw: &[u8], parts: &mut Vec<u8>) -> Option<()> {
    let (sign, rest) = raw.strip_prefix(b"-").map_or((&b""[..], raw), |rest| (b"-", rest));
    let mantissa_end = rest.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(rest.len());
    let (mantissa, exponent) = rest.split_at(mantissa_end);
    let exponent: i64 = match exponent.get(1..) {
        Some(text) => std::str::from_utf8(text).ok()?.parse().ok()?,
        None => 0,
    };
    let point = mantissa.iter().position(|byte| *byte == b'.').unwrap_or(mantissa.len());
    let fraction = i64::try_from(mantissa.len().saturating_sub(point + 1)).ok()?;
    let is_digit = |byte: &&u8| byte.is_ascii_digit();
    let first = mantissa.iter().position(|byte| matches!(byte, b'1'..=b'9'));
    let last = mantissa.iter().rposition(|byte| matches!(byte, b'1'..=b'9'));
    let (Some(first), Some(last)) = (first, last) else {
        parts.push(b'0');
        return Some(());
    };
    let zeros = i64::try_from(mantissa[last + 1..].iter().filter(is_digit).count()).ok()?;
    let power = exponent.checked_sub(fraction)?.checked_add(zeros)?;
    parts.extend_from_slice(sign);
    parts.extend(mantissa[first..=last].iter().filter(is_digit));
    parts.push(b'e');
    parts.extend_from_slice(power.to_string().as_bytes());
    Some(())
}

#[cfg(test)]
#[path = "tests/record_key.rs"]
mod tests;
