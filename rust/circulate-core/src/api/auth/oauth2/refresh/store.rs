//! The seam between refreshing and where refresh tokens are kept.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::record::RefreshRecord;
use crate::error::Result;

/// Keeps a refresh token that several processes use, one after the other.
pub(in crate::api::auth::oauth2) trait RefreshStore:
    Send + Sync + fmt::Debug
{
    /// What is kept now; the first token, if nothing is.
    fn read(&self) -> BoxFuture<'_, Result<RefreshRecord>>;

    /// The right to use the refresh token, which one process has at a time; `None` while it is another's.
    fn claim(&self) -> BoxFuture<'_, Result<Option<Box<dyn RefreshClaim>>>>;

    /// How often those who wait look whether another process is done.
    fn poll(&self) -> Duration;

    /// Where a person puts a first token.
    fn first_token_goes_to(&self) -> &str;
}

/// The right to use a refresh token. It ends when it is dropped, or lapses.
pub(in crate::api::auth::oauth2) trait RefreshClaim: Send {
    /// What is kept, read under the claim.
    fn record(&self) -> &RefreshRecord;

    /// Whether somebody before us used the token, or was about to, and never stored what came of it.
    fn was_abandoned(&self) -> bool;

    /// Notes that the token is about to be sent; refuses if the claim may be another's by the time of the response.
    fn begin(&mut self) -> Result<()>;

    /// Notes that the server refused, and the token is as it was.
    fn refused(&mut self) -> Result<()>;

    /// Puts what came of it in the place of what is kept. It outlives a crash of the machine once this is done.
    fn store(&mut self, record: RefreshRecord) -> BoxFuture<'_, Result<()>>;
}
