//! The JSON of an error response, read as far as it can be: what is wrong with it must not hide what it says.

use serde_json::Value;

use crate::redact::text_of;

/// The body as JSON; null if it is none. Bytes that are not UTF-8, and halves of surrogate pairs, are read as their escapes.
pub(crate) fn parse(body: &[u8]) -> Value {
    let body = without_mark(body);
    serde_json::from_slice(body)
        .or_else(|_| serde_json::from_str(&repaired(&text_of(body))))
        .unwrap_or_default()
}

/// Whether a value that was read so holds half of a surrogate pair: what was received is not what would be sent.
pub(crate) fn has_half_a_character(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            let halves = text.match_indices("\\u").filter_map(|(at, _)| unit(&text[at..]));
            halves.into_iter().any(|unit| (0xd800..0xe000).contains(&unit))
        }
        Value::Array(items) => items.iter().any(has_half_a_character),
        Value::Object(members) => members.values().any(has_half_a_character),
        _ => false,
    }
}

/// JSON without the byte order mark before it, which does not belong to the text (RFC 8259, section 8.1).
pub(crate) fn without_mark(json: &[u8]) -> &[u8] {
    json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json)
}

/// The text with another backslash before what JSON in Rust knows no text for.
fn repaired(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let escape = &rest[at..];
        let length = match unit(escape) {
            Some(0xd800..0xdc00)
                if matches!(unit(escape.get(6..).unwrap_or_default()), Some(0xdc00..0xe000)) =>
            {
                12
            }
            Some(0xd800..0xe000) => 1,
            // Ours, for a byte that is not UTF-8.
            None if escape.starts_with("\\x") => 1,
            _ => escape.char_indices().nth(2).map_or(escape.len(), |(end, _)| end),
        };
        text.push_str(&rest[..at]);
        if length == 1 {
            text.push('\\');
        }
        text.push_str(&escape[..length]);
        rest = &escape[length..];
    }
    text.push_str(rest);
    text
}

/// The code unit of an escape such as `\ud83d`, if one begins here.
fn unit(escape: &str) -> Option<u32> {
    u32::from_str_radix(escape.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_has_no_text_is_read_as_its_escape() {
        for (body, text) in [
            (&br#"{"m":"a\ud800b"}"#[..], r"a\ud800b"),
            (b"\xef\xbb\xbf{\"m\":\"marked\"}", "marked"),
            (br#"{"m":"\ud83d\ude00 \udc00"}"#, "\u{1f600} \\udc00"),
            (b"{\"m\":\"a\xffb\"}", r"a\xffb"),
            (br#"{"m":"\\ud800 \n"}"#, "\\ud800 \n"),
        ] {
            assert_eq!(parse(body)["m"], text, "{}", String::from_utf8_lossy(body));
        }
        assert_eq!(parse(b"<html>"), Value::Null);
    }

    proptest! {
        #[test]
        fn json_is_read_as_it_is_and_nothing_panics(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            let body = serde_json::json!({ "m": text }).to_string();
            prop_assert_eq!(&parse(body.as_bytes())["m"], &text);
            parse(&[br#"{"m":"\ud8"#.as_slice(), &bytes, br#""}"#].concat());
        }
    }
}
