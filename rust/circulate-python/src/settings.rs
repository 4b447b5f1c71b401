//! Settings of an account, some of which are secret, as Python holds them: the class `Settings` of the module.

use std::collections::BTreeMap;

use circulate_core::error::{Error, ErrorKind};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyMapping;

use crate::errors::to_python;

/// Settings by name, whose values Python does not see: neither `vars` nor `repr`, neither a traceback with its locals nor
/// the garbage collector shows one. They are copied by reference, and not pickled.
///
/// What is wrong with them is raised when they are used, and not when they are taken in: no caller on the way there has
/// the values at hand then, for a traceback to show.
#[pyclass(frozen, module = "circulate_core._core")]
pub(crate) struct Settings(Result<BTreeMap<String, String>, String>);

#[pymethods]
impl Settings {
    #[new]
    #[pyo3(signature = (values=None))]
    fn new(values: Option<&Bound<'_, PyAny>>) -> Self {
        Self(values.map_or_else(|| Ok(BTreeMap::new()), taken))
    }

    /// Their names, sorted.
    #[getter]
    fn names(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(self.values(py)?.into_keys().collect())
    }

    /// The values of all but these.
    #[expect(clippy::needless_pass_by_value, reason = "Python gives it away")]
    fn without(&self, py: Python<'_>, secrets: Vec<String>) -> PyResult<BTreeMap<String, String>> {
        let mut values = self.values(py)?;
        values.retain(|name, _| !secrets.contains(name));
        Ok(values)
    }

    /// These alone, as far as they are there.
    #[expect(clippy::needless_pass_by_value, reason = "Python gives it away")]
    fn only(&self, py: Python<'_>, names: Vec<String>) -> PyResult<Self> {
        let mut values = self.values(py)?;
        values.retain(|name, _| names.contains(name));
        Ok(Self(Ok(values)))
    }

    /// These, and those of another in their place where both have one.
    fn merged(&self, py: Python<'_>, other: &Self) -> PyResult<Self> {
        let mut values = self.values(py)?;
        values.extend(other.values(py)?);
        Ok(Self(Ok(values)))
    }

    fn __repr__(&self) -> String {
        let names =
            self.0.as_ref().map(|values| values.keys().map(String::as_str).collect::<Vec<_>>().join(" "));
        format!("<Settings {}>", names.unwrap_or_default())
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    #[expect(clippy::unused_self, reason = "as Python calls it")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "credentials are not pickled: make the source in the other process, by `circulate_core.source`, which reads its \
             settings there",
        ))
    }
}

impl Settings {
    /// The values, for the engine.
    pub(crate) fn values(&self, py: Python<'_>) -> PyResult<BTreeMap<String, String>> {
        self.0
            .clone()
            .map_err(|what| to_python(py, &Error::new(ErrorKind::Settings, "read settings", what), None))
    }
}

/// The strings of a mapping. What is wrong with one is reported without its value.
fn taken(values: &Bound<'_, PyAny>) -> Result<BTreeMap<String, String>, String> {
    if let Ok(settings) = values.cast::<Settings>() {
        return settings.get().0.clone();
    }
    let kind = |value: &Bound<'_, PyAny>| {
        value.get_type().name().map_or_else(|_| "thing".to_owned(), |name| name.to_string())
    };
    let wrong = || format!("`settings` is a {}: give texts by name", kind(values));
    let items = values.cast::<PyMapping>().map_err(|_| wrong())?.items().map_err(|_| wrong())?;
    let pair = |item: Bound<'_, PyAny>| {
        let (name, value) = item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>().map_err(|_| wrong())?;
        let name: String = name
            .extract()
            .map_err(|_| format!("`settings` has a {} for a name: give texts by name", kind(&name)))?;
        let text = value.extract().map_err(|_| match kind(&value).as_str() {
            "str" => format!("the setting `{name}` is not Unicode: it holds bytes that are not UTF-8"),
            other => format!("the setting `{name}` is a {other}: give a string"),
        })?;
        Ok((name, text))
    };
    items.iter().map(pair).collect()
}
