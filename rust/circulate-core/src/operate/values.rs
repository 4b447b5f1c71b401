//! The values of an operation's parameters, checked before anything is requested.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::MAX_TEXT;
use crate::catalog::{Name, Operation, Parameter, SchemaMistake, ValueSchema};
use crate::error::{Error, ErrorKind, Result};
use crate::nearest::nearest;
use crate::redact::Redactor;

/// Checked values by name, defaults included.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParameterValues(BTreeMap<String, Value>);

impl ParameterValues {
    /// Checks what was given for an operation that is called `name`. All mistakes are named at once.
    pub fn new(name: &str, operation: &Operation, given: Map<String, Value>) -> Result<Self> {
        Self::of(name, "parameter", &operation.parameters, given)
    }

    /// Checks what was given for parameters that are called by a `noun`, such as the inputs of a playbook.
    pub fn of(
        name: &str,
        noun: &str,
        parameters: &BTreeMap<Name, Parameter>,
        given: Map<String, Value>,
    ) -> Result<Self> {
        let mut mistakes = Vec::new();
        let mut values = BTreeMap::new();
        for (key, value) in given {
            let Some(parameter) = parameters.iter().find(|(known, _)| known.as_str() == key) else {
                mistakes.push(unknown(noun, &key, parameters));
                continue;
            };
            match ValueSchema::new(&parameter.1.schema) {
                Ok(schema) => mistakes
                    .extend(schema.mistakes(&value).iter().map(|mistake| wrong(&key, &value, mistake))),
                Err(why) => mistakes.push(format!("the schema of `{key}` cannot be used: {why}")),
            }
            values.insert(key, value);
        }
        for (key, parameter) in parameters {
            if values.contains_key(key.as_str()) {
                continue;
            }
            match &parameter.default {
                Some(default) => drop(values.insert(key.to_string(), default.clone())),
                None if parameter.is_required() => {
                    mistakes.push(format!("`{key}` is missing: {}", parameter.about));
                }
                None => {}
            }
        }
        if mistakes.is_empty() {
            return Ok(Self(values));
        }
        Err(Error::new(ErrorKind::Settings, "read parameters", format!("{name}: {}", mistakes.join("; "))))
    }

    /// The same, and what was looked up.
    pub(super) fn with(mut self, looked_up: &BTreeMap<String, Value>) -> Self {
        self.0.extend(looked_up.clone());
        self
    }

    /// All of them.
    pub fn all(&self) -> &BTreeMap<String, Value> {
        &self.0
    }

    /// The value that a placeholder stands for, such as `id` or `profile/login`.
    pub(super) fn get(&self, placeholder: &str) -> Option<&Value> {
        match placeholder.split_once('/') {
            None => self.0.get(placeholder),
            Some((name, rest)) => self.0.get(name)?.pointer(&format!("/{rest}")),
        }
    }
}

fn unknown(noun: &str, key: &str, parameters: &BTreeMap<Name, Parameter>) -> String {
    let known: Vec<_> = parameters.keys().map(Name::as_str).collect();
    let meant = nearest(key, known.iter().copied());
    let meant = meant.map(|meant| format!(" (did you mean `{meant}`?)")).unwrap_or_default();
    let shown = Redactor::shared().shown(key, 100);
    match known.as_slice() {
        [] => format!("there is no {noun} `{shown}`: it takes none"),
        _ => format!("there is no {noun} `{shown}`{meant}; the {noun}s are {}", known.join(", ")),
    }
}

fn wrong(key: &str, value: &Value, mistake: &SchemaMistake) -> String {
    let at = value.pointer(&mistake.pointer).unwrap_or(value);
    let shown = match at {
        // Of these the mistake says what is wrong, and they may be long.
        Value::Object(_) | Value::Array(_) => String::new(),
        other => format!(", given {}", Redactor::shared().shown(&other.to_string(), MAX_TEXT.min(100))),
    };
    // Some mistakes name the value, too.
    let message = Redactor::shared().shown(&mistake.message, MAX_TEXT.min(300));
    format!("invalid `{key}{}`: {message}{shown}", mistake.pointer)
}

#[cfg(test)]
#[path = "tests/values.rs"]
mod tests;
