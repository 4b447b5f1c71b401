//! A fixed header, such as Okta's `Authorization: SSWS 00a...`.

use std::future::ready;

use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue};

use super::Authorize;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Request;
use crate::secrets::Secret;
use crate::spec::HeaderAuth;

/// The same header on every request.
#[derive(Debug)]
pub struct StaticHeader {
    name: HeaderName,
    value: HeaderValue,
}

impl StaticHeader {
    /// Puts `secret` into the header `spec` describes; refuses what no header can hold, such as a line break.
    pub fn new(spec: &HeaderAuth, secret: &Secret) -> Result<Self> {
        let name = spec.name.parse().map_err(|error: http::header::InvalidHeaderName| {
            Error::new(
                ErrorKind::Definition,
                "prepare credentials",
                format!("`{}` is not a header name", spec.name),
            )
            .caused_by(error)
        })?;
        let mut value: HeaderValue = format!("{}{}", spec.prefix, secret.expose()).parse().map_err(|_| {
            Error::new(
                ErrorKind::Settings,
                "prepare credentials",
                format!("`{}` has characters that no header can hold", spec.secret),
            )
            .hint("it may have been copied with a line break or typographic quotes")
        })?;
        value.set_sensitive(true);
        Ok(Self { name, value })
    }
}

impl Authorize for StaticHeader {
    fn apply<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Result<()>> {
        request.headers.insert(self.name.clone(), self.value.clone());
        Box::pin(ready(Ok(())))
    }
}
