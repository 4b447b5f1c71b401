//! Fixed headers, such as Okta's `Authorization: SSWS 00a...`.

use http::HeaderName;
use jiff::Timestamp;

use super::signer::{Signer, secret_header};
use crate::api::account::Account;
use crate::api::http::Request;
use crate::catalog::{HeaderAuth, Name};
use crate::error::{Error, ErrorKind, Result};

/// The same headers on every request.
#[derive(Debug)]
pub(super) struct StaticHeaders(Vec<StaticHeader>);

#[derive(Debug)]
struct StaticHeader {
    name: HeaderName,
    prefix: String,
    secret: Name,
}

impl StaticHeaders {
    /// The headers that these describe.
    pub(super) fn new(specs: &[HeaderAuth]) -> Result<Self> {
        let header = |spec: &HeaderAuth| {
            let name = spec.name.parse().map_err(|error: http::header::InvalidHeaderName| {
                let what = format!("`{}` is not a header name", spec.name);
                Error::new(ErrorKind::Definition, "prepare credentials", what).caused_by(error)
            })?;
            Ok(StaticHeader { name, prefix: spec.prefix.clone(), secret: spec.secret.clone() })
        };
        specs.iter().map(header).collect::<Result<_>>().map(Self)
    }
}

impl Signer for StaticHeaders {
    fn sign(&self, account: &Account, request: &mut Request, _: Timestamp) -> Result<()> {
        for StaticHeader { name, prefix, secret } in &self.0 {
            let text = format!("{prefix}{}", account.secret(secret)?.expose());
            request.headers.insert(name.clone(), secret_header(&text, secret)?);
        }
        Ok(())
    }

    fn settings(&self) -> Vec<&Name> {
        self.0.iter().map(|header| &header.secret).collect()
    }
}
