//! What is wrong with headers, query parameters and other places that credentials go into.

use std::collections::BTreeSet;

use http::{HeaderName, HeaderValue};

use super::auth::{Auth, HeaderAuth};
use super::location::RequestLocation;
use super::request::{BodySpec, JsonTemplate};
use super::source::Source;
use super::stream::StreamSpec;
use super::wrong::Wrong;

/// A header that can't be sent.
pub(super) fn check_header(at: &str, header: &HeaderAuth) -> Vec<Wrong> {
    let mut wrongs: Vec<_> =
        check_header_name(&format!("{at}.name"), &header.name).err().into_iter().collect();
    wrongs.extend(check_prefix(&format!("{at}.prefix"), &header.prefix).err());
    wrongs
}

/// Several headers are of different names.
pub(super) fn check_all_headers(at: &str, headers: &[HeaderAuth]) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    if headers.is_empty() {
        wrongs.push(Wrong::at(at, "headers is empty: name at least one".to_owned()));
    }
    let mut names = BTreeSet::new();
    for (number, header) in headers.iter().enumerate() {
        let at = format!("{at}.{number}");
        wrongs.extend(check_header(&at, header));
        if !names.insert(header.name.to_lowercase()) {
            let why = format!("the header `{}` is given twice", header.name);
            wrongs.push(Wrong::at(&format!("{at}.name"), why));
        }
    }
    wrongs
}

pub(super) fn check_header_name(at: &str, name: &str) -> Result<(), Wrong> {
    match name.parse::<HeaderName>() {
        Ok(_) => Ok(()),
        Err(_) => Err(Wrong::at(at, format!("`{name}` is not a header name"))),
    }
}

pub(super) fn check_prefix(at: &str, prefix: &str) -> Result<(), Wrong> {
    match prefix.parse::<HeaderValue>() {
        Ok(_) => Ok(()),
        Err(_) => Err(Wrong::at(at, format!("`{prefix}` has characters that no header can hold"))),
    }
}

/// A query parameter that can't be sent, or that the check of the account sends itself.
pub(super) fn check_parameter(source: &Source, at: &str, name: &str) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    if name.is_empty() {
        wrongs.push(Wrong::at(at, "a query parameter has a name".to_owned()));
    }
    if source.check.as_ref().is_some_and(|check| check.query.contains_key(name)) {
        wrongs.push(Wrong::at(&format!("check.query.{name}"), is_taken(name)));
    }
    wrongs
}

/// The parameters of a list are others than that of the credentials.
pub(super) fn check_parameters_of(source: &Source, stream: &StreamSpec) -> Vec<Wrong> {
    let taken: BTreeSet<_> =
        source.auth.iter().flat_map(Auth::query_parameters).map(String::as_str).collect();
    let in_query = stream.query.keys().map(|name| (format!("list.query.{name}"), name.as_str()));
    let located = stream.locations().into_iter().filter_map(|(at, location)| match location {
        RequestLocation::Query(name) => Some((at.to_owned(), name.as_str())),
        _ => None,
    });
    let wrong = in_query.chain(located).filter(|(_, name)| taken.contains(name));
    wrong.map(|(at, name)| Wrong::at(&at, is_taken(name))).collect()
}

/// A list has a body that the key of the credentials can be put into, and uses no field of its name.
pub(super) fn check_body_of(source: &Source, stream: &StreamSpec) -> Vec<Wrong> {
    let keys = source.auth.iter().filter_map(|way| match way {
        Auth::Body(body) => Some(body.name.as_str()),
        _ => None,
    });
    let mut wrongs = Vec::new();
    for key in keys {
        let before = stream.before.as_ref().map(|before| ("list.before.body", before.body.as_ref()));
        for (at, body) in std::iter::once(("list.body", stream.body.as_ref())).chain(before) {
            let is_used = match body {
                Some(BodySpec::Json(JsonTemplate::Object(members))) => members.contains_key(key),
                Some(BodySpec::Form(fields)) => fields.contains_key(key),
                _ => {
                    let why = format!(
                        "`auth` of the source signs in by the field `{key}` of the body, and there is none of fields: \
                         `{{json: {{}}}}` or `{{form: {{}}}}` is one that has nothing else"
                    );
                    wrongs.push(Wrong::at(at, why));
                    continue;
                }
            };
            if is_used {
                wrongs.push(Wrong::at(at, is_taken_in_body(key)));
            }
        }
        let located = stream.locations().into_iter().filter(|(_, location)| match location {
            RequestLocation::Body(pointer) => pointer.segments().first().is_some_and(|first| first == key),
            _ => false,
        });
        wrongs.extend(located.map(|(at, _)| Wrong::at(at, is_taken_in_body(key))));
    }
    wrongs
}

fn is_taken_in_body(name: &str) -> String {
    format!("the field `{name}` of the body is what `auth` of the source signs in by")
}

fn is_taken(name: &str) -> String {
    format!("the query parameter `{name}` is what `auth` of the source signs in by")
}
