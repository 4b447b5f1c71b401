//! The view over a table: what is current.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::columns::CatalogColumn;
use super::rows::{ACCOUNT, CHANGE};
use super::rows::{COMMITTED_AT, POSITION, RECORD_KEY, RUN_ID, RowChange, VERSION};
use crate::catalog::RecordKind;
use crate::lake::manifest::Identity;

/// The definition of a view in the catalog, as Athena makes it.
pub(super) fn view(database: &str, name: &str, sql: &str, columns: &[CatalogColumn], stream: &str) -> Value {
    let shown: Vec<_> =
        columns.iter().map(|column| json!({"name": column.name, "type": column.kind.sql()})).collect();
    let document =
        json!({"originalSql": sql, "catalog": "awsdatacatalog", "schema": database, "columns": shown});
    let columns: Vec<_> =
        columns.iter().map(|column| json!({"Name": column.name, "Type": column.kind.hive()})).collect();
    json!({
        "Name": name,
        "TableType": "VIRTUAL_VIEW",
        "Description": format!("{stream} as it is now"),
        "Parameters": {"presto_view": "true", "comment": "Presto View", "circulate.stream": stream},
        "PartitionKeys": [],
        "StorageDescriptor": {"Columns": columns, "SerdeInfo": {}},
        "ViewOriginalText": format!("/* Presto View: {} */", STANDARD.encode(document.to_string())),
        "ViewExpandedText": "/* Presto View */",
    })
}

/// What is current: of each record the newest version that is not deleted.
pub(super) fn current(database: &str, table: &str, columns: &[CatalogColumn], identity: &Identity) -> String {
    let names: Vec<_> = columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
    let (names, from) = (names.join(", "), format!("\"{database}\".\"{table}\""));
    let (upsert, replace) = (RowChange::Upsert.as_str(), RowChange::Replace.as_str());
    let is_entity = identity.kind == RecordKind::Entity;
    if is_entity && !identity.is_merged() {
        // Nothing tells which records are versions of one: the last complete full run is all there is.
        return format!(
            "SELECT {names} FROM {from} WHERE \"{CHANGE}\" = '{upsert}' AND (\"{ACCOUNT}\", \"{RUN_ID}\") IN \
             (SELECT (\"{ACCOUNT}\", max_by(\"{RUN_ID}\", \"{COMMITTED_AT}\")) FROM {from} \
             WHERE \"{CHANGE}\" = '{replace}' GROUP BY \"{ACCOUNT}\")"
        );
    }
    // An event is what it was when it came first.
    let order = if is_entity { "DESC" } else { "ASC" };
    let order: Vec<_> = [COMMITTED_AT, RUN_ID, VERSION, POSITION]
        .iter()
        .map(|column| format!("\"{column}\" {order}"))
        .collect();
    format!(
        "SELECT {names} FROM (SELECT *, row_number() OVER (PARTITION BY \"{ACCOUNT}\", \"{RECORD_KEY}\" ORDER BY {}) \
         AS \"_rank\" FROM {from}) WHERE \"{CHANGE}\" = '{upsert}' AND (\"_rank\" = 1 OR \"{RECORD_KEY}\" IS NULL)",
        order.join(", ")
    )
}
