//! The object of an operation: what is recorded of it, and what it is expected to be.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::caller::Caller;
use super::document::is_exact;
use super::fill::FillValues;
use super::name::OperationName;
use super::values::ParameterValues;
use crate::catalog::{
    Catalog, JsonTemplate, LookUp, Modifications, Operation, Pointer, Presence, ReadBy, Returns, Undo,
};
use crate::error::{Error, ErrorKind, Result};

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
    /// Values of which members have one, by JSON Pointer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub one_of: BTreeMap<String, Vec<Value>>,
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
        let one_of: BTreeMap<_, _> =
            by.one_of.iter().map(|(pointer, values)| (pointer.to_string(), values.clone())).collect();
        let is_proof = !fields.is_empty() || !whole.is_empty() || !one_of.is_empty() || by.before != by.after;
        Ok(Self { presence: by.after, fields, whole, one_of, is_proof })
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
        let one_of = self.one_of.iter().filter(|(pointer, values)| !values.contains(found(pointer)));
        let one_of = one_of.filter_map(|(pointer, values)| Some((pointer, values.first()?)));
        fields
            .chain(whole)
            .chain(one_of)
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

/// The members of an object that are recorded: those that identify it, what is required of it, what it is expected to be, and what
/// undoing it needs.
pub(super) fn recorded(
    catalog: &Catalog,
    name: &OperationName,
    operation: &Operation,
    by: &ReadBy,
    expected: &ExpectedState,
) -> Result<BTreeSet<String>> {
    let mut pointers: BTreeSet<_> = by.requires.keys().map(Pointer::to_string).collect();
    // A login or a name may be another one's by now. Of a list as a whole no record is the one.
    if by.record.as_ref().is_none_or(|record| !record.is_empty()) {
        pointers.extend(identity_of(catalog, &name.sibling(&by.operation))?);
    }
    pointers
        .extend(expected.fields.keys().chain(expected.whole.keys()).chain(expected.one_of.keys()).cloned());
    let modified = operation.modifies.iter().flat_map(Modifications::templates);
    pointers.extend(modified.map(|(pointer, _)| pointer.to_string()));
    if let Some(Undo::By(undo)) = &operation.undo {
        let used = undo.with.values().flat_map(JsonTemplate::placeholders);
        let used = used.filter_map(|name| name.strip_prefix("before").filter(|rest| rest.starts_with('/')));
        // Of what is known by its members, the others are no matter of this operation.
        let is_apart = |pointer: &&str| {
            let below = format!("{pointer}/");
            expected.fields.keys().any(|known| known.starts_with(&below))
        };
        pointers.extend(used.filter(|pointer| !is_apart(pointer)).map(str::to_owned));
    }
    Ok(pointers)
}

/// The members that identify what an operation reads.
fn identity_of(catalog: &Catalog, reader: &OperationName) -> Result<Vec<String>> {
    let definition = catalog.stream(&reader.stream())?;
    let key = match &definition.operation(reader.operation())?.returns {
        Returns::List(list) => &list.primary_key,
        Returns::Object => &definition.endpoint.list.primary_key,
    };
    Ok(key.members().iter().map(Pointer::to_string).collect())
}

/// Reads the object of a call; none if there is none.
pub(super) async fn look_at(
    caller: &Caller,
    name: &OperationName,
    by: &ReadBy,
    values: &(impl FillValues + Sync),
) -> Result<Option<Value>> {
    let record = by.record.as_ref().map(|record| values.each(record)).transpose()?;
    let (reader, given) = (name.sibling(&by.operation), values.each(&by.with)?);
    let (found, is_list) = found_by(caller, &reader, given.clone()).await?;
    if is_list && found.is_none() {
        // What the list is of is not there, which does not show that nothing is in it.
        let what = format!("{name}: there is nothing with {} ({reader})", Value::Object(given));
        return Err(Error::new(ErrorKind::Plan, "plan operation", what));
    }
    Ok(match found {
        Some(Value::Array(records)) if is_list => {
            let record = record.unwrap_or_default();
            records.into_iter().find(|object| has_members(object, &record))
        }
        found => found.filter(|object| !object.is_null()),
    })
}

/// Looks a value up; one that is not there, or there several times, is an error.
pub(super) async fn looked_up(
    caller: &Caller,
    name: &OperationName,
    look_up: &LookUp,
    values: &(impl FillValues + Sync),
) -> Result<Value> {
    let (given, record) = (values.each(&look_up.with)?, values.each(&look_up.record)?);
    let what = Value::Object(if record.is_empty() { given.clone() } else { record.clone() });
    let reader = name.sibling(&look_up.operation);
    let refused = |why: &str| {
        Error::new(ErrorKind::Plan, "plan operation", format!("{name}: {why} with {what} ({reader})"))
    };
    let found = match found_by(caller, &reader, given).await? {
        (Some(Value::Array(records)), true) => {
            let mut records = records.into_iter().filter(|object| has_members(object, &record));
            let found = records.next();
            if records.next().is_some() {
                return Err(refused("there are several"));
            }
            found
        }
        (found, _) => found,
    };
    let value = found.as_ref().and_then(|object| object.pointer(&look_up.value.to_string())).cloned();
    let value = value.filter(|value| !value.is_null()).ok_or_else(|| refused("there is nothing"))?;
    if !is_exact(&value) {
        return Err(refused(
            "there is a number or half of a character that cannot be sent as it was received",
        ));
    }
    Ok(value)
}

/// What an operation that reads returns, and whether that is a list.
async fn found_by(
    caller: &Caller,
    reader: &OperationName,
    given: Map<String, Value>,
) -> Result<(Option<Value>, bool)> {
    let definition = caller.catalog.stream(&reader.stream())?;
    let operation = definition.operation(reader.operation())?;
    let given = ParameterValues::new(&reader.to_string(), operation, given)?;
    let is_list = matches!(operation.returns, Returns::List(_));
    Ok((caller.look_up(reader, &given).await?, is_list))
}

fn has_members(object: &Value, members: &Map<String, Value>) -> bool {
    members.iter().all(|(pointer, value)| object.pointer(pointer).is_some_and(|found| is_same(found, value)))
}

/// An object as it is sent back, and what the members become that are changed.
pub(super) fn modified(
    modifies: &Modifications,
    object: &Value,
    values: &impl FillValues,
) -> Result<(Value, BTreeMap<String, Value>)> {
    if !is_exact(object) {
        let what =
            "the object holds a number or half of a character that cannot be sent back as it was received";
        return Err(Error::new(ErrorKind::Plan, "plan operation", what));
    }
    let (mut sent, mut changed) = (object.clone(), BTreeMap::new());
    for pointer in &modifies.drop {
        take_out(&mut sent, pointer);
    }
    let list = |pointer: &Pointer| match object.pointer(&pointer.to_string()) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items.clone()),
        Some(_) => Err(Error::new(
            ErrorKind::Data,
            "plan operation",
            format!("`{pointer}` of the object is not a list"),
        )),
    };
    for (pointer, template) in &modifies.set {
        match values.json(template)? {
            // A member that was not there is not there again: not every API takes null for that.
            Some(Value::Null) => {
                take_out(&mut sent, pointer);
                changed.insert(pointer.to_string(), Value::Null);
            }
            Some(value) => drop(changed.insert(pointer.to_string(), value)),
            None => {}
        }
    }
    for (pointer, template) in &modifies.append {
        let mut items = list(pointer)?;
        for item in items_of(values.json(template)?) {
            if !items.iter().any(|known| has_all_of(known, &item)) {
                items.push(item);
            }
        }
        changed.insert(pointer.to_string(), items.into());
    }
    for (pointer, template) in &modifies.remove {
        let removed = items_of(values.json(template)?);
        let mut items = list(pointer)?;
        items.retain(|known| !removed.iter().any(|item| has_all_of(known, item)));
        changed.insert(pointer.to_string(), items.into());
    }
    for (pointer, value) in changed.iter().filter(|(_, value)| !value.is_null()) {
        put(&mut sent, pointer, value.clone());
    }
    Ok((sent, changed))
}

fn take_out(document: &mut Value, pointer: &Pointer) {
    if let [parents @ .., last] = pointer.segments() {
        let parent = parents.iter().try_fold(document, |at, segment| at.get_mut(segment));
        if let Some(Value::Object(members)) = parent {
            members.remove(last);
        }
    }
}

fn items_of(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(items)) => items,
        other => other.into_iter().collect(),
    }
}

/// Whether an item of a list is the one that is meant: the API may add members to it.
fn has_all_of(known: &Value, item: &Value) -> bool {
    match (known, item) {
        (Value::Object(known), Value::Object(item)) => {
            item.iter().all(|(name, value)| known.get(name).is_some_and(|found| is_same(found, value)))
        }
        _ => is_same(known, item),
    }
}

/// Puts a member where a pointer leads, through objects that are made if need be.
pub(super) fn put(document: &mut Value, pointer: &str, value: Value) {
    let mut at = document;
    for segment in pointer.split('/').skip(1) {
        let segment = segment.replace("~1", "/").replace("~0", "~");
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(members) = at else { return };
        at = members.entry(segment).or_insert(Value::Null);
    }
    *at = value;
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
        (Value::Number(one), Value::Number(other)) => {
            // Whole numbers that differ may be rounded to the same one.
            one == other || (one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64()
        }
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
