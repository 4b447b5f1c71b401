//! Where a request takes a value, and where a response says something.

use std::borrow::Cow;
use std::fmt;

use http::HeaderName;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::template::Template;
use super::types::Pointer;

/// Where a request takes a value: `limit` and `{query: limit}` are a query parameter, `{header: X-Limit}` a header,
/// `{body: /limit}` a member of a JSON body or a field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestLocation {
    /// A query parameter.
    Query(String),
    /// A header.
    Header(String),
    /// A member of the body.
    Body(Pointer),
    /// A path with `{token}` in it, below the base URL.
    Path(Template),
}

impl RequestLocation {
    /// The query parameter, if it is one.
    pub fn query(&self) -> Option<&str> {
        if let Self::Query(name) = self { Some(name) } else { None }
    }
}

impl fmt::Display for RequestLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query(name) => write!(f, "the query parameter `{name}`"),
            Self::Header(name) => write!(f, "the header `{name}`"),
            Self::Body(pointer) => write!(f, "`{pointer}` of the body"),
            Self::Path(template) => write!(f, "the path `{template}`"),
        }
    }
}

/// The spelling with a key.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeyedLocation {
    Query(String),
    Header(String),
    Body(Pointer),
    Path(Template),
}

impl From<KeyedLocation> for RequestLocation {
    fn from(location: KeyedLocation) -> Self {
        match location {
            KeyedLocation::Query(name) => Self::Query(name),
            KeyedLocation::Header(name) => Self::Header(name),
            KeyedLocation::Body(pointer) => Self::Body(pointer),
            KeyedLocation::Path(template) => Self::Path(template),
        }
    }
}

impl Serialize for RequestLocation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Query(name) => serializer.serialize_str(name),
            Self::Header(name) => KeyedLocation::Header(name.clone()).serialize(serializer),
            Self::Body(pointer) => KeyedLocation::Body(pointer.clone()).serialize(serializer),
            Self::Path(template) => KeyedLocation::Path(template.clone()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for RequestLocation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LocationVisitor)
    }
}

struct LocationVisitor;

impl<'de> Visitor<'de> for LocationVisitor {
    type Value = RequestLocation;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a query parameter, `{header: name}` or `{body: /pointer}`")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<RequestLocation, E> {
        if name.starts_with('/') {
            return Err(E::custom(format!(
                "`{name}` is a location in a body: write `{{body: {name}}}`, or the name of a query parameter"
            )));
        }
        checked_name(name).map(|name| RequestLocation::Query(name.to_owned())).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RequestLocation, A::Error> {
        use serde::de::Error as _;
        let location = RequestLocation::from(KeyedLocation::deserialize(MapAccessDeserializer::new(map))?);
        match &location {
            RequestLocation::Query(name) => checked_name(name).map(drop).map_err(A::Error::custom)?,
            RequestLocation::Header(name) => checked_header(name).map_err(A::Error::custom)?,
            RequestLocation::Body(pointer) if pointer.segments().is_empty() => {
                return Err(A::Error::custom("`body` names a member, such as `/cursor`"));
            }
            RequestLocation::Path(template) if !template.placeholders().eq(["token"]) => {
                return Err(A::Error::custom(format!(
                    "`path: {template}` has to use `{{token}}` once, and nothing else"
                )));
            }
            RequestLocation::Path(template) if !template.to_string().starts_with('/') => {
                return Err(A::Error::custom(format!("`path: {template}` has to start with `/`")));
            }
            RequestLocation::Body(_) | RequestLocation::Path(_) => {}
        }
        Ok(location)
    }
}

fn checked_name(name: &str) -> Result<&str, String> {
    if name.is_empty() { Err("a query parameter has a name".to_owned()) } else { Ok(name) }
}

fn checked_header(name: &str) -> Result<(), String> {
    let checked: Result<HeaderName, _> = name.parse();
    checked.map(drop).map_err(|_| format!("`{name}` is not a header name"))
}

impl JsonSchema for RequestLocation {
    fn schema_name() -> Cow<'static, str> {
        "RequestLocation".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let pointer = generator.subschema_for::<Pointer>();
        let one = |key: &str, schema: Schema| {
            json_schema!({
                "type": "object", "properties": {key: schema}, "required": [key], "additionalProperties": false,
            })
        };
        let text = || json_schema!({"type": "string"});
        let keyed = [one("query", text()), one("header", text()), one("body", pointer), one("path", text())];
        let [query, header, body, path] = keyed;
        json_schema!({
            "description": "Where a request takes a value: the name of a query parameter, {header: name} or {body: /pointer}",
            "anyOf": [text(), query, header, body, path],
        })
    }
}

/// Where a response says something: `/pointer` into the page, or `{header: X-Total-Count}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// A member of the page.
    Body(Pointer),
    /// A header of the response.
    Header(String),
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(pointer) => write!(f, "`{pointer}`"),
            Self::Header(name) => write!(f, "the header `{name}`"),
        }
    }
}

/// The spelling with a key.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeyedSignal {
    Body(Pointer),
    Header(String),
}

impl Serialize for Signal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Body(pointer) => pointer.serialize(serializer),
            Self::Header(name) => KeyedSignal::Header(name.clone()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Signal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SignalVisitor)
    }
}

struct SignalVisitor;

impl<'de> Visitor<'de> for SignalVisitor {
    type Value = Signal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON Pointer such as `/has_more`, or `{header: name}`")
    }

    fn visit_str<E: serde::de::Error>(self, pointer: &str) -> Result<Signal, E> {
        Pointer::deserialize(StrDeserializer::new(pointer)).map(Signal::Body)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Signal, A::Error> {
        use serde::de::Error as _;
        match KeyedSignal::deserialize(MapAccessDeserializer::new(map))? {
            KeyedSignal::Body(pointer) => Ok(Signal::Body(pointer)),
            KeyedSignal::Header(name) => {
                checked_header(&name).map_err(A::Error::custom)?;
                Ok(Signal::Header(name))
            }
        }
    }
}

impl JsonSchema for Signal {
    fn schema_name() -> Cow<'static, str> {
        "Signal".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let pointer = generator.subschema_for::<Pointer>();
        let header = json_schema!({
            "type": "object",
            "properties": {"header": {"type": "string"}},
            "required": ["header"],
            "additionalProperties": false,
        });
        json_schema!({
            "description": "Where a response says something: a JSON Pointer into the page, or {header: name}",
            "anyOf": [pointer, header],
        })
    }
}
