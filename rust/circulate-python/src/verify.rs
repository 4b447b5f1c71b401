//! Reading back what a manifest names: the function of the module.

use circulate_core::upkeep::verify as core_verify;
use pyo3::prelude::*;

use crate::arguments::from_json;
use crate::locations::S3Request;
use crate::results::finish_as;
use crate::runtime::{Brief, wait};

/// Read everything a manifest names and compare it; see `circulate_core.verify`.
#[pyfunction]
pub(crate) fn verify(
    py: Python<'_>,
    destination: String,
    key: String,
    state: Option<String>,
    s3: &str,
) -> PyResult<Py<PyAny>> {
    let s3: S3Request = from_json(py, s3)?;
    let work = async move {
        let locations = s3.locations()?;
        let sink = locations.sink(&destination).await?;
        let store = match state {
            Some(state) => locations.existing_state(&state).await?,
            None => None,
        };
        core_verify::verify(&*sink, &key, store.as_deref()).await
    };
    finish_as(py, "Verified", wait(py, work, &mut Brief)?)
}
