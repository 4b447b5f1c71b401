//! Calls operations of a source that read: one request, or a list that is read to its end.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::document::read_document;
use super::name::OperationName;
use super::request::request_of;
use super::values::ParameterValues;
use crate::api::account::Account;
use crate::api::auth::{Authorize, Connection};
use crate::api::client::Client;
use crate::api::http::{Jitter, Retry, RetryPolicy};
use crate::api::page_request::{PageRequest, RequestBody};
use crate::catalog::{
    Catalog, Definition, Operation, OperationKind, ReadBack, ReturnedList, Returns, Share, StreamSpec,
};
use crate::error::{Error, ErrorKind, Meaning, Result};
use crate::extract::batch::BatchLimits;
use crate::extract::cursor::Window;
use crate::progress::Progress;
use crate::read::Read;
use crate::run::{PullOptions, Verdict};
use crate::stop::{Stop, StopReason};

/// Calls operations of one account.
#[derive(Debug)]
pub struct Caller {
    /// Where operations are defined.
    pub catalog: Catalog,
    /// Whose.
    pub account: Account,
    /// By what way.
    pub connection: Connection,
    /// Signed in by what.
    pub authorize: Arc<dyn Authorize>,
    /// Share of the quota that is left to others, if it is not that of the definition.
    pub headroom: Option<Share>,
    /// Counts what is done.
    pub progress: Arc<Progress>,
    /// Says when to stop.
    pub stop: Stop,
}

/// What a call returned, as JSON: the document as it was received, `null` without one, or the array of a list's records.
pub type Called = Vec<u8>;

/// The most records and bytes of a list that a call returns.
const MAX_RECORDS: usize = 10_000;
const MAX_BYTES: usize = 16_000_000;

/// The OAuth scopes that an operation needs, and what it looks up and reads back; `None` if a definition does not say that.
pub fn scopes_of(catalog: &Catalog, name: &OperationName) -> Result<Option<BTreeSet<String>>> {
    let definition = catalog.stream(&name.stream())?;
    let operation = definition.operation(name.operation())?;
    let by = match &operation.reads_back {
        Some(ReadBack::By(by)) => Some(&by.operation),
        _ => None,
    };
    let mut scopes = operation.scopes.clone().map(BTreeSet::from_iter);
    for reader in operation.looks_up.values().map(|look_up| &look_up.operation).chain(by) {
        let reader = name.sibling(reader);
        let of_reader = catalog.stream(&reader.stream())?.operation(reader.operation())?.scopes.clone();
        scopes = scopes.zip(of_reader).map(|(known, more)| known.into_iter().chain(more).collect());
    }
    Ok(scopes)
}

impl Caller {
    /// Calls an operation that reads.
    pub async fn read(&self, name: &OperationName, values: &ParameterValues) -> Result<Called> {
        self.progress.set_stream(&name.stream(), self.account.name());
        Box::pin(self.requested(name, values)).await.map_err(|error| match self.stop.reason() {
            Some(reason) if error.kind() == ErrorKind::Stopped => late(&name.to_string(), &self.stop, reason),
            _ => not_found(error, name),
        })
    }

    async fn requested(&self, name: &OperationName, values: &ParameterValues) -> Result<Called> {
        let definition = self.catalog.stream(&name.stream())?;
        let operation = definition.operation(name.operation())?.clone();
        if operation.kind != OperationKind::Investigate {
            let what = format!("{name} changes something: it is planned and applied, not called");
            return Err(Error::new(ErrorKind::Settings, "call operation", what));
        }
        let request = request_of(&self.account, &operation, values)?;
        match &operation.returns {
            Returns::List(list) => {
                Box::pin(self.read_list(name, definition, &operation, list, request)).await
            }
            Returns::Object => {
                let client = self.client(&definition)?;
                let text = Box::pin(client.fetch_document(request)).await?.text;
                Ok(if text.is_empty() { NOTHING.to_vec() } else { text })
            }
        }
    }

    /// The same, parsed; none if there is no such thing.
    pub(super) async fn look_up(
        &self,
        name: &OperationName,
        values: &ParameterValues,
    ) -> Result<Option<Value>> {
        match self.read(name, values).await {
            Ok(text) => read_document(&text).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound || error.meaning() == Some(Meaning::Gone) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What sends its requests.
    pub(super) fn client(&self, definition: &Definition) -> Result<Client> {
        let retry = Retry::new(RetryPolicy::default(), Jitter::random());
        let client = Client::new(
            &definition.source,
            &self.account,
            &self.connection,
            Arc::clone(&self.authorize),
            retry,
            Arc::clone(&self.progress),
            self.stop.clone(),
        )?;
        Ok(client.with_headroom(self.headroom))
    }

    /// Reads a list as a stream is read, with the same care for its end.
    async fn read_list(
        &self,
        name: &OperationName,
        mut definition: Definition,
        operation: &Operation,
        list: &ReturnedList,
        request: PageRequest,
    ) -> Result<Called> {
        definition.endpoint.list = list_of(&self.account, operation, list, &request)?;
        definition.parents.clear();
        let mut reading = Read {
            definition,
            account: self.account.clone(),
            connection: self.connection.clone(),
            authorize: Arc::clone(&self.authorize),
            window: Window::default(),
            batch: BatchLimits::default(),
            options: PullOptions { headroom: self.headroom, ..PullOptions::default() },
            progress: Arc::clone(&self.progress),
            stop: self.stop.clone(),
        }
        .start();
        let (mut records, mut count) = (b"[".to_vec(), 0);
        while let Some(batch) = reading.next().await? {
            let array: Vec<&RawValue> = serde_json::from_slice(&batch).map_err(|error| {
                Error::new(ErrorKind::Data, "read records", "a record is not JSON").caused_by(error)
            })?;
            for record in array {
                if count > 0 {
                    records.push(b',');
                }
                records.extend_from_slice(record.get().as_bytes());
                count += 1;
            }
            if count > MAX_RECORDS || records.len() > MAX_BYTES {
                let what =
                    format!("{name} returns more than {MAX_RECORDS} records or {} MB", MAX_BYTES / 1_000_000);
                return Err(Error::new(ErrorKind::Limit, "read records", what)
                    .hint("a call holds what it returns in memory: pull a stream of them instead"));
            }
        }
        records.push(b']');
        match reading.report().filter(|report| report.status != Verdict::Complete) {
            None => Ok(records),
            Some(report) => {
                let why = report.gaps.iter().chain(&report.warnings).cloned().collect::<Vec<_>>().join("; ");
                let what = format!("the list of {name} could not be read to its end: {why}");
                Err(Error::new(ErrorKind::Data, "read records", what))
            }
        }
    }
}

const NOTHING: &[u8] = b"null";

/// The error of a call that was to stop before it returned; what led to that is kept.
pub fn late(operation: &str, stop: &Stop, reason: StopReason) -> Error {
    let what = format!("{operation} did not return: {}", stop.in_words(reason));
    let error = Error::new(ErrorKind::Stopped, "call", what);
    match reason {
        StopReason::Interrupted => error,
        StopReason::Deadline => error.temporary().hint("give it more time, or call it again"),
        StopReason::Wait(wait) => {
            let error = error.temporary();
            error.hint(format!("call it again in {} s", wait.as_secs_f64().ceil()))
        }
    }
}

/// Of an object that is not there, the address is not to blame.
fn not_found(error: Error, operation: &OperationName) -> Error {
    if error.kind() == ErrorKind::NotFound {
        return error.hint(format!(
            "there is nothing of these parameters of {operation}, or nothing that these credentials may see"
        ));
    }
    error
}

/// The list that a request begins, as the list of an endpoint, without placeholders.
fn list_of(
    account: &Account,
    operation: &Operation,
    list: &ReturnedList,
    request: &PageRequest,
) -> Result<StreamSpec> {
    let literal = |text: &str| text.replace('{', "{{").replace('}', "}}");
    let base = account.base_url().path().trim_end_matches('/');
    let path = request.address.url.path().strip_prefix(base).unwrap_or_default();
    let mut query = serde_json::Map::new();
    for (name, value) in request.address.url.query_pairs() {
        let values = query.entry(name.into_owned()).or_insert_with(|| json!([]));
        if let Value::Array(values) = values {
            values.push(literal(&value).into());
        }
    }
    let headers: serde_json::Map<String, Value> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), literal(&String::from_utf8_lossy(value.as_bytes())).into()))
        .collect();
    let mut spec = json!({
        "method": if request.method == http::Method::GET { "GET" } else { "POST" },
        "path": literal(path),
        "query": query,
        "headers": headers,
        "errors": operation.errors,
        "records": list.records,
        "primary_key": list.primary_key,
        "paginator": list.paginator,
        "page_size": list.page_size,
    });
    if let Some(RequestBody::Json(document)) = &request.body {
        spec["body"] = json!({"json": literal_document(document, &literal)});
    }
    serde_json::from_value(spec).map_err(|error| {
        Error::new(ErrorKind::Definition, "build request", "invalid list of an operation").caused_by(error)
    })
}

fn literal_document(document: &Value, literal: &dyn Fn(&str) -> String) -> Value {
    match document {
        Value::String(text) => literal(text).into(),
        Value::Array(items) => items.iter().map(|item| literal_document(item, literal)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), literal_document(member, literal)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}
