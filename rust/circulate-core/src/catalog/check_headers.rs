//! What is wrong with headers, query parameters and other places that credentials go into.

use std::collections::BTreeSet;

use http::{HeaderName, HeaderValue};

use super::auth::{Auth, HeaderAuth};
use super::location::RequestLocation;
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
    let taken: BTreeSet<_> = source.auth.iter().filter_map(Auth::query_parameter).collect();
    let in_query = stream.query.keys().map(|name| (format!("list.query.{name}"), name.as_str()));
    let located = stream.locations().into_iter().filter_map(|(at, location)| match location {
        RequestLocation::Query(name) => Some((at.to_owned(), name.as_str())),
        _ => None,
    });
    let wrong = in_query.chain(located).filter(|(_, name)| taken.contains(name));
    wrong.map(|(at, name)| Wrong::at(&at, is_taken(name))).collect()
}

fn is_taken(name: &str) -> String {
    format!("the query parameter `{name}` is what `auth` of the source signs in by")
}
