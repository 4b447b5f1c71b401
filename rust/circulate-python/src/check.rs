//! Checks of a source: the function of the module.

use circulate_core::error::Result;
use circulate_core::location::Locations;
use circulate_core::run::check as core_check;
use pyo3::prelude::*;

use crate::account::{AccountRequest, connection};
use crate::arguments::from_json;
use crate::results::finish_as;
use crate::runtime::{Brief, wait};
use crate::settings::Settings;

/// Ask a source once, without retries; see `circulate_core.check`.
#[pyfunction]
pub(crate) fn check(
    py: Python<'_>,
    source: &str,
    streams: Vec<String>,
    request: &str,
    settings: &Settings,
) -> PyResult<Py<PyAny>> {
    let mut request: AccountRequest = from_json(py, request)?;
    request.settings = settings.values(py)?;
    let source = source.to_owned();
    let work = async move {
        let catalog = request.catalog();
        let source = catalog.source(&source)?;
        let streams = streams.iter().map(|name| catalog.stream(name)).collect::<Result<Vec<_>>>()?;
        let account = request.resolve(&source, &Locations::default()).await?;
        let connection = connection(&source, &account)?;
        core_check::check(&source, &account, &connection, &streams).await
    };
    finish_as(py, "Checked", wait(py, work, &mut Brief)?)
}
