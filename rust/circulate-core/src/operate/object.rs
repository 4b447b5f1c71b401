//! The object of an operation: what is recorded of it, and what it is expected to be.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::caller::Caller;
use super::fill::FillValues;
use super::name::OperationName;
use super::values::ParameterValues;
use crate::catalog::{JsonTemplate, Operation, Pointer, Presence, ReadBy, Undo};
use crate::error::Result;

/// What is recorded of an object: whether it is there, and some of its members.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ObjectState {
    /// Whether it is there.
    pub present: bool,
    /// Members by JSON Pointer; `null` if it has not got one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Value>,
}

/// What an object is expected to be after an operation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ExpectedState {
    /// Whether it is there.
    #[serde(default)]
    pub presence: Presence,
    /// What members are, by JSON Pointer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Value>,
    /// What members are as a whole: what is not named is not there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub whole: BTreeMap<String, Value>,
    /// Whether it being so shows that the operation was done.
    #[serde(default)]
    pub is_proof: bool,
}

/// A member that an operation changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Its JSON Pointer; empty for the object as a whole.
    pub pointer: String,
    /// What it was.
    pub before: Value,
    /// What it is to be.
    pub after: Value,
}

impl ExpectedState {
    /// What `by` expects of the object of a call with these values.
    pub(super) fn new(by: &ReadBy, values: &impl FillValues) -> Result<Self> {
        let mut fields = BTreeMap::new();
        for (pointer, template) in &by.fields {
            if let Some(value) = values.json(template)? {
                flatten(&pointer.to_string(), value, &mut fields);
            }
        }
        let whole: BTreeMap<_, _> = values.each(&by.whole)?.into_iter().collect();
        let is_proof = !fields.is_empty() || !whole.is_empty() || by.before != by.after;
        Ok(Self { presence: by.after, fields, whole, is_proof })
    }

    /// Whether an object is so.
    pub fn is_met(&self, state: &ObjectState) -> bool {
        self.presence.allows(state.present) && self.differences(state).is_empty()
    }

    /// The members that are not as expected.
    pub fn differences(&self, state: &ObjectState) -> Vec<FieldChange> {
        if self.presence == Presence::Absent {
            return Vec::new();
        }
        let nothing = Value::Null;
        let found = |pointer: &String| state.fields.get(pointer).unwrap_or(&nothing);
        let fields = self.fields.iter().filter(|(pointer, value)| !is_same(found(pointer), value));
        let whole =
            self.whole.iter().filter(|(pointer, value)| !is_same(&bare(found(pointer)), &bare(value)));
        fields
            .chain(whole)
            .map(|(pointer, value)| FieldChange {
                pointer: pointer.clone(),
                before: found(pointer).clone(),
                after: value.clone(),
            })
            .collect()
    }

    /// What is to change of an object, its presence included.
    pub fn changes(&self, state: &ObjectState) -> Vec<FieldChange> {
        let there = |is_there: bool| if is_there { "present" } else { "absent" };
        let presence = match self.presence {
            Presence::Present if !state.present => Some((there(false), there(true))),
            Presence::Absent if state.present => Some((there(true), there(false))),
            _ => None,
        };
        let presence = presence.map(|(before, after)| FieldChange {
            pointer: String::new(),
            before: before.into(),
            after: after.into(),
        });
        presence.into_iter().chain(self.differences(state)).collect()
    }
}

/// The members of an object that are recorded: what is required of it, what it is expected to be, and what undoing it needs.
pub(super) fn recorded(operation: &Operation, by: &ReadBy, expected: &ExpectedState) -> BTreeSet<String> {
    let mut pointers: BTreeSet<_> = by.requires.keys().map(Pointer::to_string).collect();
    pointers.extend(expected.fields.keys().chain(expected.whole.keys()).cloned());
    if let Some(Undo::By(undo)) = &operation.undo {
        let used = undo.with.values().flat_map(JsonTemplate::placeholders);
        pointers.extend(
            used.filter_map(|name| name.strip_prefix("before").filter(|rest| rest.starts_with('/')))
                .map(str::to_owned),
        );
    }
    pointers
}

/// Reads the object of a call; none if there is none.
pub(super) async fn look_at(
    caller: &Caller,
    name: &OperationName,
    by: &ReadBy,
    values: &(impl FillValues + Sync),
) -> Result<Option<Value>> {
    let reader = name.sibling(&by.operation);
    let definition = caller.catalog.stream(&reader.stream())?;
    let given = values.each(&by.with)?;
    let given = ParameterValues::new(&reader.to_string(), definition.operation(reader.operation())?, given)?;
    let record = by.record.as_ref().map(|record| values.each(record)).transpose()?;
    let found = caller.look_up(&reader, &given).await?;
    Ok(match (found, record) {
        (Some(Value::Array(records)), record) => {
            let expected = record.unwrap_or_default();
            let is_it = |object: &Value| {
                expected.iter().all(|(pointer, value)| {
                    object.pointer(pointer).is_some_and(|found| is_same(found, value))
                })
            };
            records.into_iter().find(is_it)
        }
        (found, _) => found.filter(|object| !object.is_null()),
    })
}

/// What is recorded of an object.
pub(super) fn state_of(object: Option<&Value>, pointers: &BTreeSet<String>) -> ObjectState {
    let Some(object) = object else { return ObjectState::default() };
    let member = |pointer: &String| (pointer.clone(), object.pointer(pointer).cloned().unwrap_or_default());
    ObjectState { present: true, fields: pointers.iter().map(member).collect() }
}

/// The members of a value, down to what is no object, by their pointers.
fn flatten(pointer: &str, value: Value, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                flatten(&format!("{pointer}/{name}"), member, into);
            }
        }
        value => drop(into.insert(pointer.to_owned(), value)),
    }
}

/// A value without members that are null: they are not there.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().filter(|(_, member)| !member.is_null());
            members.map(|(name, member)| (name.clone(), bare(member))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// Whether two values are the same; numbers are compared as such: an API may write `1.0` for `1`.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, member)| other.get(name).is_some_and(|found| is_same(member, found)))
        }
        _ => one == other,
    }
}

#[cfg(test)]
#[path = "tests/object.rs"]
mod tests;
