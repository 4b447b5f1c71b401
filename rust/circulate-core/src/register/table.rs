//! The table of a stream as it is in the catalog, and how it grows.

use serde_json::{Map, Value, json};

use super::columns::{CatalogColumn, ColumnKind, cover};
use super::glue::{FoundTable, GlueDatabase, Written};
use super::rows::{ACCOUNT, COMMITTED_AT, RUN_ID, lake_columns};
use super::view::{current, view};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::manifest::Identity;
use crate::table::TableSchema;

/// Parameters of tables and partitions that are ours.
const STREAM: &str = "circulate.stream";
const IDENTITY: &str = "circulate.identity";
const COLUMNS: &str = "circulate.columns";
const SCHEMA: &str = "circulate.schema";

/// What may stand in a definition that is written: what was read has more.
/// <https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html>
const WRITABLE: [&str; 13] = [
    "Name",
    "Description",
    "Owner",
    "LastAccessTime",
    "LastAnalyzedTime",
    "Retention",
    "StorageDescriptor",
    "PartitionKeys",
    "ViewOriginalText",
    "ViewExpandedText",
    "TableType",
    "Parameters",
    "TargetTable",
];

/// The table and the view of a stream.
#[derive(Debug)]
pub(super) struct StreamTable<'r> {
    pub(super) glue: &'r GlueDatabase,
    /// `source.endpoint`.
    pub(super) stream: String,
    pub(super) identity: &'r Identity,
    /// Where files of the stream lie, as a URI.
    pub(super) location: String,
}

/// What a table has.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct CatalogTable {
    /// The columns of records.
    pub(super) columns: Vec<CatalogColumn>,
    /// What records without types look like, as was learnt from those of before.
    pub(super) schema: Option<TableSchema>,
}

impl CatalogTable {
    /// The columns of the table: first those of the lake, which never change.
    fn all_columns(&self) -> Vec<CatalogColumn> {
        let mut columns = lake_columns();
        columns.extend(self.columns.iter().cloned());
        columns
    }

    /// Columns as the catalog writes them.
    pub(super) fn glue_columns(&self) -> Value {
        let column = |column: &CatalogColumn| json!({"Name": column.name, "Type": column.kind.hive()});
        self.all_columns().iter().map(column).collect()
    }
}

impl StreamTable<'_> {
    /// The name of its view.
    pub(super) fn view_name(&self) -> String {
        self.stream.replace('.', "_").to_lowercase()
    }

    /// The name of its table.
    pub(super) fn table_name(&self) -> String {
        format!("{}_history", self.view_name())
    }

    /// What the table has; nothing if there is none.
    pub(super) async fn read(&self) -> Result<CatalogTable> {
        match self.glue.table(&self.table_name()).await? {
            Some(found) => self.state_of(&found),
            None => Ok(CatalogTable::default()),
        }
    }

    /// Sees to it that the table has what `expected` has. `None` if others have given it something meanwhile that does not go with that.
    pub(super) async fn grow(
        &self,
        before: &CatalogTable,
        expected: &CatalogTable,
    ) -> Result<Option<CatalogTable>> {
        loop {
            let found = self.glue.table(&self.table_name()).await?;
            let written = match &found {
                None => self.glue.create_table(&self.definition(expected, None)?).await?,
                Some(found) => {
                    let there = self.state_of(found)?;
                    let is_enough = cover(&there.columns, &expected.columns);
                    if is_enough && (there.schema.is_some() || expected.schema.is_none()) {
                        return Ok(Some(there));
                    }
                    if there != *before {
                        return Ok(None);
                    }
                    let definition = self.definition(expected, Some(&found.table))?;
                    self.glue.update_table(&definition, found.version.as_deref()).await?
                }
            };
            if written == Written::Done {
                return Ok(Some(expected.clone()));
            }
        }
    }

    /// Sees to it that the view shows all that the table has. The view is read before the table: who writes it by an older
    /// table than somebody else did is refused.
    pub(super) async fn show(&self) -> Result<()> {
        loop {
            let found = self.glue.table(&self.view_name()).await?;
            let definition = self.view(&self.read().await?);
            let written = match found {
                None => self.glue.create_table(&definition).await?,
                Some(found) => {
                    self.check_stream(&found, &self.view_name())?;
                    if found.table["ViewOriginalText"] == definition["ViewOriginalText"] {
                        return Ok(());
                    }
                    self.glue.update_table(&definition, found.version.as_deref()).await?
                }
            };
            if written == Written::Done {
                return Ok(());
            }
        }
    }

    fn view(&self, state: &CatalogTable) -> Value {
        let mut columns = vec![
            CatalogColumn::new(ACCOUNT, ColumnKind::String),
            CatalogColumn::new(RUN_ID, ColumnKind::String),
        ];
        columns.extend(lake_columns().into_iter().filter(|column| column.name == COMMITTED_AT));
        columns.extend(state.columns.iter().cloned());
        let sql = current(self.glue.name(), &self.table_name(), &columns, self.identity);
        view(self.glue.name(), &self.view_name(), &sql, &columns, &self.stream)
    }

    fn state_of(&self, found: &FoundTable) -> Result<CatalogTable> {
        let name = self.table_name();
        self.check_stream(found, &name)?;
        let parameters = &found.table["Parameters"];
        let identity: Identity = self.parameter(parameters, IDENTITY)?.ok_or_else(|| self.foreign(&name))?;
        if identity != *self.identity {
            let message =
                "what identifies the records of this stream is something else than when its table was made";
            return Err(Error::new(ErrorKind::Settings, "register run", message)
                .with("table", self.full(&name))
                .hint("register its runs in another database, or drop the table and register them again"));
        }
        Ok(CatalogTable {
            columns: self.parameter(parameters, COLUMNS)?.ok_or_else(|| self.foreign(&name))?,
            schema: self.parameter(parameters, SCHEMA)?,
        })
    }

    fn check_stream(&self, found: &FoundTable, name: &str) -> Result<()> {
        if found.table["Parameters"][STREAM].as_str() == Some(&self.stream) {
            return Ok(());
        }
        Err(self.foreign(name))
    }

    fn foreign(&self, name: &str) -> Error {
        let message = format!("there is a table of this name that was not made for {}", self.stream);
        Error::new(ErrorKind::Settings, "register run", message)
            .with("table", self.full(name))
            .hint("nothing was changed: register in another database, or rename or drop that table")
    }

    fn full(&self, name: &str) -> String {
        format!("{}.{name}", self.glue.name())
    }

    fn parameter<T: for<'de> serde::Deserialize<'de>>(
        &self,
        parameters: &Value,
        name: &str,
    ) -> Result<Option<T>> {
        let Some(text) = parameters[name].as_str() else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|error| {
            let message = format!("the parameter `{name}` of the table cannot be read");
            Error::new(ErrorKind::State, "register run", message)
                .caused_by(error)
                .with("table", self.full(&self.table_name()))
                .hint("a newer version of circulate-core wrote it, or somebody changed it: drop the table and register \
                       its runs again")
        })
    }

    /// The table's definition. What others have put into it stays.
    fn definition(&self, state: &CatalogTable, before: Option<&Value>) -> Result<Value> {
        let mut table = match before {
            Some(Value::Object(before)) => {
                let writable = before.iter().filter(|(name, _)| WRITABLE.contains(&name.as_str()));
                writable.map(|(name, value)| (name.clone(), value.clone())).collect()
            }
            _ => self.new_table(),
        };
        if let Some(Value::Object(storage)) = table.get_mut("StorageDescriptor") {
            storage.insert("Columns".to_owned(), state.glue_columns());
        }
        let text = |value: serde_json::Result<String>| {
            value.map(Value::from).map_err(|error| {
                Error::new(ErrorKind::Storage, "register run", "cannot write JSON").caused_by(error)
            })
        };
        if let Some(Value::Object(parameters)) = table.get_mut("Parameters") {
            parameters.insert(STREAM.to_owned(), json!(self.stream));
            parameters.insert(IDENTITY.to_owned(), text(serde_json::to_string(self.identity))?);
            parameters.insert(COLUMNS.to_owned(), text(serde_json::to_string(&state.columns))?);
            if let Some(schema) = &state.schema {
                parameters.insert(SCHEMA.to_owned(), text(serde_json::to_string(schema))?);
            }
        }
        Ok(Value::Object(table))
    }

    fn new_table(&self) -> Map<String, Value> {
        let table = json!({
            "Name": self.table_name(),
            "Description": format!("All versions of {}, and what was deleted, by run", self.stream),
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
            "PartitionKeys": [{"Name": ACCOUNT, "Type": "string"}, {"Name": RUN_ID, "Type": "string"}],
            "StorageDescriptor": storage(&self.location, &json!([])),
        });
        match table {
            Value::Object(table) => table,
            _ => Map::new(),
        }
    }
}

/// How Parquet files at a place are read.
pub(super) fn storage(location: &str, columns: &Value) -> Value {
    json!({
        "Columns": columns,
        "Location": location,
        "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        "SerdeInfo": {
            "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
            "Parameters": {"serialization.format": "1"},
        },
    })
}
