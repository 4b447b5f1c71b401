//! What a page holds around its records, as a list of members: where hints stand that a list goes on.

use http::HeaderMap;

/// A value around the records that is not a container with something in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EnvelopeMember {
    /// Keys from the outermost in; an element of a list has its number. Of a header, its name is the outermost.
    pub(crate) path: Vec<String>,
    /// It stands in a header.
    pub(crate) in_header: bool,
    /// It stands in a list.
    pub(crate) in_list: bool,
    /// Its value.
    pub(crate) value: Scalar,
}

/// A value without values inside.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
    /// `{}` or `[]`.
    Empty,
}

impl Scalar {
    /// Null, empty, 0 or false: what stands for nothing.
    pub(crate) fn is_nothing(&self) -> bool {
        match self {
            Self::Null | Self::Empty => true,
            Self::Bool(value) => !value,
            Self::Number(text) => text.parse::<f64>().is_ok_and(|number| number == 0.0),
            Self::Text(text) => matches!(text.trim(), "" | "0" | "false" | "null"),
        }
    }

    /// Yes or no, as a flag says it.
    pub(crate) fn as_flag(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// A whole number that is not negative, also one that is written as a string.
    pub(crate) fn as_count(&self) -> Option<u64> {
        match self {
            Self::Number(text) | Self::Text(text) => {
                let text = text.trim();
                text.strip_suffix(".0").unwrap_or(text).parse().ok()
            }
            _ => None,
        }
    }
}

impl EnvelopeMember {
    /// Its place as a JSON Pointer (RFC 6901).
    pub(crate) fn pointer(&self) -> String {
        self.path.iter().flat_map(|key| ["/".to_owned(), key.replace('~', "~0").replace('/', "~1")]).collect()
    }

    /// The innermost key.
    pub(crate) fn key(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }
}

/// The members of a JSON document, in order. Where it is not JSON, which the splitter lets no page be, they end.
pub(crate) fn members(document: &[u8]) -> Vec<EnvelopeMember> {
    let mut walk = Walk { text: document, at: 0, path: Vec::new(), lists: 0, members: Vec::new() };
    let _ = walk.value();
    walk.members
}

/// The members of headers that hold a JSON object, such as `X-Pagination`.
pub(crate) fn members_of(headers: &HeaderMap) -> Vec<EnvelopeMember> {
    let objects = headers.iter().filter(|(_, value)| value.as_bytes().trim_ascii_start().starts_with(b"{"));
    objects
        .flat_map(|(name, value)| {
            members(value.as_bytes().trim_ascii()).into_iter().map(|mut member| {
                member.path.insert(0, name.to_string());
                EnvelopeMember { in_header: true, ..member }
            })
        })
        .collect()
}

/// Hints stand at the top or close to it; further down, and behind so many members, nobody looks for them.
const DEEPEST: usize = 8;
const MAX_MEMBERS: usize = 20_000;

struct Walk<'d> {
    text: &'d [u8],
    at: usize,
    path: Vec<String>,
    /// Lists around the value to come.
    lists: usize,
    members: Vec<EnvelopeMember>,
}

impl Walk<'_> {
    fn value(&mut self) -> Option<()> {
        let value = match self.peek()? {
            b'{' => return self.container(b'}', true),
            b'[' => return self.container(b']', false),
            b'"' => Scalar::Text(self.string()?),
            _ => match self.word() {
                "null" => Scalar::Null,
                "true" => Scalar::Bool(true),
                "false" => Scalar::Bool(false),
                number if number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                    Scalar::Number(number.to_owned())
                }
                _ => return None,
            },
        };
        self.note(value);
        Some(())
    }

    /// Elements up to the byte `end`, each after its key if they have keys.
    fn container(&mut self, end: u8, keys: bool) -> Option<()> {
        self.at += 1;
        if self.peek()? == end {
            self.at += 1;
            self.note(Scalar::Empty);
            return Some(());
        }
        self.lists += usize::from(!keys);
        for number in 0.. {
            let key = if keys { self.key()? } else { number.to_string() };
            self.path.push(key);
            self.value()?;
            self.path.pop();
            let next = self.peek()?;
            self.at += 1;
            match next {
                b',' => {}
                next if next == end => break,
                _ => return None,
            }
        }
        self.lists -= usize::from(!keys);
        Some(())
    }

    fn key(&mut self) -> Option<String> {
        self.peek().filter(|byte| *byte == b'"')?;
        let key = self.string()?;
        self.peek().filter(|byte| *byte == b':')?;
        self.at += 1;
        Some(key)
    }

    fn note(&mut self, value: Scalar) {
        if self.path.len() > DEEPEST || self.members.len() == MAX_MEMBERS {
            return;
        }
        self.members.push(EnvelopeMember {
            path: self.path.clone(),
            in_header: false,
            in_list: self.lists > 0,
            value,
        });
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        self.at += self.text.get(self.at..)?.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.text.get(self.at).copied()
    }

    /// The string that begins here. What no Rust string can hold (a lone surrogate) leaves it as it is written.
    fn string(&mut self) -> Option<String> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.text.get(self.at)? {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let quoted = self.text.get(start..self.at)?;
        let as_written = || String::from_utf8_lossy(&quoted[1..quoted.len() - 1]).into_owned();
        Some(serde_json::from_slice(quoted).unwrap_or_else(|_| as_written()))
    }

    fn word(&mut self) -> &str {
        let start = self.at;
        let ends = |byte: &&u8| !matches!(byte, b',' | b'}' | b']') && !byte.is_ascii_whitespace();
        self.at += self.text[start..].iter().take_while(ends).count();
        std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(document: &str) -> Vec<(String, Scalar)> {
        members(document.as_bytes()).into_iter().map(|member| (member.pointer(), member.value)).collect()
    }

    #[test]
    fn members_are_found_at_every_depth() {
        let found = shown(r#" {"a": {"b/c": "x\"y", "n": -1.5e3}, "l": [true, {"r": null}, []], "e": {} } "#);
        let text = |text: &str| Scalar::Text(text.to_owned());
        let expected = [
            ("/a/b~1c", text("x\"y")),
            ("/a/n", Scalar::Number("-1.5e3".to_owned())),
            ("/l/0", Scalar::Bool(true)),
            ("/l/1/r", Scalar::Null),
            ("/l/2", Scalar::Empty),
            ("/e", Scalar::Empty),
        ];
        assert_eq!(found, expected.map(|(pointer, value)| (pointer.to_owned(), value)));
    }

    #[test]
    fn a_string_that_no_text_can_hold_is_a_member_all_the_same() {
        assert_eq!(
            shown(r#"{"x":"\ud800","next":"u"}"#),
            [
                ("/x".to_owned(), Scalar::Text(r"\ud800".to_owned())),
                ("/next".to_owned(), Scalar::Text("u".to_owned()))
            ]
        );
    }

    proptest! {
        #[test]
        fn anything_is_walked_without_panic(document in "[\\[\\]{}\",:\\\\a0 ]{0,40}") {
            members(document.as_bytes());
        }
    }
}
