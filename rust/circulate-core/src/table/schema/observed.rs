//! What a sample of records holds.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::error::Result;
use crate::table::columns::{MAX_NAME, micros};
use crate::table::json::{ConversionError, JsonReader, first_members, number};

/// Objects and lists inside each other that become structs and lists; what is deeper stays JSON.
const MAX_LEVELS: usize = 8;

/// Different members of one object that are looked at. More could not become columns.
const MAX_MEMBERS: usize = 2_000;

/// Different members of all objects that are looked at, so that a sample is small whatever it is of.
const MAX_MEMBERS_IN_ALL: usize = 20_000;

/// What was found in the place of one value, over many records.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    pub(super) found: ValueKinds,
    pub(super) object: Option<Box<ObservedObject>>,
    pub(super) element: Option<Box<Self>>,
    /// Of the whole sample: members that are looked at in it.
    members: usize,
}

/// Kinds of values that were found, nulls aside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ValueKinds(u16);

impl ValueKinds {
    pub(super) const TIME: Self = Self(1);
    pub(super) const TEXT: Self = Self(2);
    /// A whole number of 64 bits that a float holds too.
    pub(super) const WHOLE: Self = Self(4);
    /// One that no float holds.
    pub(super) const WIDE: Self = Self(8);
    /// Any other number that a float holds.
    pub(super) const FLOAT: Self = Self(16);
    /// A number that neither holds.
    const LARGE: Self = Self(32);
    pub(super) const BOOLEAN: Self = Self(64);
    pub(super) const OBJECT: Self = Self(128);
    pub(super) const LIST: Self = Self(256);

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn only(self, kinds: Self) -> bool {
        self.0 & !kinds.0 == 0
    }
}

/// The members of the objects that were found at one path.
#[derive(Debug, Clone, Default)]
pub(super) struct ObservedObject {
    pub(super) objects: u64,
    pub(super) members_of_all: u64,
    names: HashMap<String, usize>,
    pub(super) members: Vec<(String, Observed)>,
}

impl Observed {
    /// Looks at a record.
    pub fn observe(&mut self, record: &[u8]) -> Result<()> {
        self.observe_record(record).map_err(ConversionError::into_error)
    }

    pub(crate) fn observe_record(&mut self, record: &[u8]) -> Result<(), ConversionError> {
        self.top(&mut JsonReader::new(record))
    }

    /// Looks at the first `limit` records of an array.
    pub fn observe_array(&mut self, body: &[u8], limit: usize) -> Result<()> {
        self.array(body, limit).map_err(ConversionError::into_error)
    }

    fn array(&mut self, body: &[u8], limit: usize) -> Result<(), ConversionError> {
        let mut cursor = JsonReader::new(body);
        cursor.take_bytes(b"\xEF\xBB\xBF");
        cursor.expect(b'[')?;
        if limit == 0 || cursor.take(b']')? {
            return Ok(());
        }
        for _ in 0..limit {
            self.top(&mut cursor)?;
            if !cursor.another(b']')? {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn object(&self) -> Option<&ObservedObject> {
        self.object.as_deref()
    }

    fn top(&mut self, cursor: &mut JsonReader<'_>) -> Result<(), ConversionError> {
        let mut room = MAX_MEMBERS_IN_ALL - self.members;
        let seen = self.value(cursor, 0, &mut room);
        self.members = MAX_MEMBERS_IN_ALL - room;
        seen
    }

    /// Looks at the value that comes next; there is `room` for so many members that were not seen before.
    fn value(
        &mut self,
        cursor: &mut JsonReader<'_>,
        level: usize,
        room: &mut usize,
    ) -> Result<(), ConversionError> {
        let found = match cursor.peek()? {
            b'"' => text_found(cursor)?,
            b'{' if level <= MAX_LEVELS => {
                self.object.get_or_insert_default().observe(cursor, level, room)?;
                ValueKinds::OBJECT
            }
            b'[' if level <= MAX_LEVELS => {
                self.list(cursor, level, room)?;
                ValueKinds::LIST
            }
            b'{' | b'[' => {
                cursor.skip()?;
                ValueKinds::OBJECT.and(ValueKinds::LIST)
            }
            b'n' => {
                cursor.literal(b"null")?;
                return Ok(());
            }
            b't' | b'f' => {
                cursor.scalar()?;
                ValueKinds::BOOLEAN
            }
            _ => number_found(cursor.scalar()?),
        };
        self.found = self.found.and(found);
        Ok(())
    }

    fn list(
        &mut self,
        cursor: &mut JsonReader<'_>,
        level: usize,
        room: &mut usize,
    ) -> Result<(), ConversionError> {
        let element = self.element.get_or_insert_default();
        cursor.expect(b'[')?;
        if cursor.take(b']')? {
            return Ok(());
        }
        loop {
            element.value(cursor, level + 1, room)?;
            if !cursor.another(b']')? {
                return Ok(());
            }
        }
    }
}

fn text_found(cursor: &mut JsonReader<'_>) -> Result<ValueKinds, ConversionError> {
    let text = cursor.string()?;
    Ok(if micros(text.raw).is_some() { ValueKinds::TIME } else { ValueKinds::TEXT })
}

fn number_found(raw: &[u8]) -> ValueKinds {
    match (number::integer(raw), number::float(raw)) {
        (Some(_), Ok(_)) => ValueKinds::WHOLE,
        (Some(_), Err(_)) => ValueKinds::WIDE,
        (None, Ok(_)) => ValueKinds::FLOAT,
        (None, Err(_)) => ValueKinds::LARGE,
    }
}

impl ObservedObject {
    fn observe(
        &mut self,
        cursor: &mut JsonReader<'_>,
        level: usize,
        room: &mut usize,
    ) -> Result<(), ConversionError> {
        let (members, all) = first_members(cursor, MAX_MEMBERS)?;
        self.objects += 1;
        self.members_of_all += all;
        for (name, value) in members {
            if let Some(seen) = self.member(name, room) {
                seen.value(&mut JsonReader::new(value), level + 1, room)?;
            }
        }
        Ok(())
    }

    fn member(&mut self, name: Cow<'_, str>, room: &mut usize) -> Option<&mut Observed> {
        let full = self.members.len() == MAX_MEMBERS || *room == 0 || name.len() > MAX_NAME;
        let index = match self.names.get(&*name) {
            Some(index) => *index,
            None if full => return None,
            None => {
                *room -= 1;
                self.names.insert(name.clone().into_owned(), self.members.len());
                self.members.push((name.into_owned(), Observed::default()));
                self.members.len() - 1
            }
        };
        self.members.get_mut(index).map(|(_, seen)| seen)
    }
}
