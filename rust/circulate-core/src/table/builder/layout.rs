//! From a schema to the buffers and Arrow fields of a table, under its options.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::ArrowError;
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};

use super::options::{Nested, TableOptions};
use crate::table::columns::{
    Column, FixedColumn, JOIN, ListColumn, RAW, RESCUED, StringColumn, StructColumn, Taken, Values,
};
use crate::table::json::pointer;
use crate::table::schema::{KEY, Member, MemberType, TableSchema};

impl TableSchema {
    /// The Arrow schema of its batches. Every column may be null; the last ones are `_rescued` and, if requested, `_raw`.
    pub fn arrow(&self, options: TableOptions) -> SchemaRef {
        TableColumns::new(self, options).schema()
    }
}

/// The buffers of a table.
#[derive(Debug)]
pub(super) struct TableColumns {
    /// What stands in front of the members of a record.
    pub(super) mark: Option<StructColumn>,
    pub(super) record: StructColumn,
    pub(super) rescued: StringColumn,
    pub(super) raw: Option<StringColumn>,
    flatten: bool,
    schema: SchemaRef,
}

impl TableColumns {
    pub(super) fn new(schema: &TableSchema, options: TableOptions) -> Self {
        let mut layout = Layout { nested: options.nested, taken: schema.own_names() };
        let mut record = layout.record("", "", &schema.members);
        record.reserve(schema.own_names());
        let mark = schema.is_marked().then(|| mark_columns(schema));
        let raw = options.raw.then(StringColumn::default);
        let flatten = options.nested == Nested::Flatten;
        let mut table = Self {
            mark,
            record,
            rescued: StringColumn::default(),
            raw,
            flatten,
            schema: Arc::new(Schema::empty()),
        };
        table.schema = table.arrow_schema();
        table
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn arrow_schema(&self) -> SchemaRef {
        let mut fields = Vec::new();
        if let Some(mark) = &self.mark {
            collect_fields(mark, true, &mut fields);
        }
        collect_fields(&self.record, self.flatten, &mut fields);
        let raw = self.raw.iter().map(|_| RAW);
        fields.extend([RESCUED].into_iter().chain(raw).map(|name| nullable(name, DataType::Utf8)));
        Arc::new(Schema::new(fields))
    }

    /// The batch of `rows` records; starts over.
    pub(super) fn finish(&mut self, rows: usize) -> Result<RecordBatch, ArrowError> {
        let mut arrays = Vec::with_capacity(self.schema.fields().len());
        if let Some(mark) = &mut self.mark {
            collect_arrays(mark, true, rows, &mut arrays)?;
        }
        collect_arrays(&mut self.record, self.flatten, rows, &mut arrays)?;
        for text in [Some(&mut self.rescued), self.raw.as_mut()].into_iter().flatten() {
            text.resize(rows);
            arrays.push(Arc::new(text.finish()?));
        }
        RecordBatch::try_new(self.schema(), arrays)
    }

    /// Takes back what is beyond `rows` records.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.mark.iter_mut().chain([&mut self.record]).for_each(|object| object.truncate(rows));
        for text in [Some(&mut self.rescued), self.raw.as_mut()].into_iter().flatten() {
            text.resize(rows.min(text.len()));
        }
    }

    /// Bytes that a record takes, whatever it holds, beside those of strings and of elements of lists.
    pub(super) fn null_bytes(&self) -> usize {
        let strings = [Some(&self.rescued), self.raw.as_ref()].into_iter().flatten().count() * 5;
        self.record.null_bytes() + self.mark.as_ref().map_or(0, StructColumn::null_bytes) + strings
    }

    pub(super) fn bytes(&self) -> usize {
        let strings = self.rescued.size() + self.raw.as_ref().map_or(0, StringColumn::size);
        self.record.bytes() + self.mark.as_ref().map_or(0, StructColumn::bytes) + strings
    }
}

fn collect_fields(object: &StructColumn, flatten: bool, fields: &mut Vec<FieldRef>) {
    for column in &object.columns {
        match &column.values {
            Values::Object(members) if flatten => collect_fields(members, flatten, fields),
            _ => fields.push(Arc::clone(&column.field)),
        }
    }
}

fn collect_arrays(
    object: &mut StructColumn,
    flatten: bool,
    rows: usize,
    arrays: &mut Vec<ArrayRef>,
) -> Result<(), ArrowError> {
    for column in &mut object.columns {
        match &mut column.values {
            Values::Object(members) if flatten => collect_arrays(members, flatten, rows, arrays)?,
            values => arrays.push(values.finish(rows)?),
        }
    }
    object.restart();
    Ok(())
}

fn nullable(name: &str, kind: DataType) -> FieldRef {
    Arc::new(Field::new(name, kind, true))
}

/// The members of `_circulate`: the parent, whose members become columns, and the key.
fn mark_columns(schema: &TableSchema) -> StructColumn {
    let text = |name: &str, shown: &str, path: &str| {
        let values = Values::Text(StringColumn::default());
        (name.to_owned(), column(name, shown, pointer::path(path, name), values))
    };
    let (path, parent) = ("/_circulate", "/_circulate/parent");
    let members = schema.parent.iter().zip(schema.parent_columns());
    let members: Vec<_> = members.map(|(name, shown)| text(name, &shown, parent)).collect();
    let parent = (!members.is_empty()).then(|| {
        let members = StructColumn::new(parent.to_owned(), members, HashSet::new());
        let values = Values::Object(Box::new(members));
        ("parent".to_owned(), column("parent", "parent", parent.to_owned(), values))
    });
    let key = schema.keyed.then(|| text("key", KEY, path));
    StructColumn::new(path.to_owned(), parent.into_iter().chain(key).collect(), HashSet::new())
}

struct Layout {
    nested: Nested,
    /// Names of the table's columns.
    taken: Taken,
}

impl Layout {
    /// The columns of records, or of an object whose members become columns of the table under `prefix`.
    fn record(&mut self, path: &str, prefix: &str, members: &[Member]) -> StructColumn {
        let (mut columns, mut refused) = (Vec::new(), HashSet::new());
        for Member { name, kind, .. } in members {
            let (path, joined) = (pointer::path(path, name), format!("{prefix}{name}"));
            let expanded = self.nested == Nested::Flatten && is_struct(kind);
            if name.is_empty() || !(expanded || self.taken.take(&joined)) {
                refused.insert(name.clone());
                continue;
            }
            let values = match kind {
                MemberType::Struct(members) if expanded => {
                    Values::Object(Box::new(self.record(&path, &format!("{joined}{JOIN}"), members)))
                }
                MemberType::Struct(_) | MemberType::List(_) if self.nested == Nested::Json => {
                    Values::Json(StringColumn::default())
                }
                kind => values(&path, kind),
            };
            columns.push((name.clone(), column(name, &joined, path, values)));
        }
        StructColumn::new(path.to_owned(), columns, refused)
    }
}

fn is_struct(kind: &MemberType) -> bool {
    matches!(kind, MemberType::Struct(members) if !members.is_empty())
}

fn column(name: &str, shown: &str, path: String, values: Values) -> Column {
    Column::new(name, path, nullable(shown, data_type(&values)), values)
}

/// The buffers for a member at `path` that isn't taken apart.
fn values(path: &str, kind: &MemberType) -> Values {
    match kind {
        MemberType::String => Values::Text(StringColumn::default()),
        MemberType::Integer => Values::Integer(FixedColumn::default()),
        MemberType::Number => Values::Number(FixedColumn::default()),
        MemberType::Boolean => Values::Boolean(FixedColumn::default()),
        MemberType::Timestamp => Values::Time(FixedColumn::default()),
        MemberType::Struct(members) if !members.is_empty() => Values::Object(Box::new(object(path, members))),
        // Parquet has no group without members.
        MemberType::Json | MemberType::Struct(_) => Values::Json(StringColumn::default()),
        MemberType::List(element) => {
            let elements = format!("{path}/*");
            let element_values = values(&elements, element);
            let field = nullable(Field::LIST_FIELD_DEFAULT_NAME, data_type(&element_values));
            Values::List(Box::new(ListColumn::new(element_values, field, elements)))
        }
    }
}

fn object(path: &str, members: &[Member]) -> StructColumn {
    let (mut columns, mut refused, mut taken) = (Vec::new(), HashSet::new(), Taken::default());
    for Member { name, kind, .. } in members {
        if name.is_empty() || !taken.take(name) {
            refused.insert(name.clone());
            continue;
        }
        let path = pointer::path(path, name);
        let values = values(&path, kind);
        columns.push((name.clone(), column(name, name, path, values)));
    }
    StructColumn::new(path.to_owned(), columns, refused)
}

fn data_type(values: &Values) -> DataType {
    match values {
        Values::Text(_) | Values::Json(_) => DataType::Utf8,
        Values::Integer(_) => DataType::Int64,
        Values::Number(_) => DataType::Float64,
        Values::Boolean(_) => DataType::Boolean,
        Values::Time(_) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Values::Object(object) => DataType::Struct(object.fields()),
        Values::List(list) => DataType::List(Arc::clone(&list.element_field)),
    }
}
