//! Tokens in files: functions of the module.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use circulate_core::api::auth::{FileToken, Minter, TokenFolder};
use circulate_core::api::http::{Jitter, Retry, RetryPolicy};
use circulate_core::clock::Clock;
use circulate_core::error::{Error, ErrorKind};
use circulate_core::location::Locations;
use pyo3::prelude::*;
use tokio::time::Instant;

use crate::account::{PyAccount, connection};
use crate::errors::to_python;
use crate::results::{document, finish_as, py_result};
use crate::runtime::{Brief, wait};

/// What token to see to; named as the extension names it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct MintArguments {
    source: String,
    scopes: BTreeSet<String>,
    profile: String,
    instance: String,
    /// What the caller calls settings of the source, for hints.
    names: BTreeMap<String, String>,
    /// Digest of the token that the API refused.
    refused: Option<String>,
    seconds: f64,
}

/// See to it that a profile's token file holds a token that is not due; returns what may be shown of it.
#[pyfunction]
pub(crate) fn mint(py: Python<'_>, account: &PyAccount, arguments: MintArguments) -> PyResult<Py<PyAny>> {
    let MintArguments { source, scopes, profile, instance, mut names, refused, seconds } = arguments;
    let account = account.clone();
    let failed = profile.clone();
    let work = async move {
        let span = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let began = Instant::now();
        let mut source = account.catalog.source(&source)?;
        for (setting, definition) in &mut source.settings {
            definition.env = names.remove(setting.as_str()).unwrap_or_else(|| definition.env.clone());
        }
        let locations = Locations::default();
        // Reading a stored secret has a patience of its own, which is longer than an extension may have.
        let resolved = tokio::time::timeout(span, account.resolve(&source, &locations)).await;
        let resolved = resolved.map_err(|_| secret_too_slow(span))??;
        let connection = connection(&source, &resolved)?;
        let retry = Retry::new(RetryPolicy::default(), Jitter::random());
        let names = (profile.as_str(), instance.as_str());
        let folder = TokenFolder::standard();
        let minter = Minter::new((&source, &resolved, &connection), &scopes, names, folder, retry)?;
        minter.mint(refused.as_deref(), span.saturating_sub(began.elapsed())).await
    };
    let work = async move { work.await.map_err(|error: Error| error.with("profile", failed)) };
    document(py, &py_result(py, wait(py, Box::pin(work), &mut Brief)?)?)
}

fn secret_too_slow(span: Duration) -> Error {
    let message = format!("the secret could not be read within {:.1} s", span.as_secs_f64());
    Error::new(ErrorKind::Network, "read secret", message).temporary().persistent()
}

/// The token of a profile, as its file has it; other than the one with the digest `refused`.
#[pyfunction]
pub(crate) fn token(py: Python<'_>, profile: String, refused: Option<String>) -> PyResult<Py<PyAny>> {
    let work = async move {
        let reader = FileToken::new(&profile, TokenFolder::standard(), Clock::system(), None);
        match refused {
            None => reader.current().await,
            Some(refused) => reader.other_than(&refused).await,
        }
    };
    finish_as(py, "Token", wait(py, work, &mut Brief)?)
}

/// Make the folder of token files, empty it, and return where new tokens can be requested.
#[pyfunction]
pub(crate) fn clear_tokens(py: Python<'_>) -> PyResult<PathBuf> {
    let folder = TokenFolder::standard();
    folder.clear().map(|()| folder.socket()).map_err(|error| to_python(py, &error, None))
}
