//! Templates of operations, filled with values that keep their type.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::catalog::{JsonTemplate, Template};
use crate::error::{Error, ErrorKind, Result};

/// What placeholders stand for.
pub(super) trait FillValues {
    /// The value of a placeholder, such as `id` or `profile/login`; none if it was not given.
    fn value(&self, placeholder: &str) -> Option<Value>;

    /// A text with its values; none if one of them was not given.
    fn text(&self, template: &Template) -> Result<Option<String>> {
        self.text_with(template, &|value| value)
    }

    /// The same, with each value quoted.
    fn text_with(&self, template: &Template, quoted: &dyn Fn(String) -> String) -> Result<Option<String>> {
        let mut strings = BTreeMap::new();
        for name in template.placeholders() {
            let Some(value) = self.value(name) else { return Ok(None) };
            strings.insert(name, quoted(plain(name, &value)?));
        }
        let filled =
            template.fill(|name| strings.get(name).map(String::as_str)).map_err(|name| no_value(&name))?;
        Ok(Some(filled))
    }

    /// A document with its values, each with its type; none if it is a value that was not given.
    fn json(&self, document: &JsonTemplate) -> Result<Option<Value>> {
        Ok(match document {
            JsonTemplate::Null => Some(Value::Null),
            JsonTemplate::Constant(constant) => Some(constant.clone()),
            JsonTemplate::Typed(name) => self.value(name),
            JsonTemplate::Text(template) => match template.only_placeholder() {
                Some(name) => self.value(name),
                None => self.text(template)?.map(Value::String),
            },
            JsonTemplate::List(items) => {
                let filled: Result<Vec<_>> = items.iter().map(|item| self.json(item)).collect();
                Some(Value::Array(filled?.into_iter().flatten().collect()))
            }
            JsonTemplate::Object(members) => {
                let mut filled = Map::new();
                for (name, member) in members {
                    filled.extend(self.json(member)?.map(|value| (name.clone(), value)));
                }
                Some(Value::Object(filled))
            }
        })
    }

    /// Documents by name, without those that were not given.
    fn each<K: ToString>(&self, documents: &BTreeMap<K, JsonTemplate>) -> Result<Map<String, Value>> {
        let mut filled = Map::new();
        for (name, document) in documents {
            filled.extend(self.json(document)?.map(|value| (name.to_string(), value)));
        }
        Ok(filled)
    }
}

/// A value as a text.
pub(super) fn plain(name: &str, value: &Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            let what = format!(
                "`{name}` is not a text, a number or a boolean, and cannot stand in a path, a query or a header"
            );
            Err(Error::new(ErrorKind::Settings, "build request", what))
        }
    }
}

pub(super) fn no_value(name: &str) -> Error {
    Error::new(ErrorKind::Settings, "build request", format!("no value for `{{{name}}}`"))
}
