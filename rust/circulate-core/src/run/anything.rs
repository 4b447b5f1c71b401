//! One response of an API that nobody has described yet: to see what there is.

use std::sync::Arc;

use url::Url;

use crate::api::account::Account;
use crate::api::auth::{Connection, sign_in};
use crate::api::client::{Client, ResponseDocument};
use crate::api::http::{Jitter, Retry, RetryPolicy};
use crate::api::page_request::PageRequest;
use crate::catalog::Source;
use crate::error::Result;
use crate::progress::Progress;
use crate::stop::Stop;

/// Requests an address of the account's own origin, signed in as its source says, and returns what came.
pub async fn fetch_anything(
    source: &Source,
    account: &Account,
    connection: &Connection,
    url: Url,
    stop: &Stop,
) -> Result<ResponseDocument> {
    let authorize = sign_in(source, account, connection, None)?;
    let retry = Retry::new(RetryPolicy::default(), Jitter::random());
    let progress = Arc::new(Progress::default());
    let client = Client::new(source, account, connection, authorize, retry, progress, stop.clone())?;
    client.fetch_anything(PageRequest::new(url)).await
}
