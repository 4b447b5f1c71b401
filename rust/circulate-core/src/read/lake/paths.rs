//! Where members of records stand in tables.

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::Schema;

use crate::catalog::Pointer;
use crate::table::{JsonReader, MemberType, Nested, TableOptions, TableSchema, unescape};

/// The columns for what has no place in the others, and for records as received.
pub(super) const RESCUED: &str = "_rescued";
pub(super) const RAW: &str = "_raw";
/// Between the names of members that became one column.
pub(super) const JOIN: &str = "__";

/// Where a member stands in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MemberPlace {
    /// In this column, or in a struct there; within JSON text at the segments `below`.
    Column { path: Vec<String>, kind: MemberType, below: Vec<String> },
    /// It is an object or a list, which these columns make together.
    Composed { columns: Vec<String> },
    /// No column has it.
    Nowhere,
}

impl MemberPlace {
    pub(super) fn columns(&self) -> &[String] {
        match self {
            Self::Column { path, .. } => path.get(..1).unwrap_or_default(),
            Self::Composed { columns } => columns,
            Self::Nowhere => &[],
        }
    }
}

/// The columns of an object that is a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TablePlaces<'t> {
    pub(crate) columns: &'t TableSchema,
    pub(crate) options: TableOptions,
    /// As it is in the object, which may have fewer columns than the run has by now.
    pub(crate) arrow: &'t Schema,
}

impl<'t> TablePlaces<'t> {
    pub(super) fn find(&self, pointer: &Pointer) -> MemberPlace {
        let names: Vec<_> = pointer.segments().iter().map(String::as_str).collect();
        let found = match names[..] {
            ["_circulate", "parent", name] => {
                Some((vec![format!("_parent_{name}")], MemberType::String, Vec::new()))
            }
            ["_circulate", "key"] => Some((vec!["_key".to_owned()], MemberType::String, Vec::new())),
            _ => self.find_member(&names),
        };
        match found {
            Some((path, MemberType::Struct(_) | MemberType::List(_), _)) => self.composed(&path),
            Some((path, kind, below)) if self.arrow.column_with_name(&path[0]).is_some() => {
                MemberPlace::Column { path, kind, below }
            }
            _ => MemberPlace::Nowhere,
        }
    }

    /// The columns of the member that has this path: those of its members, if it has none itself.
    fn composed(&self, path: &[String]) -> MemberPlace {
        let Some(first) = path.first() else { return MemberPlace::Nowhere };
        let below = format!("{first}{JOIN}");
        let names = self.arrow.fields().iter().map(|field| field.name());
        let columns = names.filter(|name| *name == first || name.starts_with(&below));
        MemberPlace::Composed { columns: columns.cloned().collect() }
    }

    fn find_member(&self, names: &[&str]) -> Option<(Vec<String>, MemberType, Vec<String>)> {
        let (mut path, mut members) = (Vec::<String>::new(), self.columns.members());
        for (number, name) in names.iter().enumerate() {
            let member = members.iter().find(|member| member.name == *name)?;
            let below = || names[number + 1..].iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            match (path.last_mut(), self.options.nested) {
                (Some(joined), Nested::Flatten) => {
                    joined.push_str(JOIN);
                    joined.push_str(name);
                }
                _ => path.push((*name).to_owned()),
            }
            match &member.kind {
                MemberType::Struct(_) | MemberType::List(_) if self.options.nested == Nested::Json => {
                    return Some((path, MemberType::Json, below()));
                }
                MemberType::Struct(inner) if number + 1 < names.len() => members = inner,
                MemberType::Json => return Some((path, MemberType::Json, below())),
                kind if number + 1 == names.len() => return Some((path, kind.clone(), Vec::new())),
                _ => return None,
            }
        }
        None
    }

    /// The column of what has no place, if there is one.
    pub(super) fn rescued(&self) -> Option<&'t str> {
        self.arrow.column_with_name(RESCUED).map(|(_, field)| field.name().as_str())
    }
}

/// The value at a path of members in JSON text: of a key that an object repeats the last one.
pub(super) fn member_at<'j>(json: &'j [u8], segments: &[String]) -> Option<&'j [u8]> {
    let Some((name, rest)) = segments.split_first() else { return Some(json) };
    let mut reader = JsonReader::new(json);
    let mut found = None;
    for_each_member(&mut reader, |key, value| {
        if key == name.as_bytes() {
            found = Some(value);
        }
    })?;
    member_at(found?, rest)
}

/// Goes through the members of an object: the text of each key, and its value. `None` if it is none.
pub(super) fn for_each_member<'j>(
    reader: &mut JsonReader<'j>,
    mut each: impl FnMut(&[u8], &'j [u8]),
) -> Option<()> {
    let mut name = Vec::new();
    reader.expect(b'{').ok()?;
    if reader.take(b'}').ok()? {
        return Some(());
    }
    loop {
        let key = reader.key().ok()?;
        reader.peek().ok()?;
        let value = reader.skip().ok()?;
        name.clear();
        if unescape(key.raw, &mut name) {
            each(&name, value);
        }
        if !reader.another(b'}').ok()? {
            return Some(());
        }
    }
}

/// What was rescued at a pointer in a row, or within what was rescued above it.
pub(super) fn rescued_at<'b>(batch: &'b RecordBatch, pointer: &Pointer, row: usize) -> Option<&'b [u8]> {
    let column = batch.column_by_name(RESCUED)?.as_string_opt::<i32>()?;
    if column.is_null(row) {
        return None;
    }
    let mut found = None;
    for_each_member(&mut JsonReader::new(column.value(row).as_bytes()), |key, value| {
        let Some(above) =
            std::str::from_utf8(key).ok().and_then(|key| Pointer::try_from(key.to_owned()).ok())
        else {
            return;
        };
        if let Some(below) = pointer.segments().strip_prefix(above.segments()) {
            found = member_at(value, below).or(found);
        }
    })?;
    found
}
