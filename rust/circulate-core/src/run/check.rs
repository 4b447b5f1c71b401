//! One cheap request that shows whether address and credentials are right, and the first pages of lists.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use crate::api::account::Account;
use crate::api::auth::{Authorize, Connection, sign_in};
use crate::api::client::Client;
use crate::api::http::{Jitter, Request, Retry, RetryPolicy, server_date};
use crate::api::page_request::PageRequest;
use crate::catalog::{Auth, Definition, Share, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::page::ListEnd;
use crate::progress::{Progress, Quota};
use crate::run::first_page;
use crate::stop::Stop;

/// What a check of an account found.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// The account.
    pub account: String,
    /// Seconds until the response.
    pub seconds: f64,
    /// Whether it signed in by OAuth.
    pub oauth: bool,
    /// The OAuth scopes that the streams need, which an access token was got for if it signed in so; `None` if their
    /// definitions do not name them.
    pub scopes: Option<BTreeSet<String>>,
    /// Whether anything was requested of the API itself. Nothing is, if the check would need a scope that the streams do
    /// not.
    pub requested: bool,
    /// The quota that it reported.
    pub quota: Option<Quota>,
    /// Share of the quota that is left to others.
    pub headroom: Option<f64>,
    /// The server's time.
    pub server_date: Option<Timestamp>,
    /// What the first pages of the streams show.
    pub lists: Vec<CheckedList>,
}

/// What the first page of a stream's list shows.
#[derive(Debug, Clone, Serialize)]
pub struct CheckedList {
    /// `source.endpoint`.
    pub stream: String,
    /// Records on it; `None` of a child stream that has no parent.
    pub records: Option<usize>,
    /// How the list ends there; `None` if it leads to a next page.
    #[serde(flatten)]
    pub end: Option<ListEnd>,
}

/// Requests once, without retries, signed in as pulls of `streams` would be; without streams, as the check itself needs it. A
/// source that does not say what to request is checked by the lists of its streams.
/// `headroom` is the share of the quota that is left to others, if it is not that of the definition.
pub async fn check(
    source: &Source,
    account: &Account,
    connection: &Connection,
    streams: &[Definition],
    headroom: Option<Share>,
) -> Result<Checked> {
    let check = source.check.as_ref();
    if check.is_none() && streams.is_empty() {
        return Err(unnamed(source));
    }
    let needed: BTreeSet<_> = check.iter().flat_map(|check| &check.scopes).cloned().collect();
    let scopes = match streams {
        [] => Some(needed.clone()),
        _ => streams
            .iter()
            .map(Definition::scopes)
            .collect::<Option<Vec<_>>>()
            .map(|sets| sets.into_iter().flatten().collect()),
    };
    let authorize = sign_in(source, account, connection, scopes.as_ref())?;
    let oauth = matches!(account.auth(), Auth::Oauth2(_));
    let requested = !oauth || scopes.as_ref().is_some_and(|scopes| needed.is_subset(scopes));
    let began = Instant::now();
    let progress = Arc::new(Progress::default());
    let url = check.map(|check| {
        let query = check.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        account.url(&check.path, query)
    });
    let date = match url {
        Some(url) if requested => {
            let once = RetryPolicy { attempts: 1, throttled: 0, ..RetryPolicy::default() };
            let retry = Retry::new(once, Jitter::random());
            let stop = Stop::new(None);
            let client = Client::new(
                source,
                account,
                connection,
                Arc::clone(&authorize),
                retry,
                Arc::clone(&progress),
                stop,
            )?
            .with_headroom(headroom);
            server_date(&client.fetch_headers(PageRequest::new(url)).await?)
        }
        Some(url) => {
            let mut request = Request::get(url);
            let signed_in = tokio::time::timeout(source.timeouts.total.get(), authorize.apply(&mut request));
            signed_in.await.map_err(|_| too_slow())?.map_err(|failure| failure.error)?;
            None
        }
        // The lists show whether address and credentials are right.
        None => None,
    };
    let checked_in = check.map(|_| began.elapsed());
    let lists = check_lists(source, account, connection, &authorize, &progress, streams, headroom).await?;
    if check.is_none() && lists.iter().all(|list| list.records.is_none()) {
        return Err(unnamed(source));
    }
    Ok(Checked {
        account: account.name().to_owned(),
        seconds: checked_in.unwrap_or_else(|| began.elapsed()).as_secs_f64(),
        oauth,
        scopes,
        requested,
        quota: progress.snapshot().quota,
        headroom: headroom.or(source.rate_limit.as_ref().map(|rules| rules.headroom)).map(Share::get),
        server_date: date,
        lists,
    })
}

/// Requests the first page of each stream.
async fn check_lists(
    source: &Source,
    account: &Account,
    connection: &Connection,
    authorize: &Arc<dyn Authorize>,
    progress: &Arc<Progress>,
    streams: &[Definition],
    headroom: Option<Share>,
) -> Result<Vec<CheckedList>> {
    let mut lists = Vec::new();
    for definition in streams {
        let retry = Retry::new(RetryPolicy::default(), Jitter::random());
        let client = Client::new(
            source,
            account,
            connection,
            Arc::clone(authorize),
            retry,
            Arc::clone(progress),
            Stop::new(None),
        )?
        .with_headroom(headroom);
        let page = first_page(&Arc::new(client), progress, account, definition).await?;
        let stream = definition.name();
        let (records, end) = page.map_or((None, None), |page| (Some(page.records), page.end));
        lists.push(CheckedList { stream, records, end });
    }
    Ok(lists)
}

fn unnamed(source: &Source) -> Error {
    let what = format!("the definition of `{}` does not say what to request for a check", source.source);
    Error::new(ErrorKind::Definition, "check", what)
        .hint("add `check: {path: ...}`, or check a stream whose list can be requested by itself")
}

fn too_slow() -> Error {
    Error::new(ErrorKind::Network, "sign in", "signing in took too long")
}
