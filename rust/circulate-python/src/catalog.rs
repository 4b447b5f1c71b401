//! Definitions: the class `Catalog` of the module.

use std::collections::BTreeMap;
use std::path::PathBuf;

use circulate_core::catalog::{Catalog, Columns, Definition, Endpoint, Inline, Source, playbook_from_yaml};
use circulate_core::lake::manifest::Identity;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::Serialize;

use crate::results::{document, py_result};

/// Where definitions are: folders, and what is defined in code.
#[pyclass(frozen, name = "Catalog", module = "circulate_core._core")]
pub(crate) struct PyCatalog(pub(crate) Catalog);

/// A source that is defined in code, its definitions as YAML or JSON text.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct InlineArguments {
    source: String,
    definition: Option<String>,
    endpoints: BTreeMap<String, String>,
    hooks: BTreeMap<String, String>,
}

#[pymethods]
impl PyCatalog {
    #[new]
    #[pyo3(signature = (folders, inline=None, without_hooks=None))]
    fn new(
        folders: Vec<PathBuf>,
        inline: Option<InlineArguments>,
        without_hooks: Option<BTreeMap<PathBuf, String>>,
    ) -> Self {
        let inline = inline.map(|InlineArguments { source, definition, endpoints, hooks }| Inline {
            source,
            definition,
            endpoints,
            hooks,
        });
        let without_hooks = without_hooks.unwrap_or_default().into_iter().collect();
        Self(Catalog::new(folders).with(inline).without_hooks(without_hooks))
    }

    /// Names of all streams, sorted.
    fn streams(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        py_result(py, self.0.streams())
    }

    /// The definition of a stream.
    fn stream(&self, py: Python<'_>, name: &str) -> PyResult<Py<PyAny>> {
        #[derive(Serialize)]
        struct Both {
            source: Source,
            endpoint: Endpoint,
        }
        let Definition { source, endpoint, .. } = py_result(py, self.0.stream(name))?;
        document(py, &Both { source, endpoint })
    }

    /// What identifies the records of a stream, and the columns that it declares; none if nothing defines it.
    fn identity(&self, py: Python<'_>, name: &str) -> PyResult<Option<Py<PyAny>>> {
        #[derive(Serialize)]
        struct WithColumns<'d> {
            #[serde(flatten)]
            identity: Identity,
            columns: &'d Columns,
        }
        if !py_result(py, self.0.streams())?.iter().any(|known| known == name) {
            return Ok(None);
        }
        let definition = py_result(py, self.0.stream(name))?;
        let identity = Identity::of(&definition);
        document(py, &WithColumns { identity, columns: &definition.endpoint.columns }).map(Some)
    }

    /// Where the definition of a stream has keys by their earlier names, and what these are called now.
    fn earlier_keys(&self, py: Python<'_>, name: &str) -> PyResult<Vec<String>> {
        py_result(py, self.0.earlier_keys(name))
    }

    /// Names and bytes of the files with the hooks of a stream.
    fn hook_files<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Vec<(String, Bound<'py, PyBytes>)>> {
        let definition = py_result(py, self.0.stream(name))?;
        let files = definition.hooks.files.iter();
        Ok(files.map(|(name, file)| (name.clone(), PyBytes::new(py, &file.code))).collect())
    }

    /// Names and texts of the files that would define what is defined in code of a source.
    fn files(&self, py: Python<'_>, source: &str) -> PyResult<Vec<(String, String)>> {
        let files = py_result(py, self.0.files(source))?;
        Ok(files.into_iter().map(|file| (file.name, file.text)).collect())
    }

    /// Whether a text says what the file of that name would say, in whatever words.
    fn says_the_same(&self, py: Python<'_>, source: &str, file: &str, text: &str) -> PyResult<bool> {
        py_result(py, self.0.says_the_same(source, file, text))
    }

    /// A playbook in YAML, whose operations are defined here; `file` is for messages.
    #[expect(clippy::needless_pass_by_value, reason = "Python gives it away")]
    fn playbook(&self, py: Python<'_>, text: &str, file: PathBuf) -> PyResult<Py<PyAny>> {
        document(py, &py_result(py, playbook_from_yaml(text, &file, &self.0))?)
    }

    /// The definition of a source.
    fn source(&self, py: Python<'_>, name: &str) -> PyResult<Py<PyAny>> {
        document(py, &py_result(py, self.0.source(name))?)
    }
}
