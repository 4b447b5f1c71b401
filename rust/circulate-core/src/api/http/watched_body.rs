//! Members of a page that say that it is an error: where they are looked for on the one pass through it, and the JSON that they
//! make.

use serde_json::{Map, Value};

use super::error_body;
use crate::catalog::Pointer;

/// What is watched to know the values at `pointers`, each once. Only members of objects can be: of a pointer into a list it is
/// the whole list.
pub(super) fn watched<'p>(pointers: impl Iterator<Item = &'p Pointer>) -> Vec<Pointer> {
    let mut found: Vec<Pointer> = Vec::new();
    for pointer in pointers {
        let is_item =
            |segment: &String| segment.bytes().all(|byte| byte.is_ascii_digit()) && !segment.is_empty();
        let members: Vec<_> =
            pointer.segments().iter().take_while(|segment| !is_item(segment)).cloned().collect();
        let watched = Pointer::of(members);
        if !watched.segments().is_empty() && !found.contains(&watched) {
            found.push(watched);
        }
    }
    // Outer members first, so that inner ones have a place.
    found.sort_by_key(|pointer| pointer.segments().len());
    found
}

/// The document that has `found` at `pointers`, and nothing else.
pub(super) fn body_of(pointers: &[Pointer], found: &[Option<Vec<u8>>]) -> Value {
    let mut body = Value::Object(Map::new());
    for (pointer, text) in pointers.iter().zip(found) {
        let Some(text) = text else { continue };
        let member = pointer.segments().iter().try_fold(&mut body, |outer, segment| {
            Some(outer.as_object_mut()?.entry(segment).or_insert_with(|| Value::Object(Map::new())))
        });
        if let Some(member) = member {
            *member = value_of(text);
        }
    }
    body
}

/// What is too long to be kept whole is there, and equals nothing.
fn value_of(text: &[u8]) -> Value {
    match error_body::parse(text) {
        Value::Null if text != b"null" => Value::Array(vec![Value::Null]),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(strings: &[&str]) -> Vec<Pointer> {
        strings.iter().map(|text| Pointer::try_from((*text).to_owned()).unwrap()).collect()
    }

    #[test]
    fn members_are_watched_once_and_make_the_document_they_are_of() {
        let given = pointers(&["/error/code", "/ok", "/errors/0/code", "/errors/1/code", "/error", "/0"]);
        let watched = watched(given.iter());
        assert_eq!(watched, pointers(&["/ok", "/errors", "/error", "/error/code"]));
        let text = |text: &str| Some(text.as_bytes().to_vec());
        let found =
            [text("false"), text(r#"[{"code": 7}]"#), text(r#"{"code": "a", "n": 1}"#), text(r#""a""#)];
        let body = body_of(&watched, &found);
        assert_eq!(
            body,
            serde_json::json!({"ok": false, "errors": [{"code": 7}], "error": {"code": "a", "n": 1}})
        );
        assert_eq!(body.pointer("/errors/0/code"), Some(&7.into()));
        assert_eq!(body_of(&watched, &[]), serde_json::json!({}));
    }

    #[test]
    fn what_can_not_be_parsed_is_there_all_the_same() {
        let watched = pointers(&["/a", "/b", "/c", "/c/d"]);
        let text = |text: &str| Some(text.as_bytes().to_vec());
        let body = body_of(&watched, &[text(r#"[{"cut": "#), text("null"), text(r#""\ud800""#), text("1")]);
        assert_eq!(body, serde_json::json!({"a": [null], "b": null, "c": "\\ud800"}));
    }
}
