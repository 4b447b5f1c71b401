//! What a pull needs: a stream, where it goes, and how.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::api::account::Account;
use crate::api::auth::{Authorize, Connection};
use crate::api::http::RetryPolicy;
use crate::catalog::{Definition, Share, StreamSpec};
use crate::extract::batch::Memory;
use crate::extract::cursor::Window;
use crate::lake::keys::StreamKeys;
use crate::lake::sink::Sink;
use crate::lake::stream_id::StreamId;
use crate::lake::write::ObjectFormat;
use crate::page::PageLimits;
use crate::progress::Progress;
use crate::state::{LeasedRun, Mode, RunItem, StateStore};
use crate::stop::Stop;
use crate::table::{Contract, TableOptions};

/// One stream to bring up to date, with everything it needs.
#[derive(Debug)]
pub struct Pull {
    /// What to pull.
    pub definition: Definition,
    /// Account to pull from.
    pub account: Account,
    /// Shared HTTP transport, limits and token cache.
    pub connection: Connection,
    /// How requests are signed in.
    pub authorize: Arc<dyn Authorize>,
    /// Where objects go.
    pub sink: Arc<dyn Sink>,
    /// State of the stream.
    pub store: Arc<dyn StateStore>,
    /// Key of the index of a run of the parent that has just been committed to the same place: its records are taken
    /// instead of listing the parents again.
    pub parents_from: Option<String>,
    /// How to pull.
    pub options: PullOptions,
    /// Name of this worker, for people who find the stream held.
    pub worker: String,
    /// Counts what is done.
    pub progress: Arc<Progress>,
    /// Says when to stop.
    pub stop: Stop,
    /// Seed of everything random; `None` outside of tests.
    pub seed: Option<u64>,
}

/// How to pull.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct PullOptions {
    /// How much to take. Default incremental.
    pub mode: Mode,
    /// The part of time, for [`Mode::Window`].
    pub window: Window,
    /// Give up an unfinished run and start over.
    pub restart: bool,
    /// Delete records that are no longer there even where a brake withholds that.
    pub accept_deletes: bool,
    /// Bring an unfinished run of another mode or part of time to its end first, and give one of another definition up: for
    /// starts that nobody looks at.
    pub unattended: bool,
    /// Go on with this run, in the mode and for the part of time that it was begun with.
    pub continuation: Option<String>,
    /// Idempotency key. If a run with this key has finished, its report is returned and nothing is pulled.
    pub idempotency_key: Option<String>,
    /// Leave a complete run pending for so long, to be committed or abandoned by others, instead of committing it.
    pub pending: Option<Duration>,
    /// How objects look. Default gzip-compressed JSON arrays of 1,000 records or 3 MB.
    pub objects: ObjectFormat,
    /// How tables look, if that is what objects are.
    pub tables: TableOptions,
    /// What becomes of values that have no place in the columns of tables.
    pub contract: Contract,
    /// Bounds of what is taken in.
    pub pages: PageLimits,
    /// Share of the API's quota that is left to others; `None` for that of the definition.
    pub headroom: Option<Share>,
    /// Patience with the API.
    pub retry: RetryPolicy,
    /// What pages and objects on their way may hold. Default 64 MB.
    pub memory: Memory,
    /// The most objects that are being stored at the same time. Default 16.
    pub stored_at_once: u32,
    /// Objects after which a checkpoint is due. Default 50.
    pub checkpoint_objects: usize,
    /// Time after which a checkpoint is due. Default 30 s; it is ten times as long for tables, of which each checkpoint closes
    /// one that might have become large.
    pub checkpoint_interval: Duration,
    /// How long others keep away from a run whose worker says nothing. Default 60 s.
    pub lease: Duration,
    /// When this worker will be stopped for certain, whatever it does.
    pub worker_ends: Option<Instant>,
    /// Look for what shows the end of each list by itself, where else what one list of a stream shows counts for all: then
    /// requests do not depend on which list comes first. Default false.
    pub each_list_proved: bool,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self {
            mode: Mode::Incremental,
            window: Window::default(),
            restart: false,
            accept_deletes: false,
            unattended: false,
            continuation: None,
            idempotency_key: None,
            pending: None,
            objects: ObjectFormat::default(),
            tables: TableOptions::default(),
            contract: Contract::default(),
            pages: PageLimits::default(),
            headroom: None,
            retry: RetryPolicy::default(),
            memory: Memory::default(),
            stored_at_once: 16,
            checkpoint_objects: 50,
            checkpoint_interval: Duration::from_secs(30),
            lease: Duration::from_mins(1),
            worker_ends: None,
            each_list_proved: false,
        }
    }
}

impl PullOptions {
    pub(super) fn next_checkpoint(&self) -> Instant {
        let times = if self.objects.format.is_columnar() { 10 } else { 1 };
        Instant::now() + self.checkpoint_interval * times
    }
}

impl Pull {
    pub(super) fn keys(&self, held: &LeasedRun) -> StreamKeys {
        self.stream_keys(&held.run)
    }

    pub(super) fn stream_keys(&self, run: &RunItem) -> StreamKeys {
        StreamKeys::new(&self.stream_id(), &run.run_id, run.started_at)
    }

    pub(super) fn stream_id(&self) -> StreamId {
        let (source, endpoint) = (&self.definition.source.source, &self.definition.endpoint.endpoint);
        StreamId::new(source.as_str(), self.account.name(), endpoint.as_str())
    }

    pub(super) fn stream(&self) -> &StreamSpec {
        &self.definition.endpoint.list
    }
}
