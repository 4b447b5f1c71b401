//! A position in JSON text that moves on token by token. The splitter has validated the text; what is broken all the same
//! stops the conversion and never panics.

use crate::error::{Error, ErrorKind};

/// Why a record is not converted to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConversionError {
    /// It is not JSON at this byte.
    NotJson(usize),
    /// An object has a key twice: the record must be converted with care.
    Repeated,
    /// A column would hold more than its offsets can count.
    TooLarge,
    /// The record would take far more memory as columns than as text: it is to be kept as one.
    TooWide,
}

impl ConversionError {
    /// The error for people.
    pub(crate) fn into_error(self) -> Error {
        let failed = |kind, message: &str| Error::new(kind, "convert records", message);
        match self {
            Self::NotJson(at) => failed(ErrorKind::Data, "the records are not valid JSON").with("byte", at),
            Self::Repeated => failed(ErrorKind::Data, "a record repeats a key"),
            Self::TooWide => failed(ErrorKind::Limit, "a record takes too much memory as columns"),
            Self::TooLarge => failed(ErrorKind::Limit, "a column of the batch exceeds 2 GB")
                .hint("convert fewer records at a time"),
        }
    }
}

/// A position in JSON text.
#[derive(Debug, Clone)]
pub(crate) struct JsonReader<'j> {
    text: &'j [u8],
    at: usize,
}

/// What stands between the quotes of a string.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quoted<'j> {
    pub(crate) raw: &'j [u8],
    pub(crate) escaped: bool,
}

impl<'j> JsonReader<'j> {
    pub(crate) fn new(text: &'j [u8]) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn move_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The text from `start` up to here.
    pub(crate) fn since(&self, start: usize) -> &'j [u8] {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Goes to the next token and returns its first byte.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<u8, ConversionError> {
        while let Some(byte) = self.text.get(self.at) {
            if *byte > b' ' {
                return Ok(*byte);
            }
            self.at += 1;
        }
        Err(self.broken())
    }

    /// Whether nothing but white space follows.
    pub(crate) fn at_end(&mut self) -> bool {
        self.peek().is_err()
    }

    /// Takes `byte` if it is the next token.
    #[inline]
    pub(crate) fn take(&mut self, byte: u8) -> Result<bool, ConversionError> {
        let found = self.peek()? == byte;
        self.at += usize::from(found);
        Ok(found)
    }

    #[inline]
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), ConversionError> {
        if self.take(byte)? { Ok(()) } else { Err(self.broken()) }
    }

    /// After a member or an element: whether another one follows; `end` closes the container.
    #[inline]
    pub(crate) fn another(&mut self, end: u8) -> Result<bool, ConversionError> {
        match self.peek()? {
            b',' => {
                self.at += 1;
                Ok(true)
            }
            byte if byte == end => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.broken()),
        }
    }

    /// Takes `bytes` if they come next.
    #[inline]
    pub(crate) fn take_bytes(&mut self, bytes: &[u8]) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        // The first eight mostly decide, and to look at them is quicker than to call what compares any number.
        let found = match (rest.split_first_chunk::<8>(), bytes.split_first_chunk::<8>()) {
            (Some((there, rest)), Some((expected, bytes))) => there == expected && rest.starts_with(bytes),
            _ => rest.starts_with(bytes),
        };
        self.at += if found { bytes.len() } else { 0 };
        found
    }

    /// A string, up to and with its closing quote.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Quoted<'j>, ConversionError> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at = next_special(self.text, self.at);
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    let raw = self.text.get(start..self.at - 1).unwrap_or_default();
                    return Ok(Quoted { raw, escaped });
                }
                Some(_) => {
                    escaped = true;
                    self.at += 2;
                }
                None => return Err(self.broken()),
            }
        }
    }

    /// A key and the colon after it.
    pub(crate) fn key(&mut self) -> Result<Quoted<'j>, ConversionError> {
        let key = self.string()?;
        self.expect(b':')?;
        Ok(key)
    }

    /// A number, `true`, `false` or `null`.
    #[inline]
    pub(crate) fn scalar(&mut self) -> Result<&'j [u8], ConversionError> {
        self.peek()?;
        let start = self.at;
        let ends =
            |byte: &u8| matches!(byte, b',' | b']' | b'}' | b':' | b'"' | b'[' | b'{') || *byte <= b' ';
        let rest = self.text.get(start..).unwrap_or_default();
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
        if self.at == start { Err(self.broken()) } else { Ok(self.since(start)) }
    }

    /// Takes the literal `word`.
    pub(crate) fn literal(&mut self, word: &[u8]) -> Result<(), ConversionError> {
        if self.scalar()? == word { Ok(()) } else { Err(self.broken()) }
    }

    /// Passes over a value, whatever it holds, and gives its bytes.
    pub(crate) fn skip(&mut self) -> Result<&'j [u8], ConversionError> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => drop(self.string()?),
            b'{' | b'[' => self.skip_container()?,
            _ => drop(self.scalar()?),
        }
        Ok(self.since(start))
    }

    /// Counts brackets instead of calling itself: containers may be a thousand deep.
    fn skip_container(&mut self) -> Result<(), ConversionError> {
        let mut depth = 0_usize;
        loop {
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(_) => {}
                None => return Err(self.broken()),
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }

    pub(crate) fn broken(&self) -> ConversionError {
        ConversionError::NotJson(self.at)
    }
}

/// Where the next quote or backslash stands, or the end of the text. Eight bytes at a time.
#[inline]
fn next_special(text: &[u8], from: usize) -> usize {
    const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
    const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);
    let mut at = from;
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let found = zero_bytes(word ^ QUOTES) | zero_bytes(word ^ BACKSLASHES);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len())
}

/// The high bit of each byte that is zero; above the lowest such byte others may be set too.
#[inline]
fn zero_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

/// Appends the text of a string with escapes; `false`, and nothing appended, if a lone surrogate has none in UTF-8.
pub(crate) fn unescape(raw: &[u8], text: &mut Vec<u8>) -> bool {
    let before = text.len();
    let mut rest = raw;
    while let Some(start) = rest.iter().position(|byte| *byte == b'\\') {
        text.extend_from_slice(&rest[..start]);
        let Some((letter, used)) = escape(&rest[start..]) else {
            text.truncate(before);
            return false;
        };
        text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[start + used..];
    }
    text.extend_from_slice(rest);
    true
}

/// The letter of the escape that `rest` begins with, and how long that is.
fn escape(rest: &[u8]) -> Option<(char, usize)> {
    let letter = match rest.get(1)? {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape(rest),
        other => char::from(*other),
    };
    Some((letter, 2))
}

fn unicode_escape(rest: &[u8]) -> Option<(char, usize)> {
    let unit = |from: usize| {
        let marked = rest.get(from..from + 2) == Some(b"\\u");
        let digits = std::str::from_utf8(rest.get(from + 2..from + 6)?).ok()?;
        u32::from_str_radix(digits, 16).ok().filter(|_| marked)
    };
    let first = unit(0)?;
    if !(0xD800..0xDC00).contains(&first) {
        return Some((char::from_u32(first)?, 6));
    }
    let second = unit(6).filter(|second| (0xDC00..0xE000).contains(second))?;
    Some((char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))?, 12))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unescaped(raw: &str) -> Option<String> {
        let mut text = b"before".to_vec();
        let fits = unescape(raw.as_bytes(), &mut text);
        assert!(fits || text == b"before");
        fits.then(|| String::from_utf8(text).unwrap()["before".len()..].to_owned())
    }

    #[test]
    fn a_lone_surrogate_has_no_text() {
        for raw in [r"\ud800", r"\udc00 tail", r"\ude00\ud83d", r"\ud800x", r"\ud800\u0041"] {
            assert_eq!(unescaped(raw), None, "{raw}");
        }
        assert_eq!(unescaped(r"\ud83d\ude00 \u00e9\/").as_deref(), Some("😀 é/"));
    }

    #[test]
    fn containers_a_thousand_deep_are_passed_over() {
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000), b" ,".to_vec()].concat();
        let mut cursor = JsonReader::new(&deep);
        assert_eq!(cursor.skip().unwrap().len(), 200_000);
        assert_eq!(cursor.peek(), Ok(b','));
    }

    proptest! {
        #[test]
        fn what_is_cut_off_is_an_error_and_never_panics(text in "\\PC*", cut in any::<proptest::sample::Index>()) {
            let json = serde_json::json!({"a": text, "b": [1, {"c": text}]}).to_string();
            let cut = cut.index(json.len());
            prop_assert!(JsonReader::new(&json.as_bytes()[..cut]).skip().is_err());
            prop_assert_eq!(JsonReader::new(json.as_bytes()).skip(), Ok(json.as_bytes()));
        }

        #[test]
        fn unescaping_gives_the_text_that_was_escaped(text in "\\PC*\\p{C}*") {
            let json = serde_json::to_string(&text).unwrap();
            let quoted = JsonReader::new(json.as_bytes()).string().unwrap();
            prop_assert_eq!(unescaped(std::str::from_utf8(quoted.raw).unwrap()), Some(text));
        }
    }
}
