//! Keys as JSON and JSON Pointer (RFC 6901) write them.

/// A text as a JSON string, with its quotes.
pub(crate) fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A key as a segment of a JSON Pointer (RFC 6901).
fn pointer_segment(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// That segment as it is written within a JSON string.
pub(crate) fn segment(name: &str) -> Vec<u8> {
    let quoted = json_text(&pointer_segment(name)).into_bytes();
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_vec()
}

/// The segment of a key that has no text: it stays as it was written.
pub(crate) fn raw_segment(raw: &[u8]) -> Vec<u8> {
    let slashes = String::from_utf8_lossy(raw).replace("\\/", "/");
    pointer_segment(&slashes).into_bytes()
}

/// The path of a member, for people.
pub(crate) fn path(above: &str, name: &str) -> String {
    format!("{above}{}", pointer_segment(name))
}
