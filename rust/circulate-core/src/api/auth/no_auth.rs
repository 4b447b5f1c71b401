//! No credentials, for an API that is open to all.

use std::future::ready;

use futures_util::future::BoxFuture;

use super::Authorize;
use crate::api::http::{Failure, Request};
use crate::error::Result;

/// Asks without saying who it is.
#[derive(Debug)]
pub struct NoAuth;

impl Authorize for NoAuth {
    fn apply<'a>(&'a self, _: &'a mut Request) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(ready(Ok(())))
    }

    fn renew<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<bool>> {
        Box::pin(ready(Ok(false)))
    }
}
