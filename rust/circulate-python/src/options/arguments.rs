//! Options out of a dict of Python, of which all mistakes are named at once.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::given::Given;
use super::group::Options;

/// Options out of a dict, or what is wrong with them. That is raised by the function that takes them: an error of an
/// argument would get a note with its name, which only we know.
pub(crate) struct Arguments<T>(PyResult<T>);

impl<T> Arguments<T> {
    /// The options.
    pub(crate) fn get(self) -> PyResult<T> {
        self.0
    }
}

impl<'py, T: Options> FromPyObject<'_, 'py> for Arguments<T> {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let mut given = Given::new(given.cast::<PyDict>()?);
        given.refuse_unknown(&T::declared().into_iter().map(|option| option.name).collect::<Vec<_>>());
        let taken = T::take(&mut given);
        Ok(Self(given.finish(taken)))
    }
}
