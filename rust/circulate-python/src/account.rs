//! Accounts to pull from, as Python names them.

use std::collections::BTreeMap;

use circulate_core::api::account::Account;
use circulate_core::api::auth::Connection;
use circulate_core::catalog::{Catalog, Source};
use circulate_core::error::{Error, ErrorKind, Result};
use circulate_core::location::Locations;
use serde::Deserialize;

use crate::catalog::CatalogRequest;
use crate::runtime::Engine;

/// Which account of which source, and how to reach it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountRequest {
    catalog: CatalogRequest,
    /// Handed over beside the request, whose text they are not to be in.
    #[serde(skip)]
    pub(crate) settings: BTreeMap<String, String>,
    /// Name or ARN of a stored secret.
    secret: Option<String>,
    account: Option<String>,
}

impl AccountRequest {
    pub(crate) fn catalog(&self) -> Catalog {
        self.catalog.catalog()
    }

    pub(crate) async fn resolve(&self, source: &Source, locations: &Locations) -> Result<Account> {
        let stored = match &self.secret {
            Some(id) => Some(locations.secret(id).await?),
            None => None,
        };
        Account::resolve(source, &self.settings, stored, self.account.as_deref())
    }
}

pub(crate) fn connection(source: &Source, account: &Account) -> Result<Connection> {
    let engine = Engine::get().map_err(|error| {
        Error::new(ErrorKind::Stopped, "connect", "the engine can't be started").caused_by(error)
    })?;
    engine.connections.of(source, account)
}
