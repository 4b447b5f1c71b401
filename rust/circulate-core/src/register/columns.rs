//! The columns of a table in the catalog. They only grow, and none ever changes its type: whoever reads the table has queries that
//! say what they are, and files of before hold what they held.
//!
//! Where a run has a value of another type than the column, it gets a column of its own beside it, named after the type:
//! `age`, then `age_string`. That goes for members of structs, too.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, StructArray, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// A column, or a member of a struct in one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CatalogColumn {
    /// Its name in the catalog and in files: lower-case letters, digits and underscores, which need no quotes in any reader.
    pub(super) name: String,
    /// Its name in the tables of a run, if that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// What it holds.
    #[serde(rename = "type")]
    pub(super) kind: ColumnKind,
}

/// What a column holds, by the words of Hive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ColumnKind {
    String,
    Bigint,
    Double,
    Boolean,
    Timestamp,
    Struct(Vec<CatalogColumn>),
    Array(Box<Self>),
}

impl CatalogColumn {
    /// A column by the same name everywhere.
    pub(super) fn new(name: &str, kind: ColumnKind) -> Self {
        Self { name: name.to_owned(), from: None, kind }
    }

    fn is_from(&self, name: &str) -> bool {
        self.from.as_deref().unwrap_or(&self.name) == name
    }

    /// The field of files.
    pub(super) fn field(&self) -> FieldRef {
        Arc::new(Field::new(&self.name, self.kind.data_type(), true))
    }
}

impl ColumnKind {
    fn of(field: &Field) -> Result<Self> {
        Ok(match field.data_type() {
            DataType::Utf8 => Self::String,
            DataType::Int64 => Self::Bigint,
            DataType::Float64 => Self::Double,
            DataType::Boolean => Self::Boolean,
            DataType::Timestamp(..) => Self::Timestamp,
            DataType::Struct(fields) => {
                let mut members = Vec::new();
                take_in(&mut members, fields, &[])?;
                Self::Struct(members)
            }
            DataType::List(element) => Self::Array(Box::new(Self::of(element)?)),
            other => {
                let message = format!("column `{}` is {other}, which no table of ours has", field.name());
                return Err(Error::new(ErrorKind::Data, "register run", message));
            }
        })
    }

    /// Takes in what a field has more than this, at every depth; `false`, and nothing is taken in, if it is something else.
    fn take_in(&mut self, field: &Field) -> Result<bool> {
        match (&mut *self, field.data_type()) {
            (Self::Struct(members), DataType::Struct(fields)) => take_in(members, fields, &[]).map(|()| true),
            (Self::Array(element), DataType::List(field)) => element.take_in(field),
            (Self::Struct(_) | Self::Array(_), _) | (_, DataType::Struct(_) | DataType::List(_)) => Ok(false),
            (kind, _) => Ok(*kind == Self::of(field)?),
        }
    }

    /// Whether a field can stand here: whether what it holds has been taken in.
    fn holds(&self, data_type: &DataType) -> bool {
        match (self, data_type) {
            (Self::Struct(_), DataType::Struct(_)) => true,
            (Self::Array(element), DataType::List(field)) => element.holds(field.data_type()),
            (kind, DataType::Utf8) => *kind == Self::String,
            (kind, DataType::Int64) => *kind == Self::Bigint,
            (kind, DataType::Float64) => *kind == Self::Double,
            (kind, DataType::Boolean) => *kind == Self::Boolean,
            (kind, DataType::Timestamp(..)) => *kind == Self::Timestamp,
            _ => false,
        }
    }

    fn data_type(&self) -> DataType {
        match self {
            Self::String => DataType::Utf8,
            Self::Bigint => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Struct(members) => DataType::Struct(members.iter().map(CatalogColumn::field).collect()),
            Self::Array(element) => DataType::List(element_field(element)),
        }
    }

    /// What columns of another type beside it are named after.
    fn suffix(&self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Bigint => "bigint",
            Self::Double => "double",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamp",
            Self::Struct(_) => "struct",
            Self::Array(_) => "array",
        }
    }

    /// As the catalog writes it.
    pub(super) fn hive(&self) -> String {
        match self {
            Self::Struct(members) => {
                let members: Vec<_> =
                    members.iter().map(|member| format!("{}:{}", member.name, member.kind.hive())).collect();
                format!("struct<{}>", members.join(","))
            }
            Self::Array(element) => format!("array<{}>", element.hive()),
            other => other.suffix().to_owned(),
        }
    }

    /// As Athena's SQL writes it.
    pub(super) fn sql(&self) -> String {
        match self {
            Self::String => "varchar".to_owned(),
            Self::Timestamp => "timestamp(3)".to_owned(),
            Self::Struct(members) => {
                let members: Vec<_> = members
                    .iter()
                    .map(|member| format!("\"{}\" {}", member.name, member.kind.sql()))
                    .collect();
                format!("row({})", members.join(", "))
            }
            Self::Array(element) => format!("array({})", element.sql()),
            other => other.suffix().to_owned(),
        }
    }
}

fn element_field(element: &ColumnKind) -> FieldRef {
    Arc::new(Field::new(Field::LIST_FIELD_DEFAULT_NAME, element.data_type(), true))
}

/// Takes the columns of a table of a run in; those that are there stay as they are. Names of `taken` are not given.
pub(super) fn take_in(columns: &mut Vec<CatalogColumn>, fields: &Fields, taken: &[&str]) -> Result<()> {
    for field in fields {
        let mut is_there = false;
        for column in columns.iter_mut().filter(|column| column.is_from(field.name())) {
            is_there = column.kind.take_in(field)?;
            if is_there {
                break;
            }
        }
        if is_there {
            continue;
        }
        let kind = ColumnKind::of(field)?;
        let name = plain_name(field.name());
        let is_changed = columns.iter().any(|column| column.is_from(field.name()));
        let plain = if is_changed { format!("{name}_{}", kind.suffix()) } else { name };
        let is_free = |name: &str| !taken.contains(&name) && columns.iter().all(|column| column.name != name);
        let mut name = plain.clone();
        for number in 2.. {
            if is_free(&name) {
                break;
            }
            name = format!("{plain}_{number}");
        }
        let from = (name != *field.name()).then(|| field.name().clone());
        columns.push(CatalogColumn { name, from, kind });
    }
    Ok(())
}

/// Whether `columns` have all that `others` have, under the same names.
pub(super) fn cover(columns: &[CatalogColumn], others: &[CatalogColumn]) -> bool {
    others.iter().all(|other| {
        columns.iter().any(|column| {
            (&column.name, &column.from) == (&other.name, &other.from) && covers(&column.kind, &other.kind)
        })
    })
}

fn covers(kind: &ColumnKind, other: &ColumnKind) -> bool {
    match (kind, other) {
        (ColumnKind::Struct(columns), ColumnKind::Struct(others)) => cover(columns, others),
        (ColumnKind::Array(element), ColumnKind::Array(other)) => covers(element, other),
        (kind, other) => kind == other,
    }
}

fn plain_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '_' };
    name.chars().map(plain).collect()
}

/// The arrays of `columns`, from a table whose columns were taken in. What it lacks is null.
pub(super) fn conformed(
    columns: &[CatalogColumn],
    fields: &Fields,
    arrays: &[ArrayRef],
    rows: usize,
) -> Result<Vec<ArrayRef>, ArrowError> {
    let array = |column: &CatalogColumn| {
        let found = fields
            .iter()
            .zip(arrays)
            .find(|(field, _)| column.is_from(field.name()) && column.kind.holds(field.data_type()));
        match found {
            Some((_, array)) => brought(array, &column.kind),
            None => Ok(new_null_array(&column.kind.data_type(), rows)),
        }
    };
    columns.iter().map(array).collect()
}

fn brought(array: &ArrayRef, kind: &ColumnKind) -> Result<ArrayRef, ArrowError> {
    match (kind, array.data_type()) {
        (ColumnKind::Struct(members), DataType::Struct(fields)) => {
            let arrays = conformed(members, fields, array.as_struct().columns(), array.len())?;
            let fields: Fields = members.iter().map(CatalogColumn::field).collect();
            Ok(Arc::new(StructArray::try_new(fields, arrays, array.nulls().cloned())?))
        }
        (ColumnKind::Array(element), DataType::List(_)) => {
            let list = array.as_list::<i32>();
            let values = brought(list.values(), element)?;
            let (field, nulls) = (element_field(element), array.nulls().cloned());
            Ok(Arc::new(ListArray::try_new(field, list.offsets().clone(), values, nulls)?))
        }
        _ => Ok(Arc::clone(array)),
    }
}

#[cfg(test)]
#[path = "tests/columns.rs"]
mod tests;
