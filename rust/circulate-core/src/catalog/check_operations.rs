//! What is wrong with operations that types alone do not show.

use std::collections::BTreeSet;

use super::json_schema::ValueSchema;
use super::operation::{Operation, Parameter, Returns};
use super::paginator::PaginatorSpec;
use super::request::{BodySpec, QueryValue};
use super::source::Source;
use super::stream::Endpoint;
use super::template::Template;
use super::types::Name;
use super::wrong::{Wrong, wrong_path};
use crate::nearest::nearest;

/// What is called at an endpoint by this name is its list.
const LIST: &str = "list";

/// Keywords of Python that names could be.
const KEYWORDS: [&str; 32] = [
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else",
    "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not",
    "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

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
    }
    wrongs
}

fn check_parameter(at: &str, parameter: &Parameter) -> Option<Wrong> {
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
        if !used.contains(name.as_str()) {
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
    if list.records.is_one() {
        return wrong("records", "`one` is a record and no list: write `returns: object`");
    }
    None
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
            let is_parameter = operation.parameters.keys().any(|name| name.as_str() == used);
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
