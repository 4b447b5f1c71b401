//! The JSON formats: slices of pages, put one after the other as they were received.

use super::encoder::Encoder;

/// One array: `[record,record]`.
#[derive(Debug, Default)]
pub struct JsonArray {
    buffer: Vec<u8>,
}

impl Encoder for JsonArray {
    fn size_with(&self, length: usize) -> usize {
        // An open array ends where its last record does; the separator or opening bracket and the closing one follow.
        self.buffer.len() + 1 + length + 1
    }

    fn write(&mut self, record: &[u8]) {
        self.buffer.push(if self.buffer.is_empty() { b'[' } else { b',' });
        self.buffer.extend_from_slice(record);
    }

    fn finish(&mut self) -> Vec<u8> {
        if self.buffer.is_empty() {
            self.buffer.push(b'[');
        }
        self.buffer.push(b']');
        std::mem::take(&mut self.buffer)
    }
}

/// One record per line. Line breaks between the tokens of a record become spaces; inside a token there are none,
/// since JSON strings may not hold them raw.
#[derive(Debug, Default)]
pub struct Ndjson {
    buffer: Vec<u8>,
}

impl Encoder for Ndjson {
    fn size_with(&self, length: usize) -> usize {
        self.buffer.len() + length + 1
    }

    fn write(&mut self, record: &[u8]) {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(record);
        for byte in &mut self.buffer[start..] {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
        self.buffer.push(b'\n');
    }

    fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_the_records_and_nothing_else() {
        let mut array = JsonArray::default();
        array.write(br#"{"a": 1.0}"#);
        array.write(b"{}");
        assert_eq!(array.finish(), br#"[{"a": 1.0},{}]"#);
        assert_eq!(array.finish(), b"[]");
    }

    #[test]
    fn ndjson_changes_line_breaks_and_nothing_else() {
        let mut lines = Ndjson::default();
        lines.write(b"{\r\n  \"a\": \"b\\n\"\n}");
        lines.write(b"{}");
        assert_eq!(lines.finish(), b"{    \"a\": \"b\\n\" }\n{}\n");
    }
}
