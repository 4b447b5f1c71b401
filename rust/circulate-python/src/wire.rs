//! Pulls whose requests are recorded, or answered from a recording.

use std::sync::Arc;

use circulate_core::api::account::Account;
use circulate_core::api::auth::{Connection, Tokens};
use circulate_core::api::hooks::Hooks;
use circulate_core::api::http::{
    ConcurrencyLimiter, Exchange, Pacing, Recorder, RecordingTransport, ReplayedTransport, Request,
    ReqwestTransport, Transport,
};
use circulate_core::catalog::Source;
use circulate_core::clock::Clock;
use circulate_core::error::{Error, ErrorKind, Result};
use circulate_core::lake::sink::Sink;
use circulate_core::run::PullOptions as RunOptions;
use circulate_core::state::StateStore;
use circulate_core::writes::{WriteWatch, watched};
use futures_util::future::BoxFuture;
use http::HeaderMap;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::runtime::Engine;

/// How requests of an account are sent, if not as always.
#[derive(Debug, Clone)]
pub(crate) enum Wire {
    /// To the API, and what crosses is handed to an object of Python.
    Recorded(Recording),
    /// To a server on loopback that has the recording.
    Replayed(Replay),
}

/// A recording.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    pub(crate) recorder: Arc<Py<PyAny>>,
    /// The time of the state. It stands still, so that a replay at the same time requests the same periods.
    pub(crate) clock: Clock,
}

/// A replay of a recording.
#[derive(Debug, Clone)]
pub(crate) struct Replay {
    pub(crate) server: String,
    pub(crate) clock: Clock,
    /// Called before and after each write, with what it means.
    pub(crate) on_write: Option<Arc<Py<PyAny>>>,
}

impl Wire {
    /// A connection of its own: tokens and quota of others in this process would leave requests out.
    pub(crate) fn connection(&self, source: &Source, account: &Account) -> Result<Connection> {
        let direct: Arc<dyn Transport> = Arc::new(ReqwestTransport::new(&source.timeouts)?);
        let (transport, clock): (Arc<dyn Transport>, Clock) = match self {
            Self::Recorded(recording) => {
                let recorder = PyRecorder { taker: Arc::clone(&recording.recorder) };
                recorder.begin(source, account)?;
                (Arc::new(RecordingTransport::new(direct, Arc::new(recorder))), Clock::system())
            }
            Self::Replayed(replay) => {
                let transport = ReplayedTransport::new(direct, &replay.server)?;
                (Arc::new(transport), replay.clock.clone())
            }
        };
        // One request after the other, so that they come in the same order each time.
        let slots = ConcurrencyLimiter::new(1);
        let connection = Connection {
            transport,
            pacing: Arc::new(Pacing { slots, ..Pacing::new(source, clock.clone()) }),
            tokens: Arc::new(Tokens::new(clock)),
            hooks: Hooks::default(),
        };
        if let (Self::Recorded(_), Some(engine)) = (self, Engine::started()) {
            engine.connections.keep(&connection);
        }
        Ok(connection)
    }

    /// The options of a pull with what makes its requests the same each time, and leaves something to be killed at.
    pub(crate) fn options(options: RunOptions) -> RunOptions {
        RunOptions { each_list_proved: true, checkpoint_objects: 1, ..options }
    }

    /// A lake and a state whose writes are watched, if somebody wants to.
    pub(crate) fn writes(
        &self,
        sink: Arc<dyn Sink>,
        store: Arc<dyn StateStore>,
    ) -> (Arc<dyn Sink>, Arc<dyn StateStore>) {
        let (on_write, clock) = match self {
            Self::Recorded(recording) => (None, &recording.clock),
            Self::Replayed(replay) => (replay.on_write.clone(), &replay.clock),
        };
        watched(sink, store, Arc::new(PyWriteWatch(on_write)), Some(clock.clone()))
    }
}

/// Hands exchanges to an object of Python.
#[derive(Debug)]
struct PyRecorder {
    taker: Arc<Py<PyAny>>,
}

impl PyRecorder {
    /// Says which secrets there are, whose values must not be recorded, and what the other settings are.
    fn begin(&self, source: &Source, account: &Account) -> Result<()> {
        let failed = |error: PyErr| Error::new(ErrorKind::Settings, "record", error.to_string());
        Python::attach(|py| {
            let (secrets, values) = (PyDict::new(py), PyDict::new(py));
            for (name, setting) in &source.settings {
                if setting.secret && account.is_set(name) {
                    let secret = account.secret(name)?;
                    secrets.set_item(name.as_str(), secret.expose()).map_err(failed)?;
                } else if let Some(value) = account.value(name) {
                    values.set_item(name.as_str(), value).map_err(failed)?;
                }
            }
            self.taker.call_method1(py, "begin", (secrets, values)).map(drop).map_err(failed)
        })
    }
}

impl Recorder for PyRecorder {
    fn admits(&self, number: u64, request: &Request) -> bool {
        let admitted = Python::attach(|py| {
            let admitted = self.taker.call_method1(py, "admits", (number, sent(py, request)))?;
            admitted.extract::<bool>(py)
        });
        admitted.unwrap_or_else(report)
    }

    fn take(&self, exchange: Exchange) {
        Python::attach(|py| {
            let response =
                (exchange.status.as_u16(), pairs(&exchange.headers), PyBytes::new(py, &exchange.body));
            let exchange = (exchange.number, sent(py, &exchange.request), response, exchange.is_whole);
            if let Err(error) = self.taker.call_method1(py, "take", exchange) {
                let _: bool = report(error);
            }
        });
    }
}

type Pairs = Vec<(String, String)>;

/// Method, URL, headers and body.
fn sent<'py>(py: Python<'py>, request: &Request) -> (String, String, Pairs, Bound<'py, PyBytes>) {
    let body = PyBytes::new(py, &request.body);
    (request.method.to_string(), request.url.to_string(), pairs(&request.headers), body)
}

/// Header lines, with each octet as the character of its number.
fn pairs(headers: &HeaderMap) -> Pairs {
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), value.as_bytes().iter().copied().map(char::from).collect())
    };
    headers.iter().map(line).collect()
}

/// Shows an error of a callback, and returns that nothing may go on.
fn report(error: PyErr) -> bool {
    Python::attach(|py| error.write_unraisable(py, None));
    false
}

/// Calls a function of Python at each write.
#[derive(Debug)]
struct PyWriteWatch(Option<Arc<Py<PyAny>>>);

impl WriteWatch for PyWriteWatch {
    fn at<'a>(&'a self, when: &'a str, meaning: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Some(callback) = &self.0 else { return };
            if let Err(error) = Python::attach(|py| callback.call1(py, (format!("{when} {meaning}"),))) {
                let _: bool = report(error);
            }
        })
    }
}
