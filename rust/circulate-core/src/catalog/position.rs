//! Where something stands in a YAML file, and how that is shown.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
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
struct Node(BTreeMap<String, Spanned<Self>>);

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
        let mut members = BTreeMap::new();
        while let Some((name, member)) = map.next_entry()? {
            members.insert(name, member);
        }
        Ok(Node(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(item) = items.next_element()? {
            members.insert(members.len().to_string(), item);
        }
        Ok(Node(members))
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
