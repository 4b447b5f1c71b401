//! Options as Python gives them, and what is wrong with them.

use circulate_core::error::{Error, ErrorKind};
use circulate_core::nearest::nearest;
use circulate_core::redact::Redactor;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::values::Value;
use crate::errors::to_python;

/// The operation of an error in options.
const READ_OPTIONS: &str = "read options";

/// What was given, and what is wrong with it.
pub(crate) struct Given<'a, 'py> {
    dict: Borrowed<'a, 'py, PyDict>,
    problems: Vec<String>,
}

impl<'a, 'py> Given<'a, 'py> {
    pub(super) fn new(dict: Borrowed<'a, 'py, PyDict>) -> Self {
        Self { dict, problems: Vec::new() }
    }

    /// The options, if nothing is wrong with what was given.
    pub(super) fn finish<T>(self, taken: Option<T>) -> PyResult<T> {
        taken.filter(|_| self.problems.is_empty()).ok_or_else(|| wrong(self.dict.py(), &self.problems))
    }

    /// The value of an option, or its default; `None` if it is wrong, which is noted.
    pub(crate) fn take<T: Value>(&mut self, name: &str, default: Option<&str>) -> Option<T> {
        let given = self.dict.get_item(name).ok().flatten().filter(|value| !value.is_none());
        let given = given.or_else(|| default.map(|text| PyString::new(self.dict.py(), text).into_any()));
        let value = match given {
            Some(value) => T::read(&value).map_err(|why| invalid(name, &why)),
            None => T::left_out().ok_or_else(|| format!("`{name}` is missing")),
        };
        value.map_err(|problem| self.problems.push(problem)).ok()
    }

    pub(super) fn refuse_unknown(&mut self, known: &[&'static str]) {
        for key in self.dict.keys() {
            let name = key.to_string();
            if known.contains(&name.as_str()) {
                continue;
            }
            let meant = nearest(&name, known.iter().copied());
            let hint = meant.map_or_else(String::new, |meant| format!(": did you mean `{meant}`?"));
            let name = Redactor::shared().shown(&name, 100);
            self.problems.push(format!("there is no option `{name}`{hint}"));
        }
    }
}

/// The value of one option.
pub(crate) fn option_of<T: Value>(py: Python<'_>, name: &str, given: &Bound<'_, PyAny>) -> PyResult<T> {
    T::read(given).map_err(|why| wrong(py, &[invalid(name, &why)]))
}

fn invalid(name: &str, why: &str) -> String {
    Redactor::shared().shown(&format!("invalid `{name}`: {why}"), 400)
}

fn wrong(py: Python<'_>, problems: &[String]) -> PyErr {
    let error = Error::new(ErrorKind::Settings, READ_OPTIONS, problems.join("; "));
    to_python(py, &error, None)
}
