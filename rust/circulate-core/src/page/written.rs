//! Records as they are written: as received, with what stands around them and belongs to them as one more member in front.

/// Writes an object with one more member in front, `_circulate`, whose own members are `marks` and their JSON. Everything else
/// stays as it is.
pub(super) fn write_marked<'m>(
    marks: impl IntoIterator<Item = (&'m str, &'m [u8])>,
    record: &[u8],
    written: &mut Vec<u8>,
) {
    written.clear();
    written.extend_from_slice(br#"{"_circulate":"#);
    for (number, (name, json)) in marks.into_iter().enumerate() {
        let before: &[u8] = if number == 0 { b"{\"" } else { b",\"" };
        for part in [before, name.as_bytes(), b"\":", json] {
            written.extend_from_slice(part);
        }
    }
    written.push(b'}');
    let members = record.get(1..).unwrap_or_default();
    if members.trim_ascii_start().first() != Some(&b'}') {
        written.push(b',');
    }
    written.extend_from_slice(members);
}

/// Writes a scalar as a record.
pub(super) fn write_scalar(scalar: &[u8], written: &mut Vec<u8>) {
    written.clear();
    for part in [br#"{"value":"#, scalar, b"}"] {
        written.extend_from_slice(part);
    }
}

/// The key and the value of a member of an object, which are valid JSON.
pub(super) fn key_and_value(member: &[u8]) -> (&[u8], &[u8]) {
    let mut escaped = false;
    let closes = |byte: &u8| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    };
    let text = member.get(1..).unwrap_or_default();
    let length = text.iter().position(closes).map_or(member.len(), |at| at + 2);
    let (key, rest) = member.split_at(length);
    let value = rest.iter().position(|byte| *byte == b'{').unwrap_or(rest.len());
    (key, &rest[value..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_ends_where_its_string_does() {
        for (member, key, value) in [
            (r#""a":{}"#, r#""a""#, "{}"),
            (r#""a\"{:}\\" : {"b":1}"#, r#""a\"{:}\\""#, r#"{"b":1}"#),
            (r#"""   :	{ }"#, r#""""#, "{ }"),
        ] {
            assert_eq!(key_and_value(member.as_bytes()), (key.as_bytes(), value.as_bytes()));
        }
    }
}
