//! Arguments as the package's functions give them.

use std::time::Duration;

use circulate_core::error::{Error, ErrorKind, Result};
use jiff::Timestamp;
use pyo3::prelude::*;
use serde::Deserialize;
use tokio::time::Instant;

use crate::errors::to_python;

/// Arguments as Python gives them. An error leaves out its place in our JSON, which nobody has seen.
pub(crate) fn from_json<T: for<'de> Deserialize<'de>>(py: Python<'_>, text: &str) -> PyResult<T> {
    let given = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text));
    given.map_err(|error| {
        let which = argument(&error.path().to_string());
        let reason = error.inner().to_string();
        let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
        let message = format!("invalid argument{which}: {}", in_words(reason));
        to_python(py, &Error::new(ErrorKind::Settings, "read arguments", message), None)
    })
}

/// What serde says of a value, without the names of our types.
fn in_words(reason: &str) -> String {
    let parts = ["invalid type: ", "invalid value: ", "unknown variant "];
    let found = parts.into_iter().find_map(|part| reason.strip_prefix(part)?.split_once(", expected "));
    let Some((given, expected)) = found else { return reason.to_owned() };
    let expected = match expected {
        "f64" => "a number",
        "u32" | "u64" | "usize" => "a whole number that is not negative",
        other => other,
    };
    format!("expected {expected}, given {given}")
}

/// The name of an argument, as the functions of the package name it.
fn argument(path: &str) -> String {
    let path = path.strip_prefix("from.").unwrap_or(path);
    let path = path.strip_suffix("_seconds").unwrap_or(path);
    match path {
        "." | "?" => String::new(),
        path => format!(" `{path}`"),
    }
}

/// A length of time as Python gives it.
pub(crate) fn seconds(name: &str, given: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(given).map_err(|_| {
        Error::new(
            ErrorKind::Settings,
            "read settings",
            format!("invalid `{name}`: {given} seconds is not a length of time"),
        )
    })
}

/// A time as Python gives it.
pub(crate) fn time(name: &str, text: Option<String>) -> Result<Option<Timestamp>> {
    let Some(text) = text else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        Error::new(ErrorKind::Settings, "read settings", format!("invalid `{name}`: {text} is not a time"))
            .hint("write it like 2026-01-31T00:00:00Z")
    })
}

/// So many seconds from now.
pub(crate) fn in_seconds(name: &str, given: f64) -> Result<Instant> {
    let wrong = || Error::new(ErrorKind::Settings, "read settings", format!("`{name}` is too far off"));
    Instant::now().checked_add(seconds(name, given.max(0.0))?).ok_or_else(wrong)
}
