//! Small checked values that definitions are made of.
//!
//! Each one refuses a wrong text when it is read, so that the error carries the line it stands on.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A lower-case identifier: `okta`, `users`, `org_url`. At most 63 characters of `a-z 0-9 _`, a letter first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The identifier's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let tail_ok = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && text.len() <= 63;
        if tail_ok && text.starts_with(|c: char| c.is_ascii_lowercase()) {
            Ok(Self(text))
        } else {
            Err(format!(
                "`{text}` is not a name: use a-z, 0-9 and _, starting with a letter, at most 63 characters"
            ))
        }
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl JsonSchema for Name {
    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z][a-z0-9_]{0,62}$" })
    }
}

/// A JSON Pointer (RFC 6901) of object members, such as `/profile/login`; empty for the whole document.
///
/// Array indices are not supported: a segment always names a member.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pointer {
    segments: Vec<String>,
}

impl Pointer {
    /// The pointer through members of these names.
    pub(crate) fn of(segments: Vec<String>) -> Self {
        Self { segments }
    }

    /// The member names from the outermost in, unescaped.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }
}

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(format!(
                "`{text}` is not a JSON Pointer: it starts with `/`, such as `/lastUpdated`"
            ));
        };
        let segments = rest.split('/').map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect();
        Ok(Self { segments })
    }
}

impl From<Pointer> for String {
    fn from(pointer: Pointer) -> Self {
        pointer.to_string()
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.segments
            .iter()
            .try_for_each(|segment| write!(f, "/{}", segment.replace('~', "~0").replace('/', "~1")))
    }
}

impl JsonSchema for Pointer {
    fn schema_name() -> Cow<'static, str> {
        "Pointer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(/[^/]+)*$",
            "description": "A JSON Pointer of object members, such as /profile/login"
        })
    }
}

/// One member or several, written as a pointer or a list of pointers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "OneOrMore", into = "OneOrMore")]
pub struct Pointers(Vec<Pointer>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(Pointer),
    More(Vec<Pointer>),
}

impl Pointers {
    /// The members, at least one.
    pub fn as_slice(&self) -> &[Pointer] {
        &self.0
    }
}

impl TryFrom<OneOrMore> for Pointers {
    type Error = String;

    fn try_from(given: OneOrMore) -> Result<Self, String> {
        match given {
            OneOrMore::One(pointer) => Ok(Self(vec![pointer])),
            OneOrMore::More(pointers) if pointers.is_empty() => {
                Err("expected at least one member".to_owned())
            }
            OneOrMore::More(pointers) => Ok(Self(pointers)),
        }
    }
}

impl From<Pointers> for OneOrMore {
    fn from(Pointers(mut pointers): Pointers) -> Self {
        match pointers.pop() {
            Some(only) if pointers.is_empty() => Self::One(only),
            last => Self::More(pointers.into_iter().chain(last).collect()),
        }
    }
}

impl JsonSchema for Pointers {
    fn schema_name() -> Cow<'static, str> {
        "Pointers".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Pointer>();
        json_schema!({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})
    }
}

/// A length of time written as a person would: `30s`, `5m`, `1h 30m`, `250ms`, `7d`. A day has 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(Duration);

impl Span {
    /// A span of whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The length of time.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not a length of time: write it like `30s`, `10m`, `1h 30m` or `7d`");
        let span: jiff::Span = text.parse().map_err(|_| wrong())?;
        let signed = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
        Duration::try_from(signed).map(Self).map_err(|_| wrong())
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::SignedDuration::try_from(self.0) {
            Ok(duration) => write!(f, "{duration:#}"),
            Err(_) => write!(f, "{}s", self.0.as_secs()),
        }
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A length of time, such as 30s, 10m, 1h 30m or 7d" })
    }
}

/// A share of a whole, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share(f64);

impl Share {
    /// One half.
    pub const HALF: Self = Self(0.5);

    /// The share as a number from 0 to 1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Share {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        if (0.0..1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(format!("`{value}` is not a share: use a number from 0 up to, but not including, 1"))
        }
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        share.0
    }
}

impl JsonSchema for Share {
    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "exclusiveMaximum": 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_unescape_and_print_back() {
        let pointer = Pointer::try_from("/a~1b/c~0d".to_owned()).unwrap();
        assert_eq!(pointer.segments(), ["a/b", "c~d"]);
        assert_eq!(pointer.to_string(), "/a~1b/c~0d");
        assert!(Pointer::try_from("lastUpdated".to_owned()).is_err());
    }

    #[test]
    fn spans_read_what_people_write() {
        for (text, seconds) in [("30s", 30), ("10m", 600), ("1h 30m", 5400), ("2h", 7200)] {
            assert_eq!(Span::try_from(text.to_owned()).unwrap().get().as_secs(), seconds, "{text}");
        }
        for text in ["", "10", "-5s", "soon"] {
            assert!(Span::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_narrow() {
        assert!(Name::try_from("app_users2".to_owned()).is_ok());
        for text in ["", "Users", "2fa", "a-b", "../x", &"a".repeat(64)] {
            assert!(Name::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
