//! A fixed header, such as Okta's `Authorization: SSWS 00a...`.

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Authorize;
use crate::api::account::Account;
use crate::api::http::{Failure, Request};
use crate::catalog::{HeaderAuth, Name};
use crate::error::{Error, ErrorKind, Result};

/// The same header on every request, as long as its secret stays the same.
#[derive(Debug)]
pub struct StaticHeader {
    name: HeaderName,
    prefix: String,
    secret: Name,
    account: Account,
}

impl StaticHeader {
    /// Puts a secret of `account` into the header `spec` describes; refuses what no header can hold, such as a line break.
    pub fn new(spec: &HeaderAuth, account: &Account) -> Result<Self> {
        let name = spec.name.parse().map_err(|error: http::header::InvalidHeaderName| {
            Error::new(
                ErrorKind::Definition,
                "prepare credentials",
                format!("`{}` is not a header name", spec.name),
            )
            .caused_by(error)
        })?;
        let (prefix, secret) = (spec.prefix.clone(), spec.secret.clone());
        let header = Self { name, prefix, secret, account: account.clone() };
        header.value().map(|_| header)
    }

    fn value(&self) -> Result<HeaderValue> {
        let secret = self.account.secret(&self.secret)?;
        let mut value: HeaderValue = format!("{}{}", self.prefix, secret.expose()).parse().map_err(|_| {
            Error::new(
                ErrorKind::Settings,
                "prepare credentials",
                format!("`{}` has characters that no header can hold", self.secret),
            )
            .hint("it may have been copied with a line break or typographic quotes")
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl Authorize for StaticHeader {
    fn apply<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async {
            request.headers.insert(self.name.clone(), self.value()?);
            Ok(())
        })
    }

    fn renew<'a>(&'a self, refused: &'a HeaderMap) -> BoxFuture<'a, Result<bool>> {
        let differs = || Ok(refused.get(&self.name) != Some(&self.value()?));
        Box::pin(async move {
            // Another request may have been refused before this one.
            if !differs()? {
                self.account.read_again(&self.secret).await?;
            }
            differs()
        })
    }
}
