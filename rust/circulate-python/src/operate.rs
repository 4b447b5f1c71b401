//! Operations: the functions of the module.

use std::sync::Arc;

use circulate_core::api::auth::sign_in;
use circulate_core::error::{Error, ErrorKind, Result};
use circulate_core::location::Locations;
use circulate_core::operate::{OperationCall, ParameterValues};
use circulate_core::stop::Stop;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::{Map, Value};

use crate::account::{PyAccount, connection};
use crate::hooks;
use crate::results::py_result;
use crate::runtime::{Brief, wait};

/// Call an operation that reads; see `circulate_core.call`.
#[pyfunction]
pub(crate) fn call(
    py: Python<'_>,
    operation: String,
    parameters: String,
    account: &PyAccount,
) -> PyResult<Py<PyAny>> {
    let account = account.clone();
    let work = async move {
        let given: Map<String, Value> = serde_json::from_str(&parameters).map_err(|error| {
            Error::new(ErrorKind::Settings, "read parameters", "the parameters are not a JSON object")
                .caused_by(error)
        })?;
        let call = Box::pin(prepared(&operation, &account, given)).await?;
        Box::pin(call.read()).await
    };
    let returned = py_result(py, wait(py, work, &mut Brief)?)?;
    Ok(py.import("json")?.call_method1("loads", (PyBytes::new(py, &returned),))?.unbind())
}

/// A call that is ready to be made: its parameters are checked first.
async fn prepared(name: &str, account: &PyAccount, given: Map<String, Value>) -> Result<OperationCall> {
    let (stream, operation) = name.rsplit_once('.').unwrap_or((name, ""));
    let definition = account.catalog.stream(stream)?;
    let called = definition.operation(operation)?;
    let values = ParameterValues::new(name, called, given)?;
    let scopes = called.scopes.as_ref().map(|scopes| scopes.iter().cloned().collect());
    let resolved = account.resolve(&definition.source, &Locations::default()).await?;
    let stop = Stop::new(None);
    let hooks = hooks::load(Arc::clone(&definition.hooks), &stop).await?;
    let connection = connection(&definition.source, &resolved)?.with_hooks(hooks);
    let authorize = sign_in(&definition.source, &resolved, &connection, scopes.as_ref())?;
    Ok(OperationCall {
        operation: operation.to_owned(),
        values,
        definition,
        account: resolved,
        connection,
        authorize,
        headroom: account.headroom,
        progress: Arc::default(),
        stop,
    })
}
