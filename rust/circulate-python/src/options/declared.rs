//! What is declared of an option.

use pyo3::prelude::*;

use super::values::Value;

/// What is declared of an option.
#[pyclass(frozen, get_all, module = "circulate_core._core")]
pub(crate) struct DeclaredOption {
    /// Title of its group.
    group: &'static str,
    /// Its name in Python, such as `batch_bytes`.
    pub(crate) name: &'static str,
    /// Its kind of value: `TIME`, `SPAN`, `SIZE`, `N`, `SHARE`, `NAME`, `CHOICE` or `FLAG`.
    kind: &'static str,
    /// Its values, if it is a choice.
    choices: Vec<&'static str>,
    /// Its default as people write it; None if it may be left out, or must be given.
    default: Option<&'static str>,
    /// What it is if it is left out, if that is not one value.
    left_out: Option<&'static str>,
    /// What it does. The first sentence is complete by itself.
    about: String,
}

impl DeclaredOption {
    pub(crate) fn new<T: Value>(
        group: &'static str,
        name: &'static str,
        about: &[&str],
        default: Option<&'static str>,
        left_out: Option<&'static str>,
    ) -> Self {
        let about = about.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        let group = group.trim().trim_end_matches('.');
        Self { group, name, kind: T::KIND, choices: T::CHOICES.to_vec(), default, left_out, about }
    }
}
