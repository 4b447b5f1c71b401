//! Where a page holds its records, what they look like there, and what identifies them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::types::Pointer;

/// Where a page holds its records, and what they look like there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordsSpec {
    /// An array of objects, each of which is a record.
    Array(RecordsPointer),
    /// An object from ids to objects, each of which is a record.
    Map(RecordsPointer),
    /// An array of strings, numbers and the like. A record is an object with one of them as its `value`.
    Scalars(RecordsPointer),
    /// An object that is the one record of the page.
    One(RecordsPointer),
}

/// Where in a record of a map its id is.
pub const KEY_OF_MAP: [&str; 2] = ["_circulate", "key"];
/// The one member of a record that was a scalar.
pub const VALUE_OF_SCALAR: &str = "value";

impl RecordsSpec {
    /// An array that is a member of the page.
    pub(crate) fn member(name: &str) -> Self {
        Self::Array(RecordsPointer { segments: vec![name.to_owned()], each: None })
    }

    /// The way to the records.
    pub fn pointer(&self) -> &RecordsPointer {
        match self {
            Self::Array(pointer) | Self::Map(pointer) | Self::Scalars(pointer) | Self::One(pointer) => {
                pointer
            }
        }
    }

    /// Whether they are the elements of the page itself.
    pub(super) fn is_the_page(&self) -> bool {
        *self == Self::default()
    }

    /// Whether records are an object's members, whose ids are written into them.
    pub fn is_map(&self) -> bool {
        matches!(self, Self::Map(_))
    }

    /// Whether a page holds one record, and is no list.
    pub fn is_one(&self) -> bool {
        matches!(self, Self::One(_))
    }

    /// Why a record has no member at `pointer`, as far as that is known without one.
    pub(super) fn reason_missing(&self, pointer: &Pointer) -> Option<String> {
        let segments = pointer.segments();
        match self {
            Self::Scalars(_) if segments != [VALUE_OF_SCALAR] => {
                Some(format!("a record of `scalars` has no member `{pointer}`, only `/{VALUE_OF_SCALAR}`"))
            }
            Self::Array(_) | Self::Scalars(_) | Self::One(_) if segments == KEY_OF_MAP => {
                Some(format!("only a record of a `map` has the member `{pointer}`"))
            }
            _ => None,
        }
    }
}

impl Default for RecordsSpec {
    fn default() -> Self {
        Self::Array(RecordsPointer::default())
    }
}

impl From<Pointer> for RecordsSpec {
    fn from(pointer: Pointer) -> Self {
        Self::Array(RecordsPointer { segments: pointer.segments().to_vec(), each: None })
    }
}

/// A JSON Pointer (RFC 6901) of object members, of which one may be `*`: each element of an array, such as
/// `/groups/*/users`. A member that is named `*` is written `~2`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RecordsPointer {
    segments: Vec<String>,
    /// The segment that stands for each element of an array.
    each: Option<usize>,
}

const EACH: &str = "*";
const LITERAL_EACH: &str = "~2";

impl RecordsPointer {
    /// The member names from the outermost in, unescaped; `*` where [`each`](Self::each) says so.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// The number of the segment that stands for each element of an array.
    pub fn each(&self) -> Option<usize> {
        self.each
    }

    /// Its first segments as text, with the number of an element for the `*`.
    pub fn location(&self, segments: usize, element: u64) -> String {
        let number = |index| (self.each == Some(index)).then(|| format!("/{element}"));
        (0..segments.min(self.segments.len()))
            .map(|index| number(index).unwrap_or_else(|| self.segment(index)))
            .collect()
    }

    fn segment(&self, index: usize) -> String {
        match self.segments[index].as_str() {
            EACH if self.each != Some(index) => format!("/{LITERAL_EACH}"),
            name => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
        }
    }
}

impl TryFrom<String> for RecordsPointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let written: Vec<&str> = text.split('/').skip(1).collect();
        let mut each = written.iter().enumerate().filter(|(_, segment)| **segment == EACH);
        let (first, second) = (each.next().map(|(index, _)| index), each.next());
        if second.is_some() {
            return Err(format!(
                "`{text}` has more than one `*`: an array of records may be in one other array at most"
            ));
        }
        let literal: Vec<_> = written.iter().map(|segment| *segment == LITERAL_EACH).collect();
        let mut segments = Pointer::try_from(text)?.segments().to_vec();
        for (segment, _) in segments.iter_mut().zip(literal).filter(|(_, literal)| *literal) {
            EACH.clone_into(segment);
        }
        Ok(Self { segments, each: first })
    }
}

impl From<RecordsPointer> for String {
    fn from(pointer: RecordsPointer) -> Self {
        pointer.to_string()
    }
}

impl fmt::Display for RecordsPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..self.segments.len()).try_for_each(|index| f.write_str(&self.segment(index)))
    }
}

impl Serialize for RecordsSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (key, pointer) = match self {
            Self::Array(pointer) => return pointer.serialize(serializer),
            Self::Map(pointer) => ("map", pointer),
            Self::Scalars(pointer) => ("scalars", pointer),
            Self::One(pointer) => ("one", pointer),
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(key, pointer)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for RecordsSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RecordsVisitor)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shapes {
    map: Option<RecordsPointer>,
    scalars: Option<RecordsPointer>,
    one: Option<RecordsPointer>,
}

struct RecordsVisitor;

impl<'de> Visitor<'de> for RecordsVisitor {
    type Value = RecordsSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a JSON Pointer such as `/data/items`, `{map: /users}`, `{scalars: /ids}` or `{one: /user}`",
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RecordsSpec, E> {
        RecordsPointer::try_from(text.to_owned()).map(RecordsSpec::Array).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RecordsSpec, A::Error> {
        match Shapes::deserialize(MapAccessDeserializer::new(map))? {
            Shapes { map: Some(pointer), scalars: None, one: None } => Ok(RecordsSpec::Map(pointer)),
            Shapes { map: None, scalars: Some(pointer), one: None } => Ok(RecordsSpec::Scalars(pointer)),
            Shapes { map: None, scalars: None, one: Some(pointer) } if pointer.each.is_none() => {
                Ok(RecordsSpec::One(pointer))
            }
            Shapes { map: None, scalars: None, one: Some(_) } => {
                Err(A::Error::custom("`one` is one record: its JSON Pointer has no `*`"))
            }
            _ => Err(A::Error::custom(
                "records are in one location: write either `map`, `scalars` or `one`, with a JSON Pointer",
            )),
        }
    }
}

impl JsonSchema for RecordsPointer {
    fn schema_name() -> Cow<'static, str> {
        "RecordsPointer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(/[^/]+)*$",
            "not": {"pattern": "/\\*(/.*)?/\\*(/|$)"},
            "description": "A JSON Pointer of object members, of which one may be * for each element of an array, such as \
                            /groups/*/users"
        })
    }
}

impl JsonSchema for RecordsSpec {
    fn schema_name() -> Cow<'static, str> {
        "RecordsSpec".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let pointer = generator.subschema_for::<RecordsPointer>();
        let shape = |key: &str| {
            json_schema!({
                "type": "object",
                "properties": {key: pointer},
                "required": [key],
                "additionalProperties": false
            })
        };
        json_schema!({"anyOf": [pointer, shape("map"), shape("scalars"), shape("one")]})
    }
}

/// What the body of a page is. A body that is a gzip file is unpacked first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PageFormat {
    /// One JSON document, in which `records` says where the records are.
    #[default]
    Json,
    /// JSON objects, one a line, each of which is a record.
    Ndjson,
    /// As `ndjson`, but the last line is no record: it is what a page has around its records, such as the next page's token.
    NdjsonWithTrailer,
    /// Rows of text (RFC 4180) below a row of names. A record is an object of strings.
    Csv,
}

impl PageFormat {
    /// Whether it is one JSON document.
    pub fn is_json(&self) -> bool {
        *self == Self::Json
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::NdjsonWithTrailer => "ndjson_with_trailer",
            Self::Csv => "csv",
        }
    }
}

/// What identifies a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrimaryKey {
    /// Nothing but all that it holds: two equal ones are the same.
    None,
    /// The members at these places.
    Members(Vec<Pointer>),
}

impl PrimaryKey {
    /// The members that identify a record; none if nothing but all of it does.
    pub fn members(&self) -> &[Pointer] {
        match self {
            Self::None => &[],
            Self::Members(members) => members,
        }
    }
}

impl Serialize for PrimaryKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::Members(members) => members.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for PrimaryKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = PrimaryKey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of the members that identify a record, such as `[/id]`, or `none`")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<PrimaryKey, E> {
        match word {
            "none" => Ok(PrimaryKey::None),
            other if other.starts_with('/') => {
                Err(E::custom(format!("the members that identify a record are a list: write `[{other}]`")))
            }
            other => Err(E::custom(format!(
                "`{other}` is not a primary key: list the members that identify a record, such as `[/id]`, or write `none`"
            ))),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<PrimaryKey, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = items.next_element()? {
            members.push(member);
        }
        Ok(PrimaryKey::Members(members))
    }
}

impl JsonSchema for PrimaryKey {
    fn schema_name() -> Cow<'static, str> {
        "PrimaryKey".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let member = generator.subschema_for::<Pointer>();
        json_schema!({"anyOf": [{"const": "none"}, {"type": "array", "items": member, "minItems": 1}]})
    }
}

#[cfg(test)]
#[path = "tests/records.rs"]
mod tests;
