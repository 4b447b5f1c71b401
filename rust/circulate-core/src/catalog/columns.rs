//! The columns that a definition declares for its records: `id: string`, with members of objects below each other and
//! lists as a list of one type.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Members of an object and their types, in the order of the definition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns(Vec<(String, ColumnType)>);

/// What a member holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    String,
    /// A whole number of at most 64 bits.
    Integer,
    /// A number as floating point.
    Number,
    /// True or false.
    Boolean,
    /// A time with offset (RFC 3339), kept in UTC to the microsecond.
    Timestamp,
    /// Any value, kept as its JSON text.
    Json,
    /// An object with these members.
    Struct(Columns),
    /// A list of values of one type.
    List(Box<Self>),
}

/// The words for types without parts.
const WORDS: &[&str] = &["string", "integer", "number", "boolean", "timestamp", "json"];

impl ColumnType {
    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "timestamp" => Self::Timestamp,
            "json" => Self::Json,
            _ => return None,
        })
    }
}

impl Columns {
    /// The members in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ColumnType)> {
        self.0.iter().map(|(name, kind)| (name.as_str(), kind))
    }

    /// Whether none is declared.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first member that can't be declared: the path to it, and why.
    pub(super) fn wrong(&self) -> Option<(Vec<String>, String)> {
        let mut folded = HashSet::new();
        self.iter().find_map(|(name, kind)| {
            let why =
                if folded.insert(name.to_lowercase()) { refusal(name, kind) } else { Some(TWINS.into()) };
            let (mut path, why) = why.map(|why| (Vec::new(), why)).or_else(|| kind.wrong())?;
            path.insert(0, name.to_owned());
            Some((path, why))
        })
    }
}

const TWINS: &str =
    "another member here differs from this one only in case, and Athena, DuckDB and Spark ignore case";

fn refusal(name: &str, kind: &ColumnType) -> Option<String> {
    if name.is_empty() {
        return Some("a column has a name".to_owned());
    }
    if name.starts_with('_') {
        return Some(format!("`{name}` can't be declared: names with `_` in front are for our own columns"));
    }
    let hollow = matches!(kind, ColumnType::Struct(members) if members.is_empty());
    hollow.then(|| format!("`{name}` has no members: name some, or use `json` for any object"))
}

impl ColumnType {
    fn wrong(&self) -> Option<(Vec<String>, String)> {
        match self {
            Self::Struct(members) => members.wrong(),
            Self::List(element) => {
                let hollow = matches!(&**element, Self::Struct(members) if members.is_empty());
                let why = || "the objects of this list have no members: name some, or use `json`".to_owned();
                let (mut path, why) = if hollow { (Vec::new(), why()) } else { element.wrong()? };
                path.insert(0, "0".to_owned());
                Some((path, why))
            }
            _ => None,
        }
    }
}

impl Serialize for Columns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(name, kind)| map.serialize_entry(name, kind))?;
        map.end()
    }
}

impl Serialize for ColumnType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let word = match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamp",
            Self::Json => "json",
            Self::Struct(members) => return members.serialize(serializer),
            Self::List(element) => return [element].serialize(serializer),
        };
        serializer.serialize_str(word)
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ColumnsVisitor)
    }
}

struct ColumnsVisitor;

impl<'de> Visitor<'de> for ColumnsVisitor {
    type Value = Columns;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("members and their types")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Columns, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Columns(members))
    }
}

impl<'de> Deserialize<'de> for ColumnType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TypeVisitor)
    }
}

struct TypeVisitor;

impl<'de> Visitor<'de> for TypeVisitor {
    type Value = ColumnType;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a type ({}), members of an object, or a list of one type", WORDS.join(", "))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<ColumnType, E> {
        ColumnType::from_word(word).ok_or_else(|| E::unknown_variant(word, WORDS))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ColumnType, A::Error> {
        Columns::deserialize(MapAccessDeserializer::new(map)).map(ColumnType::Struct)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ColumnType, A::Error> {
        let one = || A::Error::custom("a list column names exactly one type, such as `[string]`");
        let element = items.next_element()?.ok_or_else(one)?;
        match items.next_element::<ColumnType>()? {
            None => Ok(ColumnType::List(Box::new(element))),
            Some(_) => Err(one()),
        }
    }
}

impl JsonSchema for Columns {
    fn schema_name() -> Cow<'static, str> {
        "Columns".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let kind = generator.subschema_for::<ColumnType>();
        json_schema!({
            "type": "object",
            "propertyNames": {"pattern": "^[^_]"},
            "additionalProperties": kind,
            "description": "Members of an object and their types"
        })
    }
}

impl JsonSchema for ColumnType {
    fn schema_name() -> Cow<'static, str> {
        "ColumnType".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let members = generator.subschema_for::<Columns>();
        let element = generator.subschema_for::<Self>();
        json_schema!({
            "description": "What a member holds: a type, the members of an object, or a list of one type",
            "anyOf": [
                {"enum": WORDS},
                members,
                {"type": "array", "items": element, "minItems": 1, "maxItems": 1}
            ]
        })
    }
}
