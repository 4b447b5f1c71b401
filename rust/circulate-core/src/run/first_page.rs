//! A look at the first page of a stream's list, to see before the first pull whether its definition reads all of it.

use std::sync::Arc;

use super::attempt::{gap, is_unavailable};
use super::fetch::Step;
use super::fetcher::{Fetcher, First};
use super::learning::SharedProof;
use super::levels::values_of;
use super::parents::address_of_parent;
use super::request::first_request;
use crate::api::account::Account;
use crate::api::client::Client;
use crate::catalog::{Definition, Pointer, StreamSpec};
use crate::clock::{Clock, earlier};
use crate::error::{Meaning, Result};
use crate::extract::cursor::Window;
use crate::extract::plan::Partition;
use crate::page::{EndKind, ListEnd, LoopGuard};
use crate::progress::Progress;

/// What the first page of a list shows.
#[derive(Debug)]
pub(crate) struct FirstPage {
    /// Its records.
    pub(crate) records: usize,
    /// How the list ends there; `None` if it leads to a next page.
    pub(crate) end: Option<ListEnd>,
}

/// Requests the first page of a stream; of a child stream, that of its first parent, whose first parent may lead to it. `None` if there is no
/// parent, or if a job would have to make the list.
pub(crate) async fn first_page(
    client: &Arc<Client>,
    progress: &Arc<Progress>,
    account: &Account,
    definition: &Definition,
) -> Result<Option<FirstPage>> {
    let stream = &definition.endpoint.list;
    // To look is not worth a job.
    if stream.job.is_some() {
        return Ok(None);
    }
    let mut partition = Partition::default();
    for (number, endpoint) in definition.lists().into_iter().enumerate() {
        for values in endpoint.list.values() {
            let of_account = values_of(values, &definition.source, account)?;
            let value = of_account.first().map_or("", String::as_str);
            partition = partition.with_value(values.name.as_str(), value);
        }
        let Some(rule) = definition.lists().get(number + 1).and_then(|child| child.list.parent()) else {
            break;
        };
        let fields = rule.fields.values().chain(&rule.url).cloned().collect();
        let step = step(client, progress, account, &endpoint.list, &partition, fields).await?;
        let names = definition.names_below(number + 1).into_iter().map(str::to_owned).collect();
        let mut records = step.page.records();
        let Some(record) = records.next()? else { return Ok(None) };
        let mut parent = Partition::of(rule, &record, 0)?.below(&partition, &names);
        if let Some(url) = address_of_parent(client, account, endpoint, rule, &record, rule.fields.len())? {
            parent = parent.at(url);
        }
        if let Some((_, name, _)) = rule.batched() {
            let one = parent.value(name).map(str::to_owned);
            parent = parent.of_several(name, one.as_slice());
        }
        partition = parent;
    }
    match step(client, progress, account, stream, &partition, Vec::new()).await {
        Ok(step) => Ok(Some(FirstPage { records: step.page.record_count(), end: step.end })),
        Err(error) if is_unavailable(stream, &error) || error.meaning() == Some(Meaning::Gone) => {
            Ok(Some(FirstPage { records: 0, end: Some(EndKind::Unavailable.into()) }))
        }
        Err(error) => match gap(&error) {
            Some(end) => Ok(Some(FirstPage { records: 0, end: Some(end) })),
            None => Err(error),
        },
    }
}

async fn step(
    client: &Arc<Client>,
    progress: &Arc<Progress>,
    account: &Account,
    stream: &StreamSpec,
    partition: &Partition,
    watched: Vec<Pointer>,
) -> Result<Step> {
    let rule = stream.incremental();
    let window = rule.and_then(|rule| rule.window.as_ref()).map_or_else(Window::default, |window| {
        // Half of the longest period, up to now: a list that is requested in windows may have none without.
        let now = Clock::system().now();
        Window { since: Some(earlier(now, window.span.get() / 2)), until: Some(now) }
    });
    let request = first_request(account, stream, Some(partition), rule, &window)?;
    let guard = LoopGuard::default();
    let first = First {
        watched,
        polling: stream.polling().is_some(),
        ..First::of(stream, request, &guard, SharedProof::default())
    };
    let (mut fetcher, mut request) = Fetcher::new(client, progress, first)?;
    fetcher.step(&mut request).await
}
