//! The options that functions of the package take, for Python to make flags of, and for tests: functions of the module.

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;

use crate::account::AccountOptions;
use crate::locations::{LakeArguments, S3Arguments};
use crate::options::{Arguments, DeclaredOption, Options};
use crate::promote::PromoteOptions;
use crate::pull::PullOptions;
use crate::register::RegisterOptions;
use crate::upkeep::GcOptions;

/// The options of `pull`, `promote`, `register`, `gc`, `s3` or `account`, in order.
#[pyfunction]
pub(crate) fn declared_options(function: &str) -> PyResult<Vec<DeclaredOption>> {
    match function {
        "pull" => Ok(PullOptions::declared()),
        "promote" => Ok(PromoteOptions::declared()),
        "register" => Ok(RegisterOptions::declared()),
        "gc" => Ok(GcOptions::declared()),
        "s3" => Ok(S3Arguments::declared()),
        "account" => Ok(AccountOptions::declared()),
        other => Err(PyKeyError::new_err(other.to_owned())),
    }
}

/// Refuse options that are wrong, as the function that takes them would.
#[pyfunction]
pub(crate) fn check_options(function: &str, options: &Bound<'_, PyAny>) -> PyResult<()> {
    match function {
        "pull" => options.extract::<Arguments<PullOptions>>()?.get().map(drop),
        "promote" => options.extract::<Arguments<PromoteOptions>>()?.get().map(drop),
        "register" => options.extract::<Arguments<RegisterOptions>>()?.get().map(drop),
        "gc" => options.extract::<Arguments<GcOptions>>()?.get().map(drop),
        "s3" => options.extract::<Arguments<S3Arguments>>()?.get().map(drop),
        "account" => options.extract::<Arguments<AccountOptions>>()?.get().map(drop),
        other => Err(PyKeyError::new_err(other.to_owned())),
    }
}

/// Refuse a lake that can be none, or whose state is not known.
#[pyfunction]
pub(crate) fn check_lake(py: Python<'_>, lake: LakeArguments) -> PyResult<()> {
    lake.with_state(py).map(drop)
}
