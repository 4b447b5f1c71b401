//! What is wrong with operations that types alone do not show.

use std::collections::{BTreeMap, BTreeSet};

use super::json_schema::ValueSchema;
use super::operation::{Operation, OperationKind, Parameter, Presence, ReadBack, RetryClass, Returns, Undo};
use super::paginator::PaginatorSpec;
use super::request::{BodySpec, JsonTemplate, QueryValue};
use super::source::Source;
use super::stream::Endpoint;
use super::template::Template;
use super::types::Name;
use super::wrong::{Wrong, wrong_path};
use crate::error::Result;
use crate::nearest::nearest;

/// What is called at an endpoint by this name is its list.
const LIST: &str = "list";

/// Keywords of Python that names could be.
const KEYWORDS: [&str; 32] = [
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else",
    "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not",
    "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// What `undo` has besides parameters.
const RESERVED: [&str; 2] = ["before", "response"];

/// What is wrong with the operations of an endpoint themselves.
pub(super) fn check_operations(endpoint: &Endpoint) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    for (name, operation) in &endpoint.operations {
        let at = format!("operations.{name}");
        if name.as_str() == LIST {
            let why = "`list` is the list of the endpoint: it is pulled, and called by another name";
            wrongs.push(Wrong::at(&at, why.to_owned()));
        }
        if let Some(why) = wrong_path(&operation.path.to_string()) {
            wrongs.push(Wrong::at(&format!("{at}.path"), why));
        }
        for (parameter, spec) in &operation.parameters {
            if RESERVED.contains(&parameter.as_str()) {
                let why = format!("`{parameter}` means something else in `undo`: call it otherwise");
                wrongs.push(Wrong::at(&format!("{at}.parameters.{parameter}"), why));
            }
            if KEYWORDS.contains(&parameter.as_str()) {
                let why = format!(
                    "`{parameter}` is a keyword of Python, where parameters are given by name: call it otherwise"
                );
                wrongs.push(Wrong::at(&format!("{at}.parameters.{parameter}"), why));
            }
            wrongs.extend(check_parameter(&format!("{at}.parameters.{parameter}"), spec));
        }
        wrongs.extend(check_uses(&at, operation));
        wrongs.extend(check_returns(&at, operation));
        wrongs.extend(check_brakes(&at, operation));
        wrongs.extend(check_read_back(&at, endpoint, operation));
        wrongs.extend(check_undo(&at, endpoint, operation));
        wrongs.extend(check_look_ups(&at, endpoint, operation));
        wrongs.extend(check_modifications(&at, operation));
    }
    wrongs
}

pub(super) fn check_parameter(at: &str, parameter: &Parameter) -> Option<Wrong> {
    let schema = match ValueSchema::new(&parameter.schema) {
        Ok(schema) => schema,
        Err(why) => return Some(Wrong::at(&format!("{at}.schema"), why)),
    };
    let default = parameter.default.as_ref()?;
    if parameter.optional {
        let why = "it has a default, so that it may be left out anyway: leave `optional` out";
        return Some(Wrong::at(&format!("{at}.optional"), why.to_owned()));
    }
    let mistake = schema.mistakes(default).into_iter().next()?;
    let why = format!("its schema refuses the default: {}", mistake.message);
    Some(Wrong::at(&format!("{at}.default"), why))
}

/// Each parameter is used, and one that is a segment of the path or a header has a value that can be one.
fn check_uses(at: &str, operation: &Operation) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    let used: BTreeSet<_> =
        operation.placeholders().into_iter().map(|(_, name)| parameter_of(name)).collect();
    for (name, parameter) in &operation.parameters {
        let parameter_at = format!("{at}.parameters.{name}");
        if !used.contains(name.as_str()) && !operation.uses_elsewhere(name.as_str()) {
            wrongs.push(Wrong::at(&parameter_at, format!("nothing of the request uses `{{{name}}}`")));
        }
        let in_path =
            operation.path.placeholders().any(|placeholder| parameter_of(placeholder) == name.as_str());
        if in_path && !parameter.is_required() {
            wrongs.push(Wrong::at(
                &parameter_at,
                "it is a part of the path, which is nowhere without it".to_owned(),
            ));
        }
    }
    wrongs
}

fn check_returns(at: &str, operation: &Operation) -> Option<Wrong> {
    let Returns::List(list) = &operation.returns else { return None };
    let wrong = |key: &str, why: &str| Some(Wrong::at(&format!("{at}.returns.list.{key}"), why.to_owned()));
    if matches!(list.paginator, PaginatorSpec::Hook(_)) {
        return wrong("paginator", "an operation has no hooks");
    }
    if list.paginator == PaginatorSpec::Unknown {
        return wrong("paginator", "say how one page leads to the next, or write `returns: object`");
    }
    if list.records.is_one() {
        return wrong("records", "`one` is a record and no list: write `returns: object`");
    }
    None
}

/// What changes something says how it is held back; what reads has nothing of that.
fn check_brakes(at: &str, operation: &Operation) -> Vec<Wrong> {
    let wrong = |key: &str, why: &str| Wrong::at(&format!("{at}.{key}"), why.to_owned());
    if operation.kind == OperationKind::Investigate {
        let given = [
            ("retry", operation.retry.is_some_and(|retry| retry != RetryClass::Safe)),
            ("reads_back", operation.reads_back.is_some()),
            ("undo", operation.undo.is_some()),
            ("destructive", operation.destructive),
            ("looks_up", !operation.looks_up.is_empty()),
            ("modifies", operation.modifies.is_some()),
            ("secrets", !operation.secrets.is_empty()),
        ];
        let given = given.into_iter().filter(|(_, is_given)| *is_given);
        return given
            .map(|(key, _)| wrong(key, "an operation that investigates changes nothing: leave this out"))
            .collect();
    }
    let mut wrongs = Vec::new();
    if matches!(operation.returns, Returns::List(_)) {
        wrongs.push(wrong("returns", "only an operation that investigates returns a list"));
    }
    let missing = [
        (
            "retry",
            operation.retry.is_none(),
            "say when its request may be retried: idempotent, if_not_sent or never",
        ),
        (
            "reads_back",
            operation.reads_back.is_none(),
            "say how its object is read before and after, or `{none: why}`",
        ),
        ("undo", operation.undo.is_none(), "say what undoes it, or `{none: why}`"),
    ];
    for (key, _, why) in missing.iter().filter(|(_, is_missing, _)| *is_missing) {
        wrongs.push(Wrong::at(at, format!("`{key}` is missing: {why}")));
    }
    if operation.retry == Some(RetryClass::Safe) {
        wrongs.push(wrong(
            "retry",
            "`safe` is of what changes nothing: write `idempotent` if it may be sent twice",
        ));
    }
    wrongs
}

fn check_read_back(at: &str, endpoint: &Endpoint, operation: &Operation) -> Vec<Wrong> {
    let Some(ReadBack::By(by)) = &operation.reads_back else { return Vec::new() };
    let at = format!("{at}.reads_back");
    let mut wrongs = check_with(&at, operation, &by.with, &[]);
    let others = by.record.iter().flatten().chain(&by.fields).chain(&by.whole);
    for name in others.flat_map(|(_, template)| template.placeholders()) {
        wrongs.extend(unknown_name(&at, operation, name, &[]));
    }
    if by.after == Presence::Absent && !(by.fields.is_empty() && by.whole.is_empty() && by.one_of.is_empty())
    {
        wrongs.push(Wrong::at(
            &format!("{at}.after"),
            "what is absent has no members: leave `fields` and `whole` out".to_owned(),
        ));
    }
    if by.after == Presence::Any {
        let why = "after an operation it is known whether its object is there: `present` or `absent`";
        wrongs.push(Wrong::at(&format!("{at}.after"), why.to_owned()));
    }
    // One of another endpoint is looked for once that is read: see `check_elsewhere`.
    if by.operation.contains('.') {
        return wrongs;
    }
    match endpoint.operations.iter().find(|(name, _)| name.as_str() == by.operation) {
        None => wrongs.push(no_operation(&format!("{at}.operation"), endpoint, &by.operation)),
        Some((_, reader)) if reader.kind != OperationKind::Investigate => {
            let why =
                format!("`{}` changes something: an object is read by one that investigates", by.operation);
            wrongs.push(Wrong::at(&format!("{at}.operation"), why));
        }
        Some((_, reader)) => {
            wrongs.extend(check_given(&format!("{at}.with"), &by.operation, reader, &by.with));
            let is_list = matches!(reader.returns, Returns::List(_));
            if !is_list && by.record.is_some() {
                let why = format!("`{}` returns no list, of which this could be a record", by.operation);
                wrongs.push(Wrong::at(&format!("{at}.record"), why));
            }
        }
    }
    wrongs
}

fn check_undo(at: &str, endpoint: &Endpoint, operation: &Operation) -> Vec<Wrong> {
    let Some(Undo::By(undo)) = &operation.undo else { return Vec::new() };
    let at = format!("{at}.undo");
    let mut wrongs = check_with(&at, operation, &undo.with, &["before", "response"]);
    if undo.operation.contains('.') {
        return wrongs;
    }
    match endpoint.operations.iter().find(|(name, _)| name.as_str() == undo.operation) {
        None => wrongs.push(no_operation(&format!("{at}.operation"), endpoint, &undo.operation)),
        Some((_, undoing)) if undoing.kind == OperationKind::Investigate => {
            let why = format!("`{}` changes nothing, and so undoes nothing", undo.operation);
            wrongs.push(Wrong::at(&format!("{at}.operation"), why));
        }
        Some((_, undoing)) => {
            wrongs.extend(check_given(&format!("{at}.with"), &undo.operation, undoing, &undo.with));
        }
    }
    wrongs
}

fn check_look_ups(at: &str, endpoint: &Endpoint, operation: &Operation) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    for (name, look_up) in &operation.looks_up {
        let at = format!("{at}.looks_up.{name}");
        if operation.parameters.contains_key(name) || RESERVED.contains(&name.as_str()) {
            wrongs.push(Wrong::at(
                &at,
                format!("`{name}` means something else here already: call it otherwise"),
            ));
        }
        wrongs.extend(check_with(&at, operation, &look_up.with, &[]));
        if look_up.operation.contains('.') {
            continue;
        }
        match endpoint.operations.iter().find(|(known, _)| known.as_str() == look_up.operation) {
            None => wrongs.push(no_operation(&format!("{at}.operation"), endpoint, &look_up.operation)),
            Some((_, reader)) if reader.kind != OperationKind::Investigate => {
                let why = format!("`{}` changes something, and is to read", look_up.operation);
                wrongs.push(Wrong::at(&format!("{at}.operation"), why));
            }
            Some((_, reader)) => {
                wrongs.extend(check_given(&format!("{at}.with"), &look_up.operation, reader, &look_up.with));
            }
        }
    }
    wrongs
}

/// What is wrong with what operations name of other endpoints. `find` reads one of the source; none if there is no such one.
pub(super) fn check_elsewhere(
    endpoint: &Endpoint,
    find: &dyn Fn(&str) -> Result<Option<Endpoint>>,
) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    for (name, operation) in &endpoint.operations {
        let at = format!("operations.{name}");
        let mut named = Vec::new();
        if let Some(ReadBack::By(by)) = &operation.reads_back {
            named.push((format!("{at}.reads_back"), &by.operation, &by.with, true));
        }
        if let Some(Undo::By(undo)) = &operation.undo {
            named.push((format!("{at}.undo"), &undo.operation, &undo.with, false));
        }
        for (key, look_up) in &operation.looks_up {
            named.push((format!("{at}.looks_up.{key}"), &look_up.operation, &look_up.with, true));
        }
        for (at, named, with, reads) in named {
            let Some((other, called)) = named.split_once('.') else { continue };
            // One that cannot be read is reported where it is read for itself.
            let Ok(found) = find(other) else { continue };
            let Some(found) = found else {
                wrongs.push(Wrong::at(&format!("{at}.operation"), format!("there is no endpoint `{other}`")));
                continue;
            };
            match found.operations.iter().find(|(known, _)| known.as_str() == called) {
                None => wrongs.push(no_operation(&format!("{at}.operation"), &found, called)),
                Some((_, other)) if (other.kind == OperationKind::Investigate) != reads => {
                    let why = if reads { "changes something, and is to read" } else { "changes nothing" };
                    wrongs.push(Wrong::at(&format!("{at}.operation"), format!("`{named}` {why}")));
                }
                Some((_, other)) => wrongs.extend(check_given(&format!("{at}.with"), named, other, with)),
            }
        }
    }
    wrongs
}

fn check_modifications(at: &str, operation: &Operation) -> Vec<Wrong> {
    let Some(modifies) = &operation.modifies else { return Vec::new() };
    let at = format!("{at}.modifies");
    let mut wrongs = Vec::new();
    if !matches!(&operation.reads_back, Some(ReadBack::By(by)) if by.before == Presence::Present) {
        wrongs.push(Wrong::at(
            &at,
            "its object is sent back, so it has to be read before: see `reads_back`".to_owned(),
        ));
    }
    if operation.body.is_some() {
        wrongs.push(Wrong::at(&at, "the body is made of the object: leave `body` out".to_owned()));
    }
    for name in modifies.templates().flat_map(|(_, template)| template.placeholders()) {
        wrongs.extend(unknown_name(&at, operation, name, &[]));
    }
    wrongs
}

fn no_operation(at: &str, endpoint: &Endpoint, named: &str) -> Wrong {
    let meant = nearest(named, endpoint.operations.keys().map(Name::as_str));
    let meant = meant.map(|meant| format!(" (did you mean `{meant}`?)")).unwrap_or_default();
    Wrong::at(at, format!("there is no operation `{named}` here{meant}"))
}

/// The parameters that one operation gives another one are those that it has, and all that it has to have.
fn check_given(at: &str, name: &str, called: &Operation, with: &BTreeMap<Name, JsonTemplate>) -> Vec<Wrong> {
    let unknown = with.keys().filter(|given| !called.parameters.contains_key(*given));
    let unknown = unknown.map(|given| Wrong::at(at, format!("`{name}` has no parameter `{given}`")));
    let missing =
        called.parameters.iter().filter(|(needed, spec)| spec.is_required() && !with.contains_key(*needed));
    let missing = missing.map(|(needed, _)| Wrong::at(at, format!("`{name}` has to have `{needed}`")));
    unknown.chain(missing).collect()
}

fn check_with(
    at: &str,
    operation: &Operation,
    with: &BTreeMap<Name, JsonTemplate>,
    more: &[&str],
) -> Vec<Wrong> {
    let used = with.values().flat_map(JsonTemplate::placeholders);
    used.filter_map(|name| unknown_name(&format!("{at}.with"), operation, name, more)).collect()
}

fn unknown_name(at: &str, operation: &Operation, placeholder: &str, more: &[&str]) -> Option<Wrong> {
    let used = parameter_of(placeholder);
    let is_known = operation.knows(used) || placeholder.contains('/') && more.contains(&used);
    if is_known {
        return None;
    }
    let meant = nearest(used, operation.parameters.keys().map(Name::as_str));
    let meant = meant.map(|meant| format!(" (did you mean `{{{meant}}}`?)")).unwrap_or_default();
    Some(Wrong::at(at, format!("`{{{placeholder}}}` is not a parameter of the operation{meant}")))
}

/// Every placeholder is a parameter, or a setting that may be shown.
pub(super) fn check_names_of_operations(source: &Source, endpoint: &Endpoint) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    for (name, operation) in &endpoint.operations {
        let setting =
            |name: &str| source.settings.iter().find(|(key, _)| key.as_str() == name).map(|(_, it)| it);
        for (parameter, _) in operation.parameters.iter().filter(|(name, _)| setting(name.as_str()).is_some())
        {
            let why = format!(
                "`{parameter}` is a setting of the source, too: nothing shows which one `{{{parameter}}}` means"
            );
            wrongs.push(Wrong::at(&format!("operations.{name}.parameters.{parameter}"), why));
        }
        for (key, placeholder) in operation.placeholders() {
            let at = format!("operations.{name}.{key}");
            let used = parameter_of(placeholder);
            let is_parameter = operation.knows(used);
            match setting(placeholder) {
                _ if is_parameter => {}
                Some(setting) if setting.secret => {
                    let why = format!(
                        "`{{{placeholder}}}` is a secret: only `auth` of the source puts secrets into requests"
                    );
                    wrongs.push(Wrong::at(&at, why));
                }
                Some(_) => {}
                None => {
                    let known = operation.parameters.keys().map(Name::as_str);
                    let open = source
                        .settings
                        .iter()
                        .filter(|(_, setting)| !setting.secret)
                        .map(|(key, _)| key.as_str());
                    let meant = nearest(used, known.chain(open));
                    let meant =
                        meant.map(|meant| format!(" (did you mean `{{{meant}}}`?)")).unwrap_or_default();
                    let why = format!(
                        "`{{{placeholder}}}` is neither a parameter nor a setting of the source{meant}"
                    );
                    wrongs.push(Wrong::at(&at, why));
                }
            }
        }
    }
    wrongs
}

/// The parameter that a placeholder means: `{profile/login}` is a member of `profile`.
pub fn parameter_of(placeholder: &str) -> &str {
    placeholder.split_once('/').map_or(placeholder, |(name, _)| name)
}

impl Operation {
    /// Whether requests have a value of this name.
    fn knows(&self, name: &str) -> bool {
        self.parameters.keys().chain(self.looks_up.keys()).any(|known| known.as_str() == name)
    }

    /// Whether something besides its request is made of a parameter.
    fn uses_elsewhere(&self, name: &str) -> bool {
        let looked_up =
            self.looks_up.values().flat_map(|look_up| look_up.with.values().chain(look_up.record.values()));
        let modified =
            self.modifies.iter().flat_map(|modifies| modifies.templates().map(|(_, template)| template));
        looked_up.chain(modified).flat_map(JsonTemplate::placeholders).any(|used| parameter_of(used) == name)
    }

    /// The placeholders of its request, and where they stand.
    fn placeholders(&self) -> Vec<(&'static str, &str)> {
        let in_query =
            self.query.values().flat_map(QueryValue::as_slice).flat_map(|text| text.text.placeholders());
        let found: [(&str, Vec<&str>); 4] = [
            ("path", self.path.placeholders().collect()),
            ("query", in_query.collect()),
            ("headers", self.headers.values().flat_map(Template::placeholders).collect()),
            ("body", self.body.as_ref().map(BodySpec::placeholders).unwrap_or_default()),
        ];
        found.into_iter().flat_map(|(at, names)| names.into_iter().map(move |name| (at, name))).collect()
    }
}
