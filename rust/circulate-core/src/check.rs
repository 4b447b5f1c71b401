//! One cheap request that shows whether address and credentials are right.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use crate::account::Account;
use crate::client::{Client, PageRequest};
use crate::error::Result;
use crate::http::{Jitter, Pacing, Retry, RetryPolicy, Transport, server_date};
use crate::progress::{Progress, Quota};
use crate::spec::Source;
use crate::stop::Stop;

/// What the API answered.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// The account asked.
    pub account: String,
    /// Seconds until the answer.
    pub seconds: f64,
    /// The quota it told.
    pub quota: Option<Quota>,
    /// Share of the quota that is left to others.
    pub headroom: Option<f64>,
    /// The server's time.
    pub server_date: Option<Timestamp>,
}

/// Asks once, without retries.
pub async fn check(source: &Source, account: &Account, transport: Arc<dyn Transport>) -> Result<Checked> {
    let progress = Arc::new(Progress::default());
    let once = RetryPolicy { attempts: 1, throttled: 0, ..RetryPolicy::default() };
    let (retry, stop) = (Retry::new(once, Jitter::random()), Stop::new(None));
    let client = Client::new(
        source,
        account,
        transport,
        Arc::new(Pacing::new(source)),
        retry,
        Arc::clone(&progress),
        stop,
    )?;
    let query = source.check.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let url = account.url(&source.check.path, query);
    let mut request = PageRequest { url, headers: http::HeaderMap::new(), page_size: None };
    let began = Instant::now();
    let date =
        client.fetch(&mut request, |response| async move { Ok(server_date(&response.headers)) }).await?;
    let elapsed: Duration = began.elapsed();
    Ok(Checked {
        account: account.name().to_owned(),
        seconds: elapsed.as_secs_f64(),
        quota: progress.snapshot().quota,
        headroom: source.rate_limit.as_ref().map(|rules| rules.headroom.get()),
        server_date: date,
    })
}
