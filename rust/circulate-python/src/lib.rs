//! The Python module `circulate_core._core`: convert, call the core, convert.
//!
//! Options cross as dicts ([`options`]), results as objects of the package's classes; the stub `_core.pyi` is checked against
//! this module by a test.

mod account;
mod catalog;
mod check;
mod connections;
mod errors;
mod events;
mod flags;
mod hooks;
mod lake;
mod locations;
mod operate;
mod options;
mod project;
mod promote;
mod pull;
mod read;
mod register;
mod results;
mod runtime;
mod sessions;
mod settings;
mod state;
mod stop;
mod tables;
mod text;
mod tokens;
mod upkeep;
mod watcher;
mod wire;

/// Rust engine of `circulate_core`. Private: use the names of the package.
#[pyo3::pymodule]
mod _core {
    use pyo3::prelude::*;

    /// The version of the package.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_export]
    use super::account::{PyAccount, account_name};
    #[pymodule_export]
    use super::catalog::PyCatalog;
    #[pymodule_export]
    use super::check::{check, fetch};
    #[pymodule_export]
    use super::flags::{check_lake, check_options, declared_options};
    #[pymodule_export]
    use super::hooks::hooks_at_work;
    #[pymodule_export]
    use super::lake::{PyLakeTable, lake_runs, lake_streams};
    #[pymodule_export]
    use super::operate::{
        account_address, apply, approve, aws_user_id, call, ledger_entries, plan, plan_entries, plan_undo,
        playbook_inputs,
    };
    #[pymodule_export]
    use super::options::DeclaredOption;
    #[pymodule_export]
    use super::project::{json_schemas, lambda_functions};
    #[pymodule_export]
    use super::promote::promote;
    #[pymodule_export]
    use super::pull::{pull, pull_async};
    #[pymodule_export]
    use super::read::Reader;
    #[pymodule_export]
    use super::register::{register, run_manifests};
    #[pymodule_export]
    use super::sessions::log_out;
    #[pymodule_export]
    use super::settings::Settings;
    #[pymodule_export]
    use super::state::{
        mark_committed, runs, state_decide, state_init, state_moved, state_reset, state_show,
    };
    #[pymodule_export]
    use super::stop::PyStop;
    #[pymodule_export]
    use super::tables::{PyTables, Schema, Table};
    #[pymodule_export]
    use super::text::{json_of_yaml, reveals, shown, span_seconds, timestamp};
    #[pymodule_export]
    use super::tokens::{clear_tokens, mint, token};
    #[pymodule_export]
    use super::upkeep::{gc, verify};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let at_exit = module.py().import("atexit")?;
        at_exit.call_method1("register", (module.getattr("log_out")?,)).map(drop)
    }
}
