//! The columns of a lake's table: those of all runs by name, and what says where a row is from.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use jiff::Timestamp;

use super::paths::{RAW, RESCUED};
use crate::error::{Error, ErrorKind, Result};
use crate::nearest::{meant, nearest};
use crate::table::{Member, MemberType, Nested, TableBuilder, TableOptions, TableSchema};

pub(super) const ACCOUNT: &str = "_account";
pub(super) const RUN_ID: &str = "_run_id";
pub(super) const COMMITTED_AT: &str = "_committed_at";
pub(super) const CHANGE: &str = "_change";
/// The columns of the history beside those of the current table.
const OF_HISTORY: [&str; 3] = [RUN_ID, COMMITTED_AT, CHANGE];

/// Where a row is from.
#[derive(Debug, Clone)]
pub(super) struct RunOrigin {
    pub(super) account: Arc<str>,
    pub(super) run_id: Arc<str>,
    pub(super) committed_at: Timestamp,
}

/// What a row of the history says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Upsert,
    Delete,
}

impl Change {
    fn as_str(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::Delete => "delete",
        }
    }
}

/// A row that is built: the number of its run, and what it says.
pub(super) type BuiltRow = (u32, Change);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pick {
    Account,
    RunId,
    CommittedAt,
    Change,
    /// A column of the records.
    Record(usize),
}

/// The columns that are wanted.
#[derive(Debug)]
pub(super) struct OutputColumns {
    /// The columns of records that are built.
    pub(super) built: TableSchema,
    pub(super) options: TableOptions,
    /// Others are not wanted.
    pub(super) is_pruned: bool,
    /// The same as Arrow.
    pub(super) records: SchemaRef,
    pub(super) schema: SchemaRef,
    picks: Vec<Pick>,
}

impl OutputColumns {
    /// Those of `all`, or the `wanted` ones in that order.
    pub(super) fn new(
        all: TableSchema,
        options: TableOptions,
        with_history: bool,
        requested: Option<&[String]>,
    ) -> Result<Self> {
        let ours: Vec<_> =
            [ACCOUNT].into_iter().chain(OF_HISTORY.into_iter().filter(|_| with_history)).collect();
        // What a record has by a name of ours is rescued.
        let all = all.with_members(|name| !ours.iter().any(|ours| *ours == name.to_lowercase()));
        let everything = all.arrow(options);
        let names: Vec<_> = ours
            .iter()
            .copied()
            .chain(everything.fields().iter().map(|field| field.name().as_str()))
            .collect();
        let Some(requested) = requested else {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            return Ok(Self::picked(all, options, false, &names));
        };
        check_requested(requested, &names)?;
        let has = |name: &str| requested.iter().any(|requested| requested == name);
        // What was rescued depends on all columns; flat ones are parts of members.
        let is_pruned = !has(RESCUED) && options.nested != Nested::Flatten;
        let built = if is_pruned { all.with_members(has) } else { all };
        let options = TableOptions { raw: options.raw && has(RAW), ..options };
        Ok(Self::picked(built, options, is_pruned, requested))
    }

    fn picked(built: TableSchema, options: TableOptions, is_pruned: bool, names: &[String]) -> Self {
        let records = built.arrow(options);
        let pick = |name: &String| match name.as_str() {
            ACCOUNT => (Pick::Account, Field::new(ACCOUNT, DataType::Utf8, false)),
            RUN_ID => (Pick::RunId, Field::new(RUN_ID, DataType::Utf8, false)),
            COMMITTED_AT => (Pick::CommittedAt, Field::new(COMMITTED_AT, time(), false)),
            CHANGE => (Pick::Change, Field::new(CHANGE, DataType::Utf8, false)),
            name => {
                let (number, field) = records.column_with_name(name).map_or_else(
                    || unreachable!("names are those of the columns"),
                    |(number, field)| (number, field.clone()),
                );
                (Pick::Record(number), field)
            }
        };
        let (picks, fields): (Vec<_>, Vec<_>) = names.iter().map(pick).unzip();
        let schema = Arc::new(Schema::new(fields));
        Self { built, options, is_pruned, records, schema, picks }
    }

    /// What makes the columns of records.
    pub(super) fn builder(&self) -> TableBuilder {
        let builder = TableBuilder::new(self.built.clone(), self.options);
        if self.is_pruned { builder.pruned() } else { builder }
    }

    /// Whether a column of an object is of use.
    pub(super) fn uses(&self, column: &str) -> bool {
        let is_picked = |number| self.picks.contains(&Pick::Record(number));
        self.records.column_with_name(column).is_some_and(|(number, _)| is_picked(number))
    }

    /// Whether any column of records is wanted.
    pub(super) fn needs_records(&self) -> bool {
        self.picks.iter().any(|pick| matches!(pick, Pick::Record(_)))
    }

    /// The wanted columns of rows: those of records, and where each row is from.
    pub(super) fn output(
        &self,
        records: Option<&RecordBatch>,
        rows: &[BuiltRow],
        origins: &[RunOrigin],
    ) -> Result<RecordBatch> {
        let origin = |row: &BuiltRow| &origins[row.0 as usize];
        let strings = |text: fn(&RunOrigin) -> &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| text(origin(row)))))
        };
        let column = |pick: &Pick| -> Result<ArrayRef> {
            Ok(match pick {
                Pick::Account => strings(|origin| &origin.account),
                Pick::RunId => strings(|origin| &origin.run_id),
                Pick::CommittedAt => {
                    let times = rows.iter().map(|row| origin(row).committed_at.as_microsecond());
                    Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
                }
                Pick::Change => {
                    Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1.as_str())))
                }
                Pick::Record(number) => {
                    let records = records.ok_or_else(|| failed("a column of records without records"))?;
                    Arc::clone(records.column(*number))
                }
            })
        };
        let columns = self.picks.iter().map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| failed("the rows make no Arrow batch").caused_by(error))
    }
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn failed(why: &str) -> Error {
    Error::new(ErrorKind::Data, "read lake", why.to_owned())
}

/// Refuses columns that are not there, or that could not be told apart.
fn check_requested(requested: &[String], names: &[&str]) -> Result<()> {
    let wrong = |message: String| Error::new(ErrorKind::Settings, "read lake", message);
    let unknown: Vec<_> = requested.iter().filter(|name| !names.contains(&name.as_str())).collect();
    if !unknown.is_empty() {
        let quoted: Vec<_> = unknown.iter().map(|name| format!("`{name}`")).collect();
        let likely: Vec<_> = unknown.iter().filter_map(|name| likely_column(name, names)).collect();
        let likely = (!likely.is_empty()).then(|| likely.join("`, `"));
        return Err(wrong(format!("the table has no column {}", quoted.join(", "))).hint(meant(
            likely.as_deref(),
            "it has",
            names,
        )));
    }
    match requested.iter().enumerate().find(|(number, name)| requested[..*number].contains(name)) {
        Some((_, twice)) => Err(wrong(format!("the column `{twice}` is requested twice"))),
        None => Ok(()),
    }
}

/// The column that is likely to be meant: written otherwise, or the one that a member is in.
fn likely_column<'n>(named: &str, known: &[&'n str]) -> Option<&'n str> {
    let whole = named.split('.').next().unwrap_or(named).to_lowercase();
    let same = known.iter().copied().find(|name| name.to_lowercase() == whole);
    same.or_else(|| nearest(named, known.iter().copied()))
}

/// Whether columns of one table can stand in those of another as they are. Arrow does not tell text from JSON text, so what they
/// hold counts.
pub(super) fn fit(
    there: &TableSchema,
    target: &TableSchema,
    nested: Nested,
    is_used: impl Fn(&str) -> bool,
) -> bool {
    let used = |member: &&Member| nested == Nested::Flatten || is_used(&member.name);
    members_fit(there.members().iter().filter(used), target.members(), nested)
}

fn members_fit<'m>(there: impl IntoIterator<Item = &'m Member>, target: &[Member], nested: Nested) -> bool {
    there.into_iter().all(|member| {
        let target = target.iter().find(|target| target.name == member.name);
        target.is_some_and(|target| kinds_fit(&member.kind, &target.kind, nested))
    })
}

fn kinds_fit(there: &MemberType, target: &MemberType, nested: Nested) -> bool {
    let is_json =
        |kind: &MemberType| matches!(kind, MemberType::Struct(_) | MemberType::List(_) | MemberType::Json);
    match (there, target) {
        (there, target) if nested == Nested::Json && is_json(there) => is_json(target),
        (MemberType::Struct(there), MemberType::Struct(target)) => {
            there.is_empty() == target.is_empty() && members_fit(there, target, nested)
        }
        // A struct in a list is a struct in either layout.
        (MemberType::List(there), MemberType::List(target)) => kinds_fit(there, target, nested),
        (there, target) => there == target,
    }
}

/// Whether columns have all that others have, at every depth.
pub(super) fn has_all(fields: &Fields, requested: &Fields) -> bool {
    requested.iter().all(|requested| {
        fields.find(requested.name()).is_some_and(|(_, field)| {
            match (field.data_type(), requested.data_type()) {
                (DataType::Struct(fields), DataType::Struct(requested)) => has_all(fields, requested),
                _ => true,
            }
        })
    })
}
