//! The model of `errors`: what responses of an API mean that say it in a way of their own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use http::{HeaderMap, HeaderName};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::empty::Empty;
use super::types::Pointer;

/// What some responses mean. Of several rules that fit a response the first one counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// The responses it is about.
    pub when: When,
    /// What they mean.
    pub then: Then,
}

/// Responses by what they hold. All that is given must fit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// A status, or a list of them; 200 for an error inside of a page. Without it any status fits.
    #[serde(default, skip_serializing_if = "Statuses::is_empty")]
    pub status: Statuses,
    /// Headers by name, and their text: a value or a list of them, `{not: ...}`, or `{empty: false}` for any text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub header: BTreeMap<String, Expected>,
    /// Members of the body by JSON Pointer (a number names an item of a list), and what they are: a value or a list of them,
    /// `{not: ...}` for a member that is there and is something else, `{empty: false}` for one that is there and is neither
    /// null nor an empty string, list or object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub body: BTreeMap<Pointer, Expected>,
}

/// What a response means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// It is worth another try after a while.
    Retry,
    /// We send too many requests: wait as the response says.
    Throttled,
    /// The page is too large: request half as many records at once.
    SmallerPage,
    /// The credentials are no longer valid: renew them, once.
    Renew,
    /// The account lacks what was requested. Of a first page that is all there is to have.
    Unavailable,
    /// What the list belongs to does not exist any more.
    Gone,
    /// It is the end of the list.
    End,
    /// Its records are not given to us: they are reported as missing, and the rest goes on.
    Gap,
    /// The period has too many records: its windows are halved.
    SmallerWindow,
    /// The API no longer knows where the list stood: it starts over.
    Restart,
    /// The request fails, whatever its status.
    Fail,
}

impl fmt::Display for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// HTTP statuses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Statuses(Vec<u16>);

impl Statuses {
    /// Whether there are none, so that any status fits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a response of this status fits.
    pub fn fit(&self, status: u16) -> bool {
        self.is_empty() || self.0.contains(&status)
    }
}

impl TryFrom<Value> for Statuses {
    type Error = String;

    fn try_from(given: Value) -> Result<Self, String> {
        let given = match given {
            Value::Array(statuses) if statuses.is_empty() => {
                return Err("the list is empty: name a status, or leave `status` out for any".to_owned());
            }
            Value::Array(statuses) => statuses,
            status => vec![status],
        };
        let read = |status: &Value| {
            let known = status.as_u64().and_then(|status| u16::try_from(status).ok());
            known.filter(|status| (200..600).contains(status)).ok_or_else(|| {
                format!("`{}` is not a status of a response: these are from 200 to 599", text_of(status))
            })
        };
        given.iter().map(read).collect::<Result<_, _>>().map(Self)
    }
}

impl From<Statuses> for Value {
    fn from(Statuses(statuses): Statuses) -> Self {
        match statuses.as_slice() {
            [only] => Self::from(*only),
            several => Self::from(several),
        }
    }
}

impl JsonSchema for Statuses {
    fn schema_name() -> Cow<'static, str> {
        "Statuses".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = json_schema!({"type": "integer", "minimum": 200, "maximum": 599});
        json_schema!({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})
    }
}

/// What a header or a member is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum Expected {
    /// One of these values.
    AnyOf(Vec<Value>),
    /// There, and none of these values.
    NoneOf(Vec<Value>),
    /// Missing, null, or without anything in it; or with `false`, none of that.
    Empty(bool),
}

const EXPECTED: &str = "expected a value, a list of values, `{not: ...}` or `{empty: false}`";

impl Expected {
    /// Whether a member, which may be missing, is what is expected.
    pub fn fits(&self, found: Option<&Value>) -> bool {
        match self {
            Self::AnyOf(values) => found.is_some_and(|found| values.iter().any(|value| same(value, found))),
            Self::NoneOf(values) => found.is_some_and(|found| !values.iter().any(|value| same(value, found))),
            Self::Empty(empty) => is_empty(found) == *empty,
        }
    }

    /// Whether a header is what is expected, whose lines are these.
    fn fits_lines(&self, lines: &[String]) -> bool {
        let is_one_of = |values: &[Value]| {
            lines.iter().any(|line| values.iter().any(|value| text_of(value) == line.trim()))
        };
        match self {
            Self::AnyOf(values) => is_one_of(values),
            Self::NoneOf(values) => !lines.is_empty() && !is_one_of(values),
            Self::Empty(empty) => lines.iter().all(|line| line.trim().is_empty()) == *empty,
        }
    }

    /// Whether all that fits `other` fits this.
    fn covers(&self, other: &Self) -> bool {
        let all_in =
            |some: &[Value], all: &[Value]| some.iter().all(|one| all.iter().any(|each| same(one, each)));
        match (self, other) {
            (Self::AnyOf(known), Self::AnyOf(values)) => all_in(values, known),
            (Self::NoneOf(known), Self::NoneOf(values)) => all_in(known, values),
            (Self::NoneOf(known), Self::AnyOf(values)) => {
                !values.iter().any(|one| known.iter().any(|each| same(one, each)))
            }
            _ => self == other,
        }
    }
}

/// Whether two values are the same: a number also if it is written otherwise, such as `1` and `1.0`.
fn same(one: &Value, other: &Value) -> bool {
    let are_whole = one.is_i64() | one.is_u64() && other.is_i64() | other.is_u64();
    one == other || (!are_whole && one.is_number() && other.is_number() && one.as_f64() == other.as_f64())
}

fn is_empty(found: Option<&Value>) -> bool {
    match found {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(members)) => members.is_empty(),
        Some(Value::Bool(_) | Value::Number(_)) => false,
    }
}

fn text_of(value: &Value) -> Cow<'_, str> {
    value.as_str().map_or_else(|| value.to_string().into(), Cow::from)
}

impl TryFrom<Value> for Expected {
    type Error = String;

    fn try_from(given: Value) -> Result<Self, String> {
        let Value::Object(form) = given else { return values_of(given).map(Self::AnyOf) };
        let mut members = form.into_iter();
        match (members.next(), members.next()) {
            (Some((key, value)), None) if key == "not" => values_of(value).map(Self::NoneOf),
            (Some((key, Value::Bool(empty))), None) if key == "empty" => Ok(Self::Empty(empty)),
            _ => Err(EXPECTED.to_owned()),
        }
    }
}

fn values_of(given: Value) -> Result<Vec<Value>, String> {
    let values = match given {
        Value::Array(values) => values,
        value => vec![value],
    };
    if values.is_empty() || values.iter().any(|value| value.is_array() || value.is_object()) {
        return Err(EXPECTED.to_owned());
    }
    Ok(values)
}

impl From<Expected> for Value {
    fn from(expected: Expected) -> Self {
        let written = |mut values: Vec<Self>| match values.len() {
            1 => values.remove(0),
            _ => Self::Array(values),
        };
        match expected {
            Expected::AnyOf(values) => written(values),
            Expected::NoneOf(values) => serde_json::json!({"not": written(values)}),
            Expected::Empty(empty) => serde_json::json!({"empty": empty}),
        }
    }
}

impl JsonSchema for Expected {
    fn schema_name() -> Cow<'static, str> {
        "Expected".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let value = json_schema!({"type": ["string", "number", "boolean", "null"]});
        let values = json_schema!({"anyOf": [value, {"type": "array", "items": value, "minItems": 1}]});
        let form = |key: &str, value: &Schema| {
            json_schema!({
                "type": "object", "properties": {key: value}, "required": [key], "additionalProperties": false
            })
        };
        json_schema!({"anyOf": [
            values, form("not", &values), form("empty", &json_schema!({"type": "boolean"})),
        ]})
    }
}

impl When {
    /// Whether a response is one of them.
    pub fn fits(&self, status: u16, headers: &HeaderMap, body: &Value) -> bool {
        let lines = |name: &str| -> Vec<String> {
            let lines = headers.get_all(name).iter();
            lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect()
        };
        self.status.fit(status)
            && self.header.iter().all(|(name, expected)| expected.fits_lines(&lines(name)))
            && self.body.iter().all(|(pointer, expected)| expected.fits(body.pointer(&pointer.to_string())))
    }

    /// Whether it may be about a whole page, which has status 200 or 203.
    pub fn may_be_a_page(&self) -> bool {
        PAGES.into_iter().any(|status| self.status.fit(status))
    }

    /// Whether all responses that `other` is about are among these.
    fn covers(&self, other: &Self) -> bool {
        let header = |name: &str| {
            let found = other.header.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            found.map(|(_, expected)| expected)
        };
        let statuses = self.status.is_empty()
            || (!other.status.is_empty() && other.status.0.iter().all(|status| self.status.fit(*status)));
        statuses
            && self.header.iter().all(|(name, these)| header(name).is_some_and(|those| these.covers(those)))
            && self.body.iter().all(|(at, these)| other.body.get(at).is_some_and(|those| these.covers(those)))
    }
}

/// Statuses of whole pages.
const PAGES: [u16; 2] = [200, 203];

/// What is wrong with rules, and where in their list; `sized` is whether the list has a page size, if that is known.
pub(super) fn wrong(rules: &[ErrorRule], sized: Option<bool>) -> Option<(Vec<String>, String)> {
    rules.iter().enumerate().find_map(|(number, rule)| {
        let (path, message) =
            wrong_by_itself(rule, sized).or_else(|| wrong_behind(&rules[..number], rule))?;
        let path = std::iter::once(number.to_string()).chain(path.into_iter().map(str::to_owned));
        Some((path.collect(), message))
    })
}

/// Whether rules before one leave nothing for it.
fn wrong_behind<'r>(before: &[ErrorRule], rule: &ErrorRule) -> Option<(Vec<&'r str>, String)> {
    let earlier = before.iter().position(|earlier| earlier.when.covers(&rule.when))?;
    let message = format!(
        "this rule can never count: rule {} before it is about all that this one is about, and says `{}`",
        earlier + 1,
        before[earlier].then
    );
    Some((vec!["when"], message))
}

fn wrong_by_itself(rule: &ErrorRule, sized: Option<bool>) -> Option<(Vec<&str>, String)> {
    let (When { status, header, body }, then) = (&rule.when, rule.then);
    if status.is_empty() && header.is_empty() && body.is_empty() {
        let why = "`when` is empty: it needs a `status`, a `header` or a `body`, or every response would be an error";
        return Some((vec!["when"], why.to_owned()));
    }
    if let Some(name) = header.keys().find(|name| name.parse::<HeaderName>().is_err()) {
        return Some((vec!["when", "header", name], format!("`{name}` is not the name of a header")));
    }
    let null = |expected: &Expected| match expected {
        Expected::AnyOf(values) | Expected::NoneOf(values) => values.contains(&Value::Null),
        Expected::Empty(_) => false,
    };
    if let Some((name, _)) = header.iter().find(|(_, expected)| null(expected)) {
        let why = "a header is text and never null; one that is missing is `{empty: true}`";
        return Some((vec!["when", "header", name], why.to_owned()));
    }
    if body.keys().any(|pointer| pointer.segments().is_empty()) {
        let why = "the pointer is empty: name a member of the body, such as `/error/code`";
        return Some((vec!["when", "body"], why.to_owned()));
    }
    let at_status = || vec!["when", "status"];
    let is_page = |status: &&u16| PAGES.contains(status);
    if header.is_empty() && body.is_empty() && status.0.iter().any(|status| is_page(&status)) {
        let why = "every page has this status: add a `header` or a `body` that only errors have";
        return Some((at_status(), why.to_owned()));
    }
    let unread = |status: &&u16| matches!(**status, 201 | 202 | 204..=299 | 304);
    if let Some(status) = status.0.iter().find(unread).filter(|_| !body.is_empty()) {
        let why = format!("the body of a {status} is not looked at: leave `body` out, or this status");
        return Some((at_status(), why));
    }
    match then {
        Then::End if status.is_empty() => {
            let why = "`end` needs a `status`: a response of any status may be an error that ends nothing";
            Some((vec!["then"], why.to_owned()))
        }
        Then::End => status.0.iter().find_map(|status| {
            let judged = if is_page(&status) { PAGES[0] } else { *status };
            Empty::default().add_status(u64::from(judged)).err().map(|why| (at_status(), why))
        }),
        Then::SmallerPage if sized == Some(false) => {
            let why = "`smaller_page` needs `page_size`, by which a smaller page can be requested";
            Some((vec!["then"], why.to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "tests/errors.rs"]
mod tests;
