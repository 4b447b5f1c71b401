//! What a request of a list is made of: method, query, headers and body, with `{placeholders}` in them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::one_or_list::OneOrList;
use super::template::{NUMBER, Template};

/// The method of a list's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Method {
    /// Parameters only.
    #[serde(rename = "GET")]
    Get,
    /// Parameters and a body.
    #[serde(rename = "POST")]
    Post,
}

/// The method of a request that may change something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "they are those of HTTP")]
pub enum RequestMethod {
    #[default]
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl RequestMethod {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    pub(super) fn is_get(&self) -> bool {
        *self == Self::Get
    }
}

impl From<RequestMethod> for http::Method {
    fn from(method: RequestMethod) -> Self {
        match method {
            RequestMethod::Get => Self::GET,
            RequestMethod::Post => Self::POST,
            RequestMethod::Put => Self::PUT,
            RequestMethod::Patch => Self::PATCH,
            RequestMethod::Delete => Self::DELETE,
        }
    }
}

/// How a query is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encode {
    /// Spaces as `+`, as forms are (the default).
    #[default]
    Plus,
    /// Spaces as `%20`.
    Percent,
}

impl Encode {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    pub(super) fn is_plus(&self) -> bool {
        *self == Self::Plus
    }
}

/// What a query parameter is sent with: a text, or a list of texts, which repeats the parameter.
pub type QueryValue = OneOrList<QueryText>;

/// A text of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryText {
    /// The text, such as `owner eq "{id}"`.
    pub text: Template,
    /// How its language, if it is one of filters, writes a quote inside of quotes.
    pub quote: Option<Quote>,
}

/// The spelling with keys.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct QuotedText {
    /// The text, such as `owner eq "{id}"`.
    text: Template,
    /// How its language writes a quote inside of quotes.
    quote: Quote,
}

impl Serialize for QueryText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.quote {
            None => self.text.serialize(serializer),
            Some(quote) => QuotedText { text: self.text.clone(), quote }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for QueryText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QueryTextVisitor)
    }
}

struct QueryTextVisitor;

impl<'de> Visitor<'de> for QueryTextVisitor {
    type Value = QueryText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or `{text: ..., quote: ...}`")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<QueryText, E> {
        let text = Template::try_from(text.to_owned()).map_err(E::custom)?;
        Ok(QueryText { text, quote: None })
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<QueryText, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<QueryText, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<QueryText, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<QueryText, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<QueryText, A::Error> {
        let QuotedText { text, quote } = QuotedText::deserialize(MapAccessDeserializer::new(map))?;
        Ok(QueryText { text, quote: Some(quote) })
    }
}

impl JsonSchema for QueryText {
    fn schema_name() -> Cow<'static, str> {
        "QueryText".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let quoted = generator.subschema_for::<QuotedText>();
        json_schema!({
            "description": "A text with {name} placeholders, or {text: ..., quote: ...} for a filter with quoted values",
            "anyOf": [{"type": ["string", "number", "boolean"]}, quoted],
        })
    }
}

/// How a language writes what would end a quoted value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quote {
    /// With a backslash before quotes and backslashes, as SCIM (RFC 7644) and JSON do.
    Backslash,
    /// Quotes are written twice, as `OData` and SQL do.
    Doubled,
}

impl Quote {
    /// `value` as it stands inside of quotes.
    pub fn apply(self, value: &str) -> String {
        let mut quoted = String::with_capacity(value.len());
        for character in value.chars() {
            match (self, character) {
                (Self::Backslash, '"' | '\'' | '\\') => quoted.push('\\'),
                (Self::Doubled, '"' | '\'') => quoted.push(character),
                _ => {}
            }
            quoted.push(character);
        }
        quoted
    }
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BodySpec {
    /// A JSON document, whose strings may have placeholders. Other values keep their type, as does a string that is one
    /// placeholder with a type behind its name: `{limit:number}`.
    Json(JsonTemplate),
    /// Fields, as `application/x-www-form-urlencoded`.
    Form(BTreeMap<String, Template>),
    /// A GraphQL request. Values go into its variables only.
    Graphql(GraphQl),
}

/// A GraphQL request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GraphQl {
    /// The query, sent as it is.
    pub query: String,
    /// Its variables.
    #[serde(default, skip_serializing_if = "JsonTemplate::is_null")]
    pub variables: JsonTemplate,
}

impl BodySpec {
    /// The placeholders that it uses.
    pub fn placeholders(&self) -> Vec<&str> {
        match self {
            Self::Json(document) => document.placeholders(),
            Self::Form(fields) => fields.values().flat_map(Template::placeholders).collect(),
            Self::Graphql(graphql) => graphql.variables.placeholders(),
        }
    }
}

impl BodySpec {
    /// Whether a name stands within a longer text of a JSON document.
    pub(super) fn joins(&self, name: &str) -> bool {
        match self {
            Self::Json(document) => document.joins(name),
            Self::Form(_) => false,
            Self::Graphql(graphql) => graphql.variables.joins(name),
        }
    }
}

/// A JSON document whose strings are templates.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum JsonTemplate {
    /// `null`.
    #[default]
    Null,
    /// A number, `true` or `false`.
    Constant(Value),
    /// A string.
    Text(Template),
    /// A string that is one placeholder whose value is a number.
    Typed(String),
    /// A list.
    List(Vec<Self>),
    /// An object.
    Object(BTreeMap<String, Self>),
}

impl JsonTemplate {
    fn is_null(&self) -> bool {
        *self == Self::Null
    }

    fn joins(&self, name: &str) -> bool {
        match self {
            Self::Null | Self::Constant(_) | Self::Typed(_) => false,
            Self::Text(text) => {
                text.only_placeholder().is_none() && text.placeholders().any(|used| used == name)
            }
            Self::List(items) => items.iter().any(|item| item.joins(name)),
            Self::Object(members) => members.values().any(|member| member.joins(name)),
        }
    }

    /// The placeholders that it uses.
    pub fn placeholders(&self) -> Vec<&str> {
        match self {
            Self::Null | Self::Constant(_) => Vec::new(),
            Self::Text(template) => template.placeholders().collect(),
            Self::Typed(name) => vec![name],
            Self::List(items) => items.iter().flat_map(Self::placeholders).collect(),
            Self::Object(members) => members.values().flat_map(Self::placeholders).collect(),
        }
    }

    /// The document with its placeholders filled; the error says which one has no value, or not a number.
    pub fn fill<'a>(&self, value: &impl Fn(&str) -> Option<&'a str>) -> Result<Value, String> {
        self.fill_with_lists(value, &|_| None)
    }

    /// The same, where a string that is nothing but a placeholder may stand for a list.
    pub fn fill_with_lists<'a>(
        &self,
        value: &impl Fn(&str) -> Option<&'a str>,
        list: &impl Fn(&str) -> Option<&'a [String]>,
    ) -> Result<Value, String> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Constant(constant) => constant.clone(),
            Self::Text(template) if let Some(items) = template.only_placeholder().and_then(list) => {
                Value::Array(items.iter().cloned().map(Value::String).collect())
            }
            Self::Text(template) => {
                Value::String(template.fill(value).map_err(|name| format!("no value for `{{{name}}}`"))?)
            }
            Self::Typed(name) => {
                let number = |text: &str| {
                    let number: Option<serde_json::Number> = serde_json::from_str(text).ok();
                    number.ok_or_else(|| format!("`{{{name}}}` is `{text}`, which is not a number"))
                };
                if let Some(items) = list(name) {
                    let numbers = items.iter().map(|text| number(text).map(Value::Number));
                    return Ok(Value::Array(numbers.collect::<Result<_, _>>()?));
                }
                Value::Number(number(value(name).ok_or_else(|| format!("no value for `{{{name}}}`"))?)?)
            }
            Self::List(items) => {
                let filled = items.iter().map(|item| item.fill_with_lists(value, list));
                Value::Array(filled.collect::<Result<_, _>>()?)
            }
            Self::Object(members) => {
                let filled = members
                    .iter()
                    .map(|(key, member)| Ok((key.clone(), member.fill_with_lists(value, list)?)));
                Value::Object(filled.collect::<Result<_, String>>()?)
            }
        })
    }
}

impl TryFrom<Value> for JsonTemplate {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        Ok(match value {
            Value::Null => Self::Null,
            Value::String(text) => {
                let name = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
                match name.and_then(|name| name.strip_suffix(NUMBER)) {
                    Some(name) if !name.is_empty() && !name.contains(['{', '}']) => {
                        Self::Typed(name.to_owned())
                    }
                    _ => Self::Text(Template::try_from(text)?),
                }
            }
            Value::Array(items) => {
                Self::List(items.into_iter().map(Self::try_from).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let members = members.into_iter().map(|(key, member)| Ok((key, Self::try_from(member)?)));
                Self::Object(members.collect::<Result<_, String>>()?)
            }
            constant => Self::Constant(constant),
        })
    }
}

impl From<JsonTemplate> for Value {
    fn from(template: JsonTemplate) -> Self {
        match template {
            JsonTemplate::Null => Self::Null,
            JsonTemplate::Constant(constant) => constant,
            JsonTemplate::Text(template) => Self::String(template.into()),
            JsonTemplate::Typed(name) => Self::String(format!("{{{name}{NUMBER}}}")),
            JsonTemplate::List(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            JsonTemplate::Object(members) => {
                Self::Object(members.into_iter().map(|(key, member)| (key, member.into())).collect())
            }
        }
    }
}

impl JsonSchema for JsonTemplate {
    fn schema_name() -> Cow<'static, str> {
        "JsonTemplate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "Any JSON value; its strings may have {name} placeholders, and a string that is {name:number} becomes a number"})
    }
}

/// A request that must have been made before the list, once a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// Default GET, and POST with a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Path below the base URL.
    pub path: Template,
    /// Query parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, QueryValue>,
    /// The body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodySpec>,
    /// Statuses that are as good as a success, such as one that says that it was made before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<u16>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json(value: Value) -> JsonTemplate {
        JsonTemplate::try_from(value).unwrap()
    }

    #[test]
    fn values_of_a_body_keep_their_type() {
        let template = json(serde_json::json!({
            "limit": 5, "on": true, "none": null, "text": "n-{n}", "number": "{n:number}", "list": ["{n}", 1.50]
        }));
        let filled = template.fill(&|name| (name == "n").then_some("17")).unwrap();
        let expected = serde_json::json!({
            "limit": 5, "on": true, "none": null, "text": "n-17", "number": 17, "list": ["17", 1.50]
        });
        assert_eq!(filled, expected);
        assert_eq!(template.fill(&|_| Some("x")).unwrap_err(), "`{n}` is `x`, which is not a number");
        assert_eq!(template.fill(&|_| None).unwrap_err(), "no value for `{n}`");
        assert_eq!(json(Value::from(template.clone())), template, "it is written as it was read");
    }

    #[test]
    fn a_quoted_value_does_not_end_its_quotes() {
        assert_eq!(Quote::Backslash.apply(r#"a"b\c'"#), r#"a\"b\\c\'"#);
        assert_eq!(Quote::Doubled.apply(r#"a"b\c'"#), r#"a""b\c''"#);
    }

    proptest! {
        #[test]
        fn what_is_put_into_json_is_one_string_of_it(value in "\\PC*") {
            let filled = json(serde_json::json!({"filter": "{v}"})).fill(&|_| Some(&value)).unwrap();
            prop_assert_eq!(filled, serde_json::json!({"filter": value.clone()}));
        }

        #[test]
        fn quotes_of_a_value_are_never_bare(value in "[\"'\\\\a]*") {
            let quoted = Quote::Backslash.apply(&value);
            let mut characters = quoted.chars();
            while let Some(character) = characters.next() {
                prop_assert!(!matches!(character, '"' | '\''), "{quoted}");
                if character == '\\' {
                    prop_assert!(characters.next().is_some());
                }
            }
            let doubled = Quote::Doubled.apply(&value);
            prop_assert_eq!(doubled.matches('\'').count() % 2, 0);
            prop_assert_eq!(doubled.matches('"').count() % 2, 0);
        }
    }
}
