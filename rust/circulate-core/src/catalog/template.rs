//! Texts with `{placeholders}`, as definitions use them.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A text with `{name}` placeholders. A literal brace is written twice: `{{`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    text: String,
    pieces: Vec<Piece>,
}

/// What a placeholder of a number is written with behind its name.
pub(super) const NUMBER: &str = ":number";

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Placeholder(String),
}

impl Template {
    /// The names it needs, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Placeholder(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// Whether it is the empty text.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The placeholder that it is, if it is nothing else.
    pub fn only_placeholder(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [Piece::Placeholder(name)] => Some(name),
            _ => None,
        }
    }

    /// Whether it is one placeholder, whose value is a number: `{name:number}`.
    pub fn is_number(&self) -> bool {
        matches!(self.pieces.as_slice(), [Piece::Placeholder(name)] if name.ends_with(NUMBER))
    }

    /// Whether it is a URL whose scheme and host are the same whatever the placeholders stand for.
    pub fn fixes_origin(&self) -> bool {
        let Some(Piece::Text(start)) = self.pieces.first() else { return false };
        start.split_once("://").is_some_and(|(_, rest)| self.pieces.len() == 1 || rest.contains('/'))
    }

    /// Fills the placeholders by `value`; the error names the first one it has no value for.
    pub fn fill<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> Result<String, String> {
        let mut filled = String::with_capacity(self.text.len());
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Placeholder(name) => filled.push_str(value(name).ok_or_else(|| name.clone())?),
            }
        }
        Ok(filled)
    }
}

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~').remove(b'.');

/// `text` as one segment of a path, percent-encoded, so that it never leaves its place; `None` for what no segment can be: URLs
/// take `.` and `..` for steps up and down, however they are written.
pub fn path_segment(text: &str) -> Option<String> {
    let is_step = matches!(text, "" | "." | "..");
    (!is_step).then(|| utf8_percent_encode(text, RESERVED).to_string())
}

/// Whether a path with its values filled in leaves its place: a segment of it is a step up or down.
pub fn has_steps(path: &str) -> bool {
    path.split('/').any(|segment| matches!(segment, "." | ".."))
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            let end = rest.find('}').filter(|end| brace == "{" && *end > 0);
            let Some(end) = end else {
                return Err(format!(
                    "`{text}` has a lone `{brace}`: placeholders look like `{{name}}`, a literal brace is doubled"
                ));
            };
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Placeholder(rest[..end].to_owned()));
            rest = &rest[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self { text, pieces })
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.text
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl JsonSchema for Template {
    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A text with {name} placeholders" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Result<Template, String> {
        Template::try_from(text.to_owned())
    }

    #[test]
    fn placeholders_are_filled_and_doubled_braces_kept() {
        let filled = template("a{{b}} {x}-{y}").unwrap().fill(|name| match name {
            "x" => Some("1"),
            "y" => Some("2"),
            _ => None,
        });
        assert_eq!(filled.unwrap(), "a{b} 1-2");
    }

    #[test]
    fn a_missing_value_is_named() {
        assert_eq!(template("{org_url}").unwrap().fill(|_| None), Err("org_url".to_owned()));
    }

    #[test]
    fn lone_braces_are_refused() {
        for text in ["{", "a}", "{}", "{x", "}}{"] {
            assert!(template(text).is_err(), "{text}");
        }
    }
}
