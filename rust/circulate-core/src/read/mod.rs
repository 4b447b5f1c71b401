//! Reads a stream without keeping it: its records in batches, as they come, for whoever looks at data rather than collects
//! it. It is a pull like any other, with the same care for completeness, whose state is forgotten and whose objects are
//! handed over instead of stored.

mod channel_sink;
pub mod lake;

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::api::account::Account;
use crate::api::auth::{Authorize, Connection};
use crate::catalog::Definition;
use crate::clock::Clock;
use crate::encode::{Compression, Format};
use crate::error::{Error, ErrorKind, Result};
use crate::extract::batch::BatchLimits;
use crate::extract::cursor::Window;
use crate::lake::write::ObjectFormat;
use crate::progress::Progress;
use crate::run::{Outcome, Pull, PullOptions, Report};
use crate::state::{MemoryStore, Mode};
use crate::stop::Stop;

use channel_sink::ChannelSink;

/// What to read, and how.
#[derive(Debug)]
pub struct Read {
    /// The stream.
    pub definition: Definition,
    /// Whose.
    pub account: Account,
    /// By what way.
    pub connection: Connection,
    /// Signed in by what.
    pub authorize: Arc<dyn Authorize>,
    /// The part of time; without bounds, everything.
    pub window: Window,
    /// When a batch is full.
    pub batch: BatchLimits,
    /// How a pull of it would be done; what is read is neither stored nor remembered, so much of it does not matter.
    pub options: PullOptions,
    /// Counts what is done.
    pub progress: Arc<Progress>,
    /// Says when to stop.
    pub stop: Stop,
}

/// Batches that wait to be taken. Others are being made meanwhile, but not many: who looks at the first records only should
/// not cost the quota much.
const BATCHES_AHEAD: usize = 1;

impl Read {
    /// Begins to send requests. Dropping what it returns stops them.
    pub fn start(self) -> Reading {
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        let bounded = self.window.since.is_some() || self.window.until.is_some();
        let objects =
            ObjectFormat { format: Format::Json, compression: Compression::None, batch: self.batch };
        let pull = Pull {
            definition: self.definition,
            account: self.account,
            connection: self.connection,
            authorize: self.authorize,
            sink: Arc::new(ChannelSink::new(sender)),
            store: Arc::new(MemoryStore::new(Clock::system())),
            parents_from: None,
            options: PullOptions {
                mode: if bounded { Mode::Window } else { Mode::Full },
                window: self.window,
                objects,
                stored_at_once: 1,
                ..self.options
            },
            worker: "reader".to_owned(),
            progress: self.progress,
            stop: self.stop,
            seed: None,
        };
        pull.progress.keeps_nothing();
        let pulling = AbortOnDropHandle::new(tokio::spawn(async move { pull.run().await }));
        Reading { batches, pulling: Some(pulling), report: None }
    }
}

/// A stream that is being read.
#[derive(Debug)]
pub struct Reading {
    batches: mpsc::Receiver<Bytes>,
    pulling: Option<AbortOnDropHandle<Outcome>>,
    report: Option<Report>,
}

impl Reading {
    /// The next batch: a JSON array of records as received. `None` once the list was read to its end; an error if it was
    /// not, also if that was because it was to stop.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        if let Some(batch) = self.batches.recv().await {
            return Ok(Some(batch));
        }
        let Some(pulling) = &mut self.pulling else { return self.ended() };
        let outcome = pulling.await;
        self.pulling = None;
        let Outcome { report, error } = outcome.map_err(|error| {
            Error::new(ErrorKind::Stopped, "read stream", "the reading worker ended early").caused_by(error)
        })?;
        let early = report.stopped_by.clone().filter(|_| report.manifest.is_none());
        self.report = Some(report);
        match (error, early) {
            (Some(error), _) => Err(error),
            (None, Some(why)) => {
                Err(Error::new(ErrorKind::Stopped, "read stream", format!("stopped before its end: {why}")))
            }
            (None, None) => Ok(None),
        }
    }

    /// What there is after the end: nothing, or no more than before.
    fn ended(&self) -> Result<Option<Bytes>> {
        if self.report.as_ref().is_some_and(|report| report.manifest.is_some()) {
            return Ok(None);
        }
        Err(Error::new(
            ErrorKind::Stopped,
            "read stream",
            "it was not read to its end: an error ended it before",
        ))
    }

    /// What was done, once it has ended.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }
}

#[cfg(test)]
#[path = "tests/read.rs"]
mod tests;
