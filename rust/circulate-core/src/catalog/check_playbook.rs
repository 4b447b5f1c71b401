//! What is wrong with a playbook that types alone do not show.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::check_operations::check_parameter;
use super::folders::Catalog;
use super::json_schema::ValueSchema;
use super::operation::{Operation, OperationKind};
use super::playbook::{Playbook, PlaybookStep};
use super::request::JsonTemplate;
use super::types::Name;
use super::wrong::Wrong;
use super::yaml::read;
use crate::error::{Error, Result};
use crate::nearest::nearest;

/// The members of the result of a call that reads.
const OF_READS: [&str; 3] = ["operation", "account", "returned"];
/// The members of the result of a plan that was applied.
const OF_CHANGES: [&str; 6] = ["operation", "account", "plan", "status", "calls", "stopped_by"];

/// Reads and checks a playbook, whose operations are defined in a catalog; `file` is for messages.
pub fn playbook_from_yaml(text: &str, file: &Path, catalog: &Catalog) -> Result<Playbook> {
    read(text, file, |playbook: &Playbook| check_playbook(playbook, catalog))
}

/// All that is wrong with a playbook whose operations are defined in this catalog.
fn check_playbook(playbook: &Playbook, catalog: &Catalog) -> Vec<Wrong> {
    let mut wrongs = check_inputs(playbook);
    if playbook.steps.is_empty() {
        wrongs.push(Wrong::at("steps", "a playbook has at least one step".to_owned()));
    }
    let mut earlier: Vec<(&PlaybookStep, Option<Operation>)> = Vec::new();
    for (number, step) in playbook.steps.iter().enumerate() {
        let at = format!("steps.{number}");
        if earlier.iter().any(|(known, _)| known.id == step.id) {
            wrongs.push(Wrong::at(&format!("{at}.id"), format!("there is a step `{}` already", step.id)));
        }
        let operation = match operation_of(catalog, &step.operation) {
            Ok(operation) => Some(operation),
            Err(why) => {
                wrongs.push(Wrong::at(&format!("{at}.operation"), why));
                None
            }
        };
        if let Some(operation) = &operation {
            wrongs.extend(check_given(&at, step, operation));
        }
        for (name, template) in &step.parameters {
            if has_number(template) {
                let why = "a value keeps its type here: leave `:number` out".to_owned();
                wrongs.push(Wrong::at(&format!("{at}.parameters.{name}"), why));
            }
            for placeholder in template.placeholders() {
                let why = wrong_placeholder(playbook, &earlier, step, placeholder);
                wrongs.extend(why.map(|why| Wrong::at(&format!("{at}.parameters.{name}"), why)));
            }
        }
        wrongs.extend(check_criteria(&at, step, operation.as_ref()));
        earlier.push((step, operation));
    }
    wrongs
}

fn check_inputs(playbook: &Playbook) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    let used: BTreeSet<_> = playbook
        .steps
        .iter()
        .flat_map(|step| step.parameters.values())
        .flat_map(JsonTemplate::placeholders)
        .filter_map(|placeholder| placeholder.strip_prefix("inputs/"))
        .map(|rest| rest.split('/').next().unwrap_or_default())
        .collect();
    for (name, input) in &playbook.inputs {
        let at = format!("inputs.{name}");
        if input.optional {
            // A state machine has no way to leave a parameter out.
            let why = "an input is required, or has a default: leave `optional` out";
            wrongs.push(Wrong::at(&format!("{at}.optional"), why.to_owned()));
        }
        if !used.contains(name.as_str()) {
            wrongs.push(Wrong::at(&at, format!("no step uses `{{inputs/{name}}}`")));
        }
        wrongs.extend(check_parameter(&at, input));
    }
    wrongs
}

/// The operation of this name; the error says why there is none.
fn operation_of(catalog: &Catalog, named: &str) -> std::result::Result<Operation, String> {
    let Some((stream, name)) = named.rsplit_once('.').filter(|(stream, _)| stream.contains('.')) else {
        return Err(format!("`{named}` names no operation: write `source.endpoint.operation`"));
    };
    let definition = catalog.stream(stream).map_err(|error| in_a_line(&error))?;
    definition.operation(name).cloned().map_err(|error| in_a_line(&error))
}

fn in_a_line(error: &Error) -> String {
    error.hint_text().map_or_else(|| error.to_string(), |hint| format!("{error}: {hint}"))
}

/// The parameters that a step gives are those that its operation has, and all that it has to have.
fn check_given(at: &str, step: &PlaybookStep, operation: &Operation) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    for (name, template) in &step.parameters {
        let at = format!("{at}.parameters.{name}");
        let Some(parameter) = operation.parameters.get(name) else {
            let known = || operation.parameters.keys().map(Name::as_str);
            let meant = nearest(name.as_str(), known());
            let meant = meant.map(|meant| format!(" (did you mean `{meant}`?)")).unwrap_or_default();
            let all = known().collect::<Vec<_>>().join(", ");
            let why = format!("{} has no parameter `{name}`{meant}; its parameters: {all}", step.operation);
            wrongs.push(Wrong::at(&at, why));
            continue;
        };
        // What placeholders stand for is checked when the step is done.
        if let (Some(value), Ok(schema)) = (constant(template), ValueSchema::new(&parameter.schema)) {
            let mistakes = schema.mistakes(&value).into_iter();
            wrongs.extend(mistakes.map(|mistake| {
                Wrong::at(&at, format!("invalid `{name}{}`: {}", mistake.pointer, mistake.message))
            }));
        }
    }
    let missing = operation
        .parameters
        .iter()
        .filter(|(name, parameter)| parameter.is_required() && !step.parameters.contains_key(*name));
    wrongs.extend(missing.map(|(name, parameter)| {
        let why = format!("{} needs the parameter `{name}`: {}", step.operation, parameter.about);
        Wrong::at(at, why)
    }));
    wrongs
}

/// Whether a template has a placeholder that says that it is a number.
fn has_number(template: &JsonTemplate) -> bool {
    match template {
        JsonTemplate::Typed(_) => true,
        JsonTemplate::List(items) => items.iter().any(has_number),
        JsonTemplate::Object(members) => members.values().any(has_number),
        JsonTemplate::Null | JsonTemplate::Constant(_) | JsonTemplate::Text(_) => false,
    }
}

/// The value of a template that uses nothing.
fn constant(template: &JsonTemplate) -> Option<Value> {
    if !template.placeholders().is_empty() {
        return None;
    }
    template.fill(&|_| None).ok()
}

/// Why a placeholder stands for nothing, if it does.
fn wrong_placeholder(
    playbook: &Playbook,
    earlier: &[(&PlaybookStep, Option<Operation>)],
    step: &PlaybookStep,
    placeholder: &str,
) -> Option<String> {
    let mut parts = placeholder.splitn(3, '/');
    match (parts.next()?, parts.next(), parts.next()) {
        ("inputs", Some(name), _) => {
            let known = || playbook.inputs.keys().map(Name::as_str);
            if known().any(|known| known == name) {
                return None;
            }
            let meant = nearest(name, known());
            let meant =
                meant.map(|meant| format!(" (did you mean `{{inputs/{meant}}}`?)")).unwrap_or_default();
            Some(format!("`{{{placeholder}}}`: there is no input `{name}`{meant}"))
        }
        ("steps", Some(id), rest) => {
            let Some((_, operation)) = earlier.iter().find(|(known, _)| known.id.as_str() == id) else {
                let why = if step.id.as_str() == id {
                    "a step has no result before it is done".to_owned()
                } else if playbook.steps.iter().any(|known| known.id.as_str() == id) {
                    format!("the step `{id}` comes later")
                } else {
                    let meant = nearest(id, earlier.iter().map(|(known, _)| known.id.as_str()));
                    let meant = meant.map(|meant| format!(" (did you mean `{meant}`?)")).unwrap_or_default();
                    format!("there is no earlier step `{id}`{meant}")
                };
                return Some(format!("`{{{placeholder}}}`: {why}"));
            };
            let first = rest.unwrap_or_default().split('/').next().unwrap_or_default();
            let why = wrong_member(operation.as_ref()?, first)?;
            Some(format!("`{{{placeholder}}}`: {why}"))
        }
        _ => Some(format!(
            "`{{{placeholder}}}` stands for nothing here: write `{{inputs/NAME}}` or `{{steps/ID/MEMBER}}`"
        )),
    }
}

/// Why the result of an operation has no such member, if it has none.
fn wrong_member(operation: &Operation, member: &str) -> Option<String> {
    let known: &[&str] = if operation.kind == OperationKind::Investigate { &OF_READS } else { &OF_CHANGES };
    (!known.contains(&member)).then(|| format!("the members of its result are {}", known.join(", ")))
}

fn check_criteria(at: &str, step: &PlaybookStep, operation: Option<&Operation>) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    let at = format!("{at}.success_criteria");
    for (pointer, values) in &step.success_criteria {
        let first = pointer.segments().first().map_or("", String::as_str);
        let wrong = |why: String| Wrong::at(&at, why).below(&pointer.to_string());
        if let Some(why) = operation.and_then(|operation| wrong_member(operation, first)) {
            wrongs.push(wrong(format!("`{pointer}`: {why}")));
        }
        if values.is_empty() {
            wrongs.push(wrong("no value is allowed: name at least one".to_owned()));
        }
        if values.iter().any(|value| value.is_array() || value.is_object()) {
            wrongs.push(wrong("a value is a text, a number, true, false or null".to_owned()));
        }
    }
    wrongs
}

#[cfg(test)]
#[path = "tests/check_playbook.rs"]
mod tests;
