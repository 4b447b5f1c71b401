//! Accounts to pull from: the class `Account` of the module.

use std::collections::BTreeMap;
use std::sync::Arc;

use circulate_core::api::account::Account;
use circulate_core::api::auth::Connection;
use circulate_core::catalog::{Catalog, Share, Source};
use circulate_core::clock::Clock;
use circulate_core::error::{Error, ErrorKind, Result};
use circulate_core::location::Locations;
use pyo3::prelude::*;

use crate::catalog::PyCatalog;
use crate::options::{Arguments, Headroom, Time, option_of, options};
use crate::results::py_result;
use crate::runtime::{Brief, Engine, wait};
use crate::settings::Settings;
use crate::wire::{Recording, Replay, Wire};

options! {
    /// Quota
    pub(crate) struct AccountOptions {
        /// Share of the API's quota to leave to others, such as `0.3`: from 0 up to, but not including, 1. It is taken off the
        /// quota that responses report and off rates that the definition declares.
        headroom: Option<Headroom> => "as the definition says, mostly 0.5",
    }
}

/// Which account of a source, and how to reach it. Python sees none of it.
#[pyclass(frozen, name = "Account", module = "circulate_core._core")]
#[derive(Clone)]
pub(crate) struct PyAccount {
    pub(crate) catalog: Catalog,
    settings: BTreeMap<String, String>,
    /// Name or ARN of a stored secret.
    secret: Option<String>,
    name: Option<String>,
    /// Share of the quota that is left to others, if it is not that of the definition.
    pub(crate) headroom: Option<Share>,
    /// How pulls send requests, if not as always.
    pub(crate) wire: Option<Wire>,
}

#[pymethods]
impl PyAccount {
    #[new]
    #[pyo3(signature = (catalog, settings, secret=None, name=None, options=None))]
    fn new(
        py: Python<'_>,
        catalog: &PyCatalog,
        settings: &Settings,
        secret: Option<&Bound<'_, PyAny>>,
        name: Option<&Bound<'_, PyAny>>,
        options: Option<Arguments<AccountOptions>>,
    ) -> PyResult<Self> {
        let options = options.map(Arguments::get).transpose()?;
        let text = |option: &str, given: Option<&Bound<'_, PyAny>>| {
            given.map(|given| option_of::<String>(py, option, given)).transpose()
        };
        Ok(Self {
            catalog: catalog.0.clone(),
            settings: settings.values(py)?,
            secret: text("secret", secret)?,
            name: text("account", name)?,
            headroom: options.and_then(|options| options.headroom).map(|Headroom(share)| share),
            wire: None,
        })
    }

    /// The same, whose pulls hand what they request and get to `recorder`: to its `begin`, `admits` and `take`. The time of
    /// their state is `at`.
    fn recorded(&self, py: Python<'_>, recorder: Py<PyAny>, at: &Bound<'_, PyAny>) -> PyResult<Self> {
        let Time(at) = option_of(py, "at", at)?;
        let recording = Recording { recorder: Arc::new(recorder), clock: Clock::from_fn(move || at) };
        Ok(Self { wire: Some(Wire::Recorded(recording)), ..self.clone() })
    }

    /// The same, whose pulls are answered by the server of a recording, at the time `at`. Waits take no time.
    #[pyo3(signature = (server, at, on_write=None))]
    fn replayed(
        &self,
        py: Python<'_>,
        server: String,
        at: &Bound<'_, PyAny>,
        on_write: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let Time(at) = option_of(py, "at", at)?;
        let replay = Replay { server, clock: Clock::skipping_waits(at), on_write: on_write.map(Arc::new) };
        Ok(Self { wire: Some(Wire::Replayed(replay)), ..self.clone() })
    }

    /// Seconds of waits that its replays did not take.
    #[getter]
    fn skipped(&self) -> f64 {
        match &self.wire {
            Some(Wire::Replayed(replay)) => replay.clock.skipped().as_secs_f64(),
            _ => 0.0,
        }
    }
}

impl PyAccount {
    /// The account's name, where nothing is requested of it.
    pub(crate) async fn name_alone(&self, source: &Source, locations: &Locations) -> Result<String> {
        let stored = match &self.secret {
            Some(id) if self.name.is_none() => Some(locations.secret(id).await?),
            _ => None,
        };
        Account::name_alone(source, &self.settings, stored.as_ref(), self.name.as_deref())
    }

    pub(crate) async fn resolve(&self, source: &Source, locations: &Locations) -> Result<Account> {
        let stored = match &self.secret {
            Some(id) => Some(locations.secret(id).await?),
            None => None,
        };
        Account::resolve(source, &self.settings, stored, self.name.as_deref())
    }
}

/// The name of an account in keys and state. Nothing is requested of it.
#[pyfunction]
pub(crate) fn account_name(py: Python<'_>, account: &PyAccount, source: &str) -> PyResult<String> {
    let (account, source) = (account.clone(), py_result(py, account.catalog.source(source))?);
    let work = async move { account.name_alone(&source, &Locations::default()).await };
    py_result(py, wait(py, work, &mut Brief)?)
}

pub(crate) fn connection(source: &Source, account: &Account) -> Result<Connection> {
    let engine = Engine::get().map_err(|error| {
        Error::new(ErrorKind::Stopped, "connect", "the engine can't be started").caused_by(error)
    })?;
    engine.connections.of(source, account)
}
