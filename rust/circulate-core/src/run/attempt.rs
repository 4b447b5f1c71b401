//! One worker's go at a run: pages in, objects out, a checkpoint now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use super::fetch::Step;
use super::learning::Learning;
use super::levels::{Level, ReadBefore};
use super::listing::Listing;
use super::pull::Pull;
use super::taken_keys::KeyCollector;
use crate::MAX_TEXT;
use crate::api::client::Client;
use crate::api::http::{MISSING_SCOPE, server_date};
use crate::api::page_address::PageAddress;
use crate::catalog::{Order, StreamSpec};
use crate::clock::{earlier, later};
use crate::encode::TableRules;
use crate::error::{Error, ErrorKind, Meaning, Result};
use crate::extract::cursor::{FilterTimes, Overlap, RecordTimes, TimeRange, Window};
use crate::extract::plan::Partition;
use crate::lake::keys::StreamKeys;
use crate::lake::manifest::{self, PartRef, PartitionEntry, Tables, sha256_hex};
use crate::lake::sink::create_same;
use crate::lake::write::{ObjectStore, ObjectWriter};
use crate::page::{EndKind, ListEnd, Record};
use crate::progress::Traffic;
use crate::redact::Redactor;
use crate::state::{LeasedRun, Mode, PlanPosition, Position};
use crate::stop::StopReason;

pub(super) const TASK: u32 = 0;

/// What came of an attempt.
pub(super) struct Attempted {
    /// Where the run stands, as of its last checkpoint.
    pub(super) position: Position,
    /// How the attempt ended.
    pub(super) end: Result<AttemptEnd>,
}

/// Where an attempt ended without an error.
pub(super) enum AttemptEnd {
    /// The list was read to its end.
    OfTheList,
    /// Something requested the run to stop.
    Early(StopReason),
    /// The API no longer knows the page where an earlier attempt stopped.
    PageForgotten(Error),
    /// An error condemns what was read: none of it may count.
    Condemned(Error),
}

/// A record of a page.
#[derive(Debug)]
pub(super) struct IncomingRecord<'r> {
    pub(super) record: &'r Record<'r>,
    /// As it is written: more may stand in front of it.
    pub(super) bytes: &'r [u8],
    /// Those of its watched members that are its key.
    pub(super) key: Range<usize>,
    /// What it belongs to, if it has parents.
    pub(super) parents: Option<&'r Partition>,
}

/// One worker's go at a run: from its position to the end of the list, or to whatever stops it.
pub(super) struct Attempt<'p> {
    pub(super) pull: &'p Pull,
    pub(super) client: Arc<Client>,
    pub(super) held: &'p LeasedRun,
    pub(super) keys: StreamKeys,
    pub(super) writer: ObjectWriter,
    /// Keys of records, if they have some.
    pub(super) taken_keys: Option<KeyCollector>,
    /// Up to the last page taken in.
    pub(super) position: Position,
    /// Up to the last checkpoint.
    pub(super) saved: Position,
    pub(super) overlap: Overlap,
    /// What is known of paginators.
    pub(super) learning: Learning,
    /// What each list is requested for, from that of the topmost parents on.
    pub(super) levels: Vec<Level>,
    /// The names that stand in front of records.
    pub(super) marks: BTreeSet<String>,
    /// The partitions that are selected by time from the cursor on; `None` if all are.
    pub(super) read_before: Option<ReadBefore>,
    /// The lists are requested for other values than by the run that set the cursor: parents that have not changed since may have
    /// children of these.
    pub(super) has_new_values: bool,
    /// The columns of tables, as of the last checkpoint.
    pub(super) tables: Option<Tables>,
    /// Partitions to be written to the plan with the next checkpoint.
    pub(super) planned: Listing<Partition>,
    /// Parents that are to be requested with others, and wait for these: by the list that leads on, and what else identifies them.
    pub(super) batching: BTreeMap<(usize, Partition), Listing<String>>,
    /// Their size.
    pub(super) batching_bytes: usize,
    /// Partitions done with since the last checkpoint.
    pub(super) partitions_done: Listing<PartitionEntry>,
    /// The number of the next position that is too large for an item of state.
    pub(super) next_position: u64,
    earlier_traffic: Traffic,
    pub(super) checkpoint_at: Instant,
}

impl<'p> Attempt<'p> {
    pub(super) fn new(
        pull: &'p Pull,
        client: Arc<Client>,
        held: &'p LeasedRun,
        rules: TableRules,
        learning: Learning,
        levels: Vec<Level>,
    ) -> Self {
        let keys = pull.keys(held);
        let position = held.position.clone();
        let store = ObjectStore::new(
            Arc::clone(&pull.sink),
            keys.clone(),
            TASK,
            held.fence,
            pull.options.objects,
            position.next_sequence,
            pull.options.memory,
            pull.options.stored_at_once,
            Arc::clone(&pull.progress),
        );
        Self {
            pull,
            client,
            held,
            taken_keys: KeyCollector::of(pull, &keys, TASK, held.fence),
            keys,
            writer: ObjectWriter::new(store, rules),
            learning,
            levels,
            marks: pull.definition.names_of_parents().into_iter().map(str::to_owned).collect(),
            read_before: None,
            has_new_values: false,
            tables: None,
            saved: position.clone(),
            overlap: Overlap::default(),
            planned: Listing::default(),
            batching: BTreeMap::new(),
            batching_bytes: 0,
            partitions_done: Listing::default(),
            next_position: 0,
            earlier_traffic: position.traffic.clone(),
            position,
            checkpoint_at: pull.options.next_checkpoint(),
        }
    }

    /// Page addresses hold cursors that an API forgets after a while. This one was taken from a checkpoint, not from a page
    /// just read, and is refused as it stands; or it is of the address that the account has moved away from.
    pub(super) fn is_forgotten(&self, error: &Error, url: Option<&str>) -> bool {
        let held = &self.held.position;
        let open = held.plan.iter().flat_map(|plan| &plan.open);
        let mut stored = open.map(|open| &open.next_url).chain([&held.next_url]);
        let refused = matches!(error.kind(), ErrorKind::Refused | ErrorKind::NotFound);
        url.is_some_and(|url| refused || self.is_at_another_address(url))
            && stored.any(|stored| stored.as_deref() == url)
    }

    /// Whether a stored page address is not at the address that the account has now.
    pub(super) fn is_at_another_address(&self, url: &str) -> bool {
        PageAddress::from_stored(url).is_ok_and(|address| !self.pull.account.is_at_home(&address.url))
    }

    pub(super) async fn take_in(&mut self, step: Step) -> Result<()> {
        self.see_date(&step.page.headers).await?;
        let period = self.held.run.window.clone();
        let mut records = step.page.records();
        while let Some(record) = records.next()? {
            let taken =
                IncomingRecord { record: &record, bytes: record.bytes, key: step.key.clone(), parents: None };
            self.take_record(taken, &period).await?;
        }
        drop(records);
        self.position.durable = step.durable.or(self.position.durable.take());
        self.position.totals.pages += 1;
        self.position.finished = step.end.is_some();
        if let Some(end) = step.end {
            self.note_end(None, self.position.totals.pages, end);
        }
        self.position.next_url = step.next.map(|next| next.stored());
        self.position.guard = step.guard;
        Ok(())
    }

    /// Takes a record in, unless it lies outside of the period, or an earlier run delivered it. Returns whether it was kept.
    pub(super) async fn take_record(&mut self, taken: IncomingRecord<'_>, period: &Window) -> Result<bool> {
        let IncomingRecord { record, bytes, key, parents } = taken;
        let pull = self.pull;
        let Some(rule) = pull.stream().incremental().filter(|rule| !rule.times().is_empty()) else {
            self.note_key(parents, record, key).await?;
            self.writer.push(bytes, None).await?;
            return Ok(true);
        };
        let time = RecordTimes::of(rule).greatest((0..rule.times().len()).map(|number| record.field(number)));
        self.note_order(rule.order, time);
        let run = &self.held.run;
        if rule.selects_more() && time.is_some_and(|time| !period.may_hold(time)) && self.is_bounded() {
            self.position.unchanged += u64::from(run.mode != Mode::Window);
            return Ok(false);
        }
        self.note_key(parents, record, key).await?;
        self.position.watermark.see(time);
        let bound =
            pull.next_bound(self.held, &self.position).map(|bound| FilterTimes::of(rule).lower(bound));
        if self.overlap.repeats(bytes, time.map(|time| time.to), bound) {
            self.position.repeats += 1;
            return Ok(false);
        }
        self.writer.push(bytes, time).await?;
        Ok(true)
    }

    /// Notes the key of a record: of one that repeats what an earlier run delivered too, since it is there.
    async fn note_key(
        &mut self,
        parents: Option<&Partition>,
        record: &Record<'_>,
        key: Range<usize>,
    ) -> Result<()> {
        match &mut self.taken_keys {
            Some(taken) => taken.add(parents, record, key).await,
            None => Ok(()),
        }
    }

    /// Whether what lies outside of the run's period is left out. What an API selects by a filter of its own is not judged,
    /// unless a person has named the period.
    fn is_bounded(&self) -> bool {
        let client_side = self.pull.stream().incremental().is_some_and(|rule| rule.client_side);
        self.held.run.mode == Mode::Window || client_side
    }

    /// Notes whether records come in the order that is declared: nothing is left out, or begun in the middle, of one that do not.
    fn note_order(&mut self, order: Order, time: Option<TimeRange>) {
        let Some(time) = time else { return };
        let position = &mut self.position;
        position.order.is_broken |= match order {
            Order::None => false,
            Order::Ascending => position.watermark.greatest().is_some_and(|greatest| time.to < greatest),
            Order::Descending => position.order.least.is_some_and(|least| time.from > least),
        };
        if order == Order::Descending {
            position.order.least = Some(position.order.least.map_or(time.to, |least| least.min(time.to)));
        }
    }

    /// Notes the server's time at the first response of the run. One without a usable `Date` (RFC 9110, section 6.6.1)
    /// leaves it to our clock, less the lag that the definition declares for that; a later response does not, since what
    /// changed between the two would never be requested again.
    pub(super) async fn see_date(&mut self, headers: &HeaderMap) -> Result<()> {
        let position = &mut self.position;
        if position.dated || position.first_server_date.is_some() || position.totals.pages > 0 {
            return Ok(());
        }
        position.dated = true;
        let date = usable_date(headers, self.pull.store.now().await?);
        let lag = self.pull.stream().cursor_rule().and_then(|rule| rule.lag);
        let by_our_clock = lag.map(|lag| earlier(self.held.run.started_at, lag.get()));
        position.first_server_date = date.or(by_our_clock);
        Ok(())
    }

    /// Records how a list ended; `None` is the one list of a stream that has no others.
    pub(super) fn note_end(&mut self, list: Option<&Partition>, page: u64, end: ListEnd) {
        let name = list.map_or_else(|| self.pull.definition.name(), Partition::to_string);
        self.position.ends.add(&name, page, end);
    }

    /// Where the plan stands; a run that begins has an empty one.
    pub(super) fn plan(&mut self) -> &mut PlanPosition {
        self.position.plan.get_or_insert_default()
    }

    /// Stores a part of the manifest or of the plan, and returns what names it.
    pub(super) async fn write_part<T: Serialize + Sync>(
        &self,
        key: String,
        part: &T,
        objects: usize,
        records: u64,
    ) -> Result<PartRef> {
        let object = manifest::to_object(key.clone(), part)?;
        let sha256 = sha256_hex(&object.bytes);
        create_same(&*self.pull.sink, object).await?;
        Ok(PartRef { key, sha256, objects: objects as u64, records })
    }

    pub(super) fn traffic(&self) -> Traffic {
        self.earlier_traffic.plus(&self.pull.progress.traffic())
    }
}

/// How far a server's clock may be ahead of ours before its `Date` is not believed.
const BELIEVED_AHEAD: Duration = Duration::from_hours(24);
/// How far it may be behind: a clock that nobody ever set begins in 1970 or in 2000.
const BELIEVED_BEHIND: Duration = Duration::from_hours(365 * 24);

/// The server's `Date`, unless it is not a time, or so far from ours that no clock is wrong by so much: a bound that never
/// comes would let the watermark outrun the run, and one that is long past would request everything again for ever.
fn usable_date(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    server_date(headers)
        .filter(|date| *date <= later(now, BELIEVED_AHEAD) && *date >= earlier(now, BELIEVED_BEHIND))
}

/// Whether an error is how the API says that the account does not have the feature.
pub(super) fn is_unavailable(stream: &StreamSpec, error: &Error) -> bool {
    if error.meaning() == Some(Meaning::Unavailable) {
        return true;
    }
    let (Some(rule), Some((status, code))) = (&stream.unavailable, error.response()) else { return false };
    // What a token may not do says nothing of what the account has.
    if code == Some(MISSING_SCOPE) {
        return false;
    }
    rule.statuses.contains(&status) || code.is_some_and(|code| rule.codes.iter().any(|known| known == code))
}

/// How a list ends that the API does not give to us, if that is what an error means.
pub(super) fn gap(error: &Error) -> Option<ListEnd> {
    let why = Redactor::shared().shown(&error.to_string(), MAX_TEXT);
    let is_gap = error.meaning() == Some(Meaning::Gap);
    is_gap.then(|| ListEnd::contradicted(EndKind::Unavailable, why))
}
