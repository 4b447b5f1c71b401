//! Checks of a source: the function of the module.

use std::sync::Arc;

use circulate_core::error::Result;
use circulate_core::location::Locations;
use circulate_core::run::check as core_check;
use circulate_core::stop::Stop;
use pyo3::prelude::*;

use crate::account::{PyAccount, connection};
use crate::hooks;
use crate::results::finish_as;
use crate::runtime::{Brief, wait};

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
        let streams = streams.iter().map(|name| account.catalog.stream(name)).collect::<Result<Vec<_>>>()?;
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
