//! The Python module `circulate_core._core`: convert, call the core, convert.
//!
//! Requests cross as JSON text, results as objects of the package's classes; the stub `_core.pyi` is checked against this
//! module by a test.

mod arguments;
mod calls;
mod connections;
mod errors;
mod promote;
mod read;
mod results;
mod runtime;
mod settings;
mod tables;

/// Rust engine of `circulate_core`. Private: use the names of the package.
#[pyo3::pymodule]
mod _core {
    /// The version of the package.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_export]
    use super::calls::{
        PyStop, check, clear_tokens, definition, gc, json_schemas, lambda_functions, mint, pull, pull_async,
        runs, shown, source, span_seconds, state_decide, state_init, state_moved, state_reset, state_show,
        streams, token, verify,
    };
    #[pymodule_export]
    use super::promote::promote;
    #[pymodule_export]
    use super::read::Reader;
    #[pymodule_export]
    use super::settings::Settings;
    #[pymodule_export]
    use super::tables::{PyTables, Schema, Table};
}
