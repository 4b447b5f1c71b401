//! Checks of a source, and looks at one that nobody has described yet: the functions of the module.

use std::sync::Arc;

use circulate_core::error::{Error, ErrorKind, Result};
use circulate_core::location::Locations;
use circulate_core::redact::Redactor;
use circulate_core::run::anything::fetch_anything;
use circulate_core::run::check as core_check;
use circulate_core::stop::Stop;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::account::{PyAccount, connection};
use crate::hooks;
use crate::results::{finish_as, py_result};
use crate::runtime::{Brief, wait};
use crate::watcher::WorkWatcher;

/// Ask a source once, without retries; see `circulate_core.check`.
#[pyfunction]
pub(crate) fn check(
    py: Python<'_>,
    source: String,
    streams: Vec<String>,
    account: &PyAccount,
) -> PyResult<Py<PyAny>> {
    let account = account.clone();
    let work = async move {
        let source = account.catalog.source(&source)?;
        let streams =
            streams.iter().map(|name| account.catalog.readable_stream(name)).collect::<Result<Vec<_>>>()?;
        let resolved = account.resolve(&source, &Locations::default()).await?;
        let mut files = account.catalog.hooks_of_source(&source)?;
        for stream in &streams {
            files.add(&stream.hooks);
        }
        let hooks = hooks::load(Arc::new(files), &Stop::new(None)).await?;
        let connection = connection(&source, &resolved)?.with_hooks(hooks);
        core_check::check(&source, &resolved, &connection, &streams, account.headroom).await
    };
    finish_as(py, "Checked", wait(py, work, &mut Brief)?)
}

/// Request an address of a source's own origin; return the headers of the response, and its body as it was received.
#[pyfunction]
#[expect(clippy::type_complexity, reason = "Python's tuple")]
pub(crate) fn fetch(
    py: Python<'_>,
    source: String,
    url: String,
    account: &PyAccount,
) -> PyResult<(u16, Vec<(String, String)>, Py<PyBytes>)> {
    let account = account.clone();
    let stop = Stop::new(None);
    let mut watcher = WorkWatcher::new(py, &Arc::default(), &stop, None, None)?;
    let work = async move {
        let source = account.catalog.source(&source)?;
        let url = url.parse().map_err(|error| {
            Error::new(ErrorKind::Settings, "read address", "it is not an address").caused_by(error)
        })?;
        let resolved = account.resolve(&source, &Locations::default()).await?;
        let hooks = hooks::load(Arc::new(account.catalog.hooks_of_source(&source)?), &stop).await?;
        let connection = connection(&source, &resolved)?.with_hooks(hooks);
        fetch_anything(&source, &resolved, &connection, url, &stop).await
    };
    let found = py_result(py, wait(py, work, &mut watcher)?)?;
    let shown = |value: &http::HeaderValue| Redactor::shared().shown_bytes(value.as_bytes(), MAX_HEADER);
    let headers = found.headers.iter().map(|(name, value)| (name.to_string(), shown(value))).collect();
    Ok((found.status.as_u16(), headers, PyBytes::new(py, &found.text).unbind()))
}

/// The most characters of a header that are of interest.
const MAX_HEADER: usize = 8_000;
