//! Definitions as YAML that a person would write: keys in the order of the model, and nothing that goes without saying.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::yaml_node::YamlNode;
use crate::error::{Error, ErrorKind, Result};

/// The text of a file that defines what `model` does, and is read as that again.
pub(super) fn written<T: Serialize + DeserializeOwned + PartialEq>(model: &T) -> Result<String> {
    let wrong = |what: &str| Error::new(ErrorKind::Definition, "write definition", what);
    let json = serde_json::to_string(model)
        .map_err(|error| wrong("cannot write the definition").caused_by(error))?;
    // Read as definitions are, so that its numbers are what theirs are.
    let json: String =
        json.chars().map(|c| if is_printable(c) { c.to_string() } else { escaped(c) }).collect();
    let mut root: YamlNode = serde_saphyr::from_str(&json)
        .map_err(|error| wrong(&format!("cannot write the definition: {}", error.without_snippet())))?;
    root.spell_as_today();
    let is_same =
        |root: &YamlNode| serde_saphyr::from_str::<T>(&root.document()).is_ok_and(|read| read == *model);
    if !is_same(&root) {
        return Err(wrong("the definition holds a text or a number that YAML cannot"));
    }
    for path in root.members().into_iter().rev() {
        root.leave_out_unless_needed(&path, is_same);
    }
    Ok(root.document())
}

/// Lists of what people look for in a file, which stand below each other however short they are.
const SECTIONS: [&str; 3] = ["settings", "list", "columns"];
const WIDTH: usize = 100;
const STEP: usize = 2;

impl YamlNode {
    /// Puts new names for earlier ones, which are what hashes of definitions are made with.
    fn spell_as_today(&mut self) {
        let Some(Self::Map(paginator)) = self.member("list").and_then(|list| list.member("paginator")) else {
            return;
        };
        if let [(name, pointer)] = paginator.as_mut_slice()
            && name == "body_link"
        {
            let pointer = std::mem::replace(pointer, Self::Null);
            *paginator = vec![("next_url".to_owned(), Self::Map(vec![("body".to_owned(), pointer)]))];
        }
    }

    fn member(&mut self, name: &str) -> Option<&mut Self> {
        let Self::Map(members) = self else { return None };
        members.iter_mut().find(|(key, _)| key == name).map(|(_, member)| member)
    }

    /// The places of all members of mappings, what is around one before it. Columns are left out: each of them says something.
    fn members(&self) -> Vec<Vec<usize>> {
        let mut found = Vec::new();
        self.add_members(&mut Vec::new(), &mut found);
        found
    }

    fn add_members(&self, path: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) {
        let inner: Vec<&Self> = match self {
            Self::Map(members) => members.iter().map(|(_, member)| member).collect(),
            Self::List(items) => items.iter().collect(),
            _ => return,
        };
        for (index, node) in inner.into_iter().enumerate() {
            path.push(index);
            if let Self::Map(members) = self {
                found.push(path.clone());
                if path.len() == 1 && members[index].0 == "columns" {
                    path.pop();
                    continue;
                }
            }
            node.add_members(path, found);
            path.pop();
        }
    }

    fn leave_out_unless_needed(&mut self, path: &[usize], is_same: impl Fn(&Self) -> bool) {
        let Some((&last, around)) = path.split_last() else { return };
        let Some(Self::Map(members)) = self.at(around) else { return };
        let member = members.remove(last);
        if !is_same(self)
            && let Some(Self::Map(members)) = self.at(around)
        {
            members.insert(last, member);
        }
    }

    fn at(&mut self, path: &[usize]) -> Option<&mut Self> {
        path.iter().try_fold(self, |node, &index| match node {
            Self::Map(members) => members.get_mut(index).map(|(_, member)| member),
            Self::List(items) => items.get_mut(index),
            _ => None,
        })
    }

    fn document(&self) -> String {
        let Self::Map(members) = self else { return self.in_a_line() + "\n" };
        let mut text = String::new();
        let mut after_block = false;
        for (key, node) in members {
            let mut entry = String::new();
            write_entry(&mut entry, 0, key, node, SECTIONS.contains(&key.as_str()));
            let is_block = entry.lines().count() > 1;
            if !text.is_empty() && (is_block || after_block) {
                text.push('\n');
            }
            text.push_str(&entry);
            after_block = is_block;
        }
        text
    }

    /// It in flow style.
    fn in_a_line(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => scalar(text),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::in_a_line).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Map(members) => {
                let members: Vec<_> = members
                    .iter()
                    .map(|(key, node)| format!("{}: {}", scalar(key), node.in_a_line()))
                    .collect();
                format!("{{{}}}", members.join(", "))
            }
        }
    }

    /// Whether it may stand in one line, as far as its length allows.
    fn is_flat(&self) -> bool {
        match self {
            Self::Text(text) => !is_literal(text),
            Self::List(items) => items.iter().all(|item| item.is_flat() && !matches!(item, Self::Map(_))),
            Self::Map(members) => members.iter().all(|(_, member)| member.is_flat()),
            _ => true,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::List(items) => items.is_empty(),
            Self::Map(members) => members.is_empty(),
            _ => false,
        }
    }
}

fn write_entry(text: &mut String, indent: usize, key: &str, node: &YamlNode, is_section: bool) {
    let start = format!("{:indent$}{}:", "", scalar(key));
    let line = format!("{start} {}\n", node.in_a_line());
    let is_short = node.is_flat() && line.chars().count() <= WIDTH;
    match node {
        YamlNode::Text(held) if is_literal(held) => write_literal(text, &start, indent, held),
        YamlNode::Map(members) if is_section && !node.is_empty() || !is_short => {
            text.push_str(&start);
            text.push('\n');
            write_members(text, indent + STEP, members);
        }
        YamlNode::List(items) if !is_short => {
            text.push_str(&start);
            text.push('\n');
            write_items(text, indent + STEP, items);
        }
        _ => text.push_str(&line),
    }
}

fn write_members(text: &mut String, indent: usize, members: &[(String, YamlNode)]) {
    for (key, node) in members {
        write_entry(text, indent, key, node, false);
    }
}

fn write_items(text: &mut String, indent: usize, items: &[YamlNode]) {
    let start = format!("{:indent$}-", "");
    for item in items {
        let line = format!("{start} {}\n", item.in_a_line());
        let is_short = item.is_flat() && line.chars().count() <= WIDTH;
        let mut inner = String::new();
        match item {
            YamlNode::Text(held) if is_literal(held) => {
                write_literal(text, &start, indent, held);
                continue;
            }
            // A name and what it takes.
            YamlNode::Map(members) if !is_short || matches!(members.as_slice(), [(_, YamlNode::Map(_))]) => {
                write_members(&mut inner, indent + STEP, members);
            }
            YamlNode::List(items) if !is_short => write_items(&mut inner, indent + STEP, items),
            _ => inner = line,
        }
        text.push_str(&start);
        text.push_str(&inner[start.len()..]);
    }
}

/// Text of several lines as it is.
fn write_literal(text: &mut String, start: &str, indent: usize, held: &str) {
    let (mark, lines) = held.strip_suffix('\n').map_or(("|-", held), |lines| ("|", lines));
    text.push_str(&[start, " ", mark, "\n"].concat());
    for line in lines.split('\n') {
        let indent = if line.is_empty() { 0 } else { indent + STEP };
        text.push_str(&[&" ".repeat(indent), line, "\n"].concat());
    }
}

/// Whether a text has lines that can stand as they are: none of spaces alone, and the first one says how far they are indented.
fn is_literal(text: &str) -> bool {
    let lines: Vec<_> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
    lines.len() > 1
        && lines.first().zip(lines.last()).is_some_and(|(first, last)| !first.is_empty() && !last.is_empty())
        && !lines[0].starts_with([' ', '\t'])
        && lines.iter().all(|line| line.chars().all(is_printable))
        && lines.iter().all(|line| line.is_empty() || !line.trim().is_empty())
}

/// A text or a key, quoted unless nothing could take it for something else.
fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// Words that some version of YAML takes for something else than text.
const WORDS: [&str; 11] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "inf", "nan"];

fn is_plain(text: &str) -> bool {
    let starts_like_text = text.starts_with(|c: char| c.is_alphabetic() || c == '/' || c == '_');
    (starts_like_text || is_amount(text))
        && text.chars().all(|c| c.is_alphanumeric() || " /_-.:+*@%&=~()$';".contains(c))
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && !WORDS.contains(&text.to_lowercase().as_str())
}

/// A length of time or a rate, such as `1h 30m` and `600/min`.
fn is_amount(text: &str) -> bool {
    text.split([' ', '/']).all(|word| {
        let unit = word.trim_start_matches(|c: char| c.is_ascii_digit());
        matches!(unit, "ms" | "s" | "m" | "min" | "h" | "d") || (text.contains('/') && unit.is_empty())
    }) && text.starts_with(|c: char| c.is_ascii_digit())
}

fn is_printable(c: char) -> bool {
    c == '\t'
        || !(c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}'))
}

fn escaped(c: char) -> String {
    format!("\\u{:04X}", u32::from(c))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if is_printable(c) => quoted.push(c),
            c => quoted.push_str(&escaped(c)),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
#[path = "tests/written.rs"]
mod tests;
