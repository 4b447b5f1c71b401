//! Documents of an API, read so that what is compared and sent back is what was received, or is known not to be.

use serde_json::{Map, Value};

use crate::api::http::{has_half_a_character, parse_leniently};
use crate::error::{Error, ErrorKind, Result};

/// Begins a text in the place of a number that no value holds as it was written. No API can have sent it.
const INEXACT: &str = "\u{fffe}number ";

/// Reads a document. Halves of characters, and numbers that would be rounded, are read as texts that stand for them.
pub(super) fn read_document(text: &[u8]) -> Result<Value> {
    let marked = String::from_utf8_lossy(text);
    let value = parse_leniently(with_marked_numbers(&marked).as_bytes());
    if value.is_null() && !matches!(marked.trim(), "" | "null") {
        let error = serde_json::from_slice::<Value>(text)
            .err()
            .map_or_else(String::new, |error| format!(": {error}"));
        return Err(Error::new(ErrorKind::Data, "read response", format!("the response is not JSON{error}")));
    }
    Ok(value)
}

/// Reads the parameters of a call, which are sent as they were given, or not at all.
pub fn read_parameters(text: &str) -> Result<Map<String, Value>> {
    let parameters: Map<String, Value> =
        serde_json::from_str(&with_marked_numbers(text)).map_err(|error| {
            Error::new(ErrorKind::Settings, "read parameters", "the parameters are not a JSON object")
                .caused_by(error)
        })?;
    let mut mistakes = Vec::new();
    for (name, value) in &parameters {
        rounded(name, value, &mut mistakes);
    }
    if mistakes.is_empty() {
        return Ok(parameters);
    }
    Err(Error::new(ErrorKind::Settings, "read parameters", mistakes.join("; ")))
}

/// Notes the numbers that would be rounded.
fn rounded(name: &str, value: &Value, mistakes: &mut Vec<String>) {
    match value {
        Value::String(text) => mistakes.extend(
            text.strip_prefix(INEXACT)
                .map(|number| format!("invalid `{name}`: {number} would be rounded, which a text is not")),
        ),
        Value::Array(items) => items.iter().for_each(|item| rounded(name, item, mistakes)),
        Value::Object(members) => members.values().for_each(|member| rounded(name, member, mistakes)),
        _ => {}
    }
}

/// Whether a value could be sent as it was received.
pub(super) fn is_exact(value: &Value) -> bool {
    let is_marked = |text: &str| text.starts_with(INEXACT) || text.contains('\u{fffd}');
    match value {
        Value::String(text) => !is_marked(text) && !has_half_a_character(value),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        _ => true,
    }
}

/// The text, with each number that would be rounded as a text.
fn with_marked_numbers(json: &str) -> String {
    let mut marked = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        marked.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = if rest.starts_with('"') { end_of_string(rest) } else { end_of_number(rest) };
        let token = &rest[..end];
        if token.starts_with('"') || is_kept(token) {
            marked.push_str(token);
        } else {
            marked.push('"');
            marked.push_str(INEXACT);
            marked.push_str(token);
            marked.push('"');
        }
        rest = &rest[end..];
    }
    marked.push_str(rest);
    marked
}

fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn end_of_number(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E')))
        .unwrap_or(text.len())
}

/// Whether a number is the same once it was read: 64 bits hold it, and it has the digits that are written then.
fn is_kept(number: &str) -> bool {
    if !number.contains(['.', 'e', 'E']) {
        return number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    }
    let digits = |number: &str| -> String {
        let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        digits.trim_matches('0').to_owned()
    };
    number.parse::<f64>().is_ok_and(|read| read.is_finite() && digits(&format!("{read:e}")) == digits(number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_held_is_known_and_never_taken_for_nothing() {
        let text = br#"{"a": 1e999, "b": 12345678901234567890123, "c": 0.1234567890123456789, "d": "\ud800", "e": "1e999 \" 5", "f": 1.5}"#;
        let value = read_document(text).unwrap();
        assert_eq!(value["f"], json!(1.5));
        assert_eq!(value["e"], json!("1e999 \" 5"));
        for member in ["a", "b", "c", "d"] {
            assert!(!is_exact(&value[member]), "{member}");
        }
        assert!(is_exact(&value["e"]) && is_exact(&value["f"]));
        for number in ["0.30000000000000004", "123456789.12345679", "-1.50", "8.891555806188042e+259", "0.0"]
        {
            let value = read_document(number.as_bytes()).unwrap();
            assert!(value.is_number() && value.as_f64() == number.parse().ok(), "{number}: {value}");
        }
        assert_eq!(read_document(b"").unwrap(), Value::Null);
        for wrong in [&b"{"[..], b"<html>", b"nul", b"{} x"] {
            assert!(read_document(wrong).is_err());
        }
    }

    proptest! {
        #[test]
        fn what_can_be_held_is_read_as_it_is(text in "\\PC*", number in any::<i64>(), ratio in -1e9..1e9f64) {
            let ratio = (ratio * 1000.0).round() / 1000.0;
            let value = json!({"t": text, "n": [number, ratio], "o": {"x": null, "y": true}});
            let read = read_document(value.to_string().as_bytes()).unwrap();
            prop_assert_eq!(&read, &value);
        }
    }
}
