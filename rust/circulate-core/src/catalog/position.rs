//! Where something stands in a YAML file, and how that is shown.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

/// Where the value at `path` (member names, and numbers of items, from the outermost in) stands in `text`, or the closest there is above it.
pub(super) fn find(text: &str, path: &[String]) -> Option<Location> {
    let mut node: Spanned<Node> = serde_saphyr::from_str(text).ok()?;
    for name in path {
        match node.value.0.remove(name) {
            Some(member) => node = member,
            None => break,
        }
    }
    Some(node.referenced)
}

/// Where the key of the member at `path` stands.
pub(super) fn find_key(text: &str, path: &[String]) -> Option<Location> {
    let (name, around) = path.split_last()?;
    let mut node: Spanned<Node> = serde_saphyr::from_str(text).ok()?;
    for name in around {
        node = node.value.0.remove(name)?;
    }
    node.value.1.get(name).copied()
}

/// The scalar at a location as it is written, if it is one on a line, without quotes.
pub(super) fn plain_scalar(text: &str, at: Location) -> Option<&str> {
    let line = line_at(text, at)?;
    let column = usize::try_from(at.column().checked_sub(1)?).ok()?;
    let rest = line.char_indices().nth(column).map(|(start, _)| &line[start..])?;
    let is_number_or_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-' | '~');
    let end = rest.find(|c: char| !is_number_or_word(c)).unwrap_or(rest.len());
    let ends_there = rest[end..].trim_start();
    // What goes on is a text, which is sent as it is.
    let is_whole = ends_there.is_empty() || ends_there.starts_with([',', ']', '}', '#']);
    is_whole.then_some(&rest[..end])
}

/// Something that is wrong, and where.
pub(super) struct Mistake {
    pub(super) message: String,
    pub(super) at: Option<Location>,
}

/// All of them, in the order in which they stand in the text.
pub(super) fn show_all(mistakes: &[Mistake], file: &Path, text: &str) -> String {
    let position = |mistake: &&Mistake| mistake.at.map(|at| (at.line(), at.column()));
    let mut sorted: Vec<_> = mistakes.iter().collect();
    sorted.sort_by_key(position);
    let mut shown: Vec<_> =
        sorted.into_iter().map(|mistake| show(&mistake.message, file, text, mistake.at)).collect();
    shown.dedup();
    shown.join("\n")
}

/// The path to what stands at a location, or begins last in front of it: a value, or the member whose key it is.
pub(super) fn path_at(text: &str, at: Location) -> Option<Vec<String>> {
    let root: Spanned<Node> = serde_saphyr::from_str(text).ok()?;
    let (mut nearest, mut path) = (None, Vec::new());
    root.value.find_nearest(line_and_column(&at), &mut path, &mut nearest);
    nearest.map(|(_, path)| path)
}

fn line_and_column(location: &Location) -> (u64, u64) {
    (location.line(), location.column())
}

/// A document without some of its parts.
pub(super) struct Rest {
    document: Value,
    text: String,
}

impl Rest {
    /// The whole document, if it is one.
    pub(super) fn of(text: &str) -> Option<Self> {
        let document: Value = serde_saphyr::from_str(text).ok()?;
        Some(Self { text: document.to_string(), document })
    }

    /// The rest as text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Leaves out what stands at a path, and what holds nothing but that; returns whether it did. Of a list nothing is left out:
    /// the numbers of what follows would change.
    pub(super) fn leave_out(&mut self, path: &[String]) -> bool {
        let left_out = leave_out(&mut self.document, path);
        self.text = self.document.to_string();
        left_out
    }
}

fn leave_out(node: &mut Value, path: &[String]) -> bool {
    let Some((name, rest)) = path.split_first() else { return false };
    match node {
        Value::Object(members) if rest.is_empty() => members.remove(name).is_some(),
        Value::Object(members) => {
            let Some(inner) = members.get_mut(name) else { return false };
            let left_out = leave_out(inner, rest);
            if inner.as_object().is_some_and(serde_json::Map::is_empty) {
                members.remove(name);
            }
            left_out
        }
        Value::Array(items) => {
            let inner = name.parse::<usize>().ok().and_then(|number| items.get_mut(number));
            inner.is_some_and(|inner| leave_out(inner, rest))
        }
        _ => false,
    }
}

/// `message` after its location, with the line it is about and a mark under it.
pub(super) fn show(message: &str, file: &Path, text: &str, location: Option<Location>) -> String {
    let file = file.display();
    let Some((location, line)) = location.and_then(|location| Some((location, line_at(text, location)?)))
    else {
        return format!("{file}: {message}");
    };
    let (number, column) = (location.line(), location.column());
    let gutter = " ".repeat(number.to_string().len());
    let indent: String = line.chars().take(usize::try_from(column - 1).unwrap_or(0)).map(blank).collect();
    format!("{file}:{number}:{column}: {message}\n{gutter} |\n{number} | {line}\n{gutter} | {indent}^")
}

/// As wide as the character above it.
fn blank(above: char) -> char {
    if above == '\t' { '\t' } else { ' ' }
}

fn line_at(text: &str, location: Location) -> Option<&str> {
    let index = usize::try_from(location.line().checked_sub(1)?).ok()?;
    text.lines().nth(index).filter(|_| location.column() > 0)
}

/// The members of a mapping, or the items of a list by their number; of anything else none.
#[derive(Debug, Default)]
struct Node(BTreeMap<String, Spanned<Self>>, BTreeMap<String, Location>);

impl Node {
    /// Finds what begins at a location, or last in front of it; of what begins together, the innermost.
    fn find_nearest(&self, at: (u64, u64), path: &mut Vec<String>, nearest: &mut Option<Beginning>) {
        for (name, member) in &self.0 {
            path.push(name.clone());
            let key = self.1.get(name).map(line_and_column);
            for start in key.into_iter().chain([line_and_column(&member.referenced)]) {
                if start <= at && nearest.as_ref().is_none_or(|(found, _)| start >= *found) {
                    *nearest = Some((start, path.clone()));
                }
            }
            member.value.find_nearest(at, path, nearest);
            path.pop();
        }
    }
}

/// Where something begins, and the path to it.
type Beginning = ((u64, u64), Vec<String>);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let (mut members, mut keys) = (BTreeMap::new(), BTreeMap::new());
        while let Some((name, member)) = map.next_entry::<Spanned<String>, _>()? {
            keys.insert(name.value.clone(), name.referenced);
            members.insert(name.value, member);
        }
        Ok(Node(members, keys))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(item) = items.next_element()? {
            members.insert(members.len().to_string(), item);
        }
        Ok(Node(members, BTreeMap::new()))
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::default())
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::default())
    }
}
