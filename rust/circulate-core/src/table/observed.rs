//! What a sample of records holds, and the types that follow from it.

use std::borrow::Cow;
use std::collections::HashMap;

use super::column::micros;
use super::json_reader::{ConversionError, JsonReader};
use super::number;
use super::schema::{JOIN, MAX_LEAVES, MAX_NAME, Member, MemberType, TableSchema, Taken, flat_names};
use super::struct_column::first_members;
use crate::error::Result;

/// Objects and lists inside each other that become structs and lists; what is deeper stays JSON.
const MAX_LEVELS: usize = 8;

/// An object with more different members than this, of which each record has few, is a map and no struct.
const MANY: usize = 100;
const FEW: u64 = 5;

/// Different members of one object that are looked at. More could not become columns.
const MOST_MEMBERS: usize = 2_000;

/// Different members of all objects that are looked at, so that a sample is small whatever it is of.
const MOST_IN_ALL: usize = 20_000;

/// What was found in the place of one value, over many records.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    found: ValueKinds,
    object: Option<Box<ObservedObject>>,
    element: Option<Box<Self>>,
    /// Of the whole sample: members that are looked at in it.
    members: usize,
}

/// Kinds of values that were found, nulls aside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct ValueKinds(u16);

impl ValueKinds {
    const TIME: Self = Self(1);
    const TEXT: Self = Self(2);
    /// A whole number of 64 bits that a float holds too.
    const WHOLE: Self = Self(4);
    /// One that no float holds.
    const WIDE: Self = Self(8);
    /// Any other number that a float holds.
    const FLOAT: Self = Self(16);
    /// A number that neither holds.
    const LARGE: Self = Self(32);
    const BOOLEAN: Self = Self(64);
    const OBJECT: Self = Self(128);
    const LIST: Self = Self(256);

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn only(self, kinds: Self) -> bool {
        self.0 & !kinds.0 == 0
    }
}

/// The members of the objects that were found in one place.
#[derive(Debug, Clone, Default)]
pub(super) struct ObservedObject {
    objects: u64,
    members_of_all: u64,
    names: HashMap<String, usize>,
    members: Vec<(String, Observed)>,
}

/// How a schema grows.
#[derive(Debug)]
pub(super) struct Growth {
    /// Members that are only ever null become columns.
    nulls: bool,
    /// How many more columns without parts there may be.
    room: usize,
    /// Flattened names that are taken; any may be used again before there is a first batch.
    flat: Taken,
    /// Names of columns of our own.
    ours: Taken,
    /// What stands in front of records is no member of theirs.
    marked: bool,
}

impl Growth {
    pub(super) fn of_sample(schema: &TableSchema) -> Self {
        let room = MAX_LEAVES.saturating_sub(schema.leaves());
        Self {
            nulls: true,
            room,
            flat: Taken::default(),
            ours: schema.own_names(),
            marked: !schema.parent.is_empty(),
        }
    }

    pub(super) fn of_later(schema: &TableSchema) -> Self {
        let mut flat = Taken::default();
        flat_names(schema.members(), "", &mut |name| flat.add(name));
        Self { nulls: false, flat, ..Self::of_sample(schema) }
    }

    /// Whether a column of that name and type would take another one's name.
    fn clashes(&self, joined: &str, member: &Member) -> bool {
        let mut clashes = false;
        match &member.kind {
            MemberType::Struct(members) => {
                flat_names(members, &format!("{joined}{JOIN}"), &mut |name| clashes |= self.flat.has(name));
            }
            _ => clashes = self.flat.has(joined),
        }
        clashes
    }
}

impl Observed {
    /// Looks at a record.
    pub fn observe(&mut self, record: &[u8]) -> Result<()> {
        self.observe_record(record).map_err(ConversionError::into_error)
    }

    pub(super) fn observe_record(&mut self, record: &[u8]) -> Result<(), ConversionError> {
        self.top(&mut JsonReader::new(record))
    }

    /// Looks at the first `most` records of an array.
    pub fn observe_array(&mut self, body: &[u8], most: usize) -> Result<()> {
        self.array(body, most).map_err(ConversionError::into_error)
    }

    fn array(&mut self, body: &[u8], most: usize) -> Result<(), ConversionError> {
        let mut cursor = JsonReader::new(body);
        cursor.take_bytes(b"\xEF\xBB\xBF");
        cursor.expect(b'[')?;
        if most == 0 || cursor.take(b']')? {
            return Ok(());
        }
        for _ in 0..most {
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
        let mut room = MOST_IN_ALL - self.members;
        let seen = self.value(cursor, 0, &mut room);
        self.members = MOST_IN_ALL - room;
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

    /// The type that holds everything found; `None` if it was only ever null.
    fn kind(&self, growth: &mut Growth) -> Option<MemberType> {
        let only = |kinds: &[ValueKinds]| {
            self.found.only(kinds.iter().copied().fold(ValueKinds::default(), ValueKinds::and))
        };
        Some(match () {
            () if only(&[]) => return None,
            () if only(&[ValueKinds::TIME]) => MemberType::Timestamp,
            () if only(&[ValueKinds::TIME, ValueKinds::TEXT]) => MemberType::String,
            () if only(&[ValueKinds::WHOLE, ValueKinds::WIDE]) => MemberType::Integer,
            () if only(&[ValueKinds::WHOLE, ValueKinds::FLOAT]) => MemberType::Number,
            () if only(&[ValueKinds::BOOLEAN]) => MemberType::Boolean,
            () if only(&[ValueKinds::OBJECT]) => {
                self.object().map_or(MemberType::Json, |object| object.kind(growth))
            }
            () if only(&[ValueKinds::LIST]) => self.list_kind(growth),
            () => MemberType::Json,
        })
    }

    fn list_kind(&self, growth: &mut Growth) -> MemberType {
        // Of lists that were always empty nobody knows what will be in them.
        let element = self.element.as_ref().and_then(|element| element.kind(growth));
        element.map_or(MemberType::Json, |element| MemberType::List(Box::new(element)))
    }

    /// Adds what is new to a type that is known. `prefix` is in front of its columns when they are flattened.
    fn add_to(&self, known: &mut MemberType, prefix: Option<&str>, growth: &mut Growth) {
        match (known, &self.object, &self.element) {
            (MemberType::Struct(members), Some(object), _) => object.add_to(members, prefix, growth),
            (MemberType::List(known), _, Some(element)) => element.add_to(known, None, growth),
            _ => {}
        }
    }

    fn as_member(&self, name: &str, growth: &mut Growth) -> Option<Member> {
        let before = growth.room;
        let if_null = growth.nulls.then_some(MemberType::String);
        let kind = self.kind(growth).or(if_null)?;
        // Parts took their room one by one.
        growth.room = before.saturating_sub(kind.leaves());
        Some(Member { name: name.to_owned(), kind, declared: false })
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
        let (members, all) = first_members(cursor, MOST_MEMBERS)?;
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
        let full = self.members.len() == MOST_MEMBERS || *room == 0 || name.len() > MAX_NAME;
        let place = match self.names.get(&*name) {
            Some(place) => *place,
            None if full => return None,
            None => {
                *room -= 1;
                self.names.insert(name.clone().into_owned(), self.members.len());
                self.members.push((name.into_owned(), Observed::default()));
                self.members.len() - 1
            }
        };
        self.members.get_mut(place).map(|(_, seen)| seen)
    }

    /// Its members are data, such as ids: beside those that are known, a struct would get a column for each of them.
    fn is_map(&self, known: &[Member]) -> bool {
        let is_new = |name: &str| !known.iter().any(|member| member.name == name);
        if known.len() + self.members.len() <= MANY {
            return false;
        }
        let different = known.len() + self.members.iter().filter(|(name, _)| is_new(name)).count();
        different > MANY && self.members_of_all * FEW < self.objects * different as u64
    }

    fn kind(&self, growth: &mut Growth) -> MemberType {
        let mut members = Vec::new();
        let nulls = std::mem::replace(&mut growth.nulls, true);
        self.add_to(&mut members, None, growth);
        growth.nulls = nulls;
        // Parquet has no group without members.
        if members.is_empty() { MemberType::Json } else { MemberType::Struct(members) }
    }

    /// Adds members that are not there yet, and looks for new ones in those that are.
    pub(super) fn add_to(&self, known: &mut Vec<Member>, prefix: Option<&str>, growth: &mut Growth) {
        let is_record = prefix == Some("");
        let adds = is_record || !self.is_map(known);
        let mut taken = if is_record { growth.ours.clone() } else { Taken::default() };
        for member in known.iter() {
            taken.add(&member.name);
        }
        for (name, seen) in &self.members {
            let joined = prefix.map(|prefix| format!("{prefix}{name}"));
            if let Some(member) = known.iter_mut().find(|member| member.name == *name) {
                let prefix = joined.map(|joined| format!("{joined}{JOIN}"));
                seen.add_to(&mut member.kind, prefix.as_deref(), growth);
                continue;
            }
            let ours = name.is_empty() || (is_record && growth.marked && name == "_circulate");
            if !adds || ours || growth.room == 0 || taken.has(name) {
                continue;
            }
            let before = growth.room;
            match seen.as_member(name, growth) {
                Some(member) if joined.is_some_and(|joined| growth.clashes(&joined, &member)) => {
                    growth.room = before;
                }
                member => known.extend(member.inspect(|_| taken.add(name))),
            }
        }
    }
}
