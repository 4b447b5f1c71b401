//! Opens a run: what is requested, and whether it can be.

use std::sync::Arc;

use super::bound::CLOCK_TOLERANCE;
use super::pull::Pull;
use crate::clock::{earlier, later};
use crate::error::{Error, ErrorKind, Result};
use crate::state::{Acquired, Lease, Mode, RunRequest, StreamState, mark_where_due};

impl Pull {
    /// The run that is requested. Wrong input is refused before anything else.
    pub(super) fn request(&self) -> Result<RunRequest> {
        let options = &self.options;
        let incremental = self.stream().cursor_rule();
        let by_time = incremental.is_some_and(|rule| rule.since.is_some() || rule.client_side);
        if options.mode == Mode::Window && !by_time {
            return Err(Error::new(
                ErrorKind::Settings,
                "open run",
                "this stream can't be asked for a part of time",
            )
            .hint("pull it without `since` and `until`"));
        }
        let bounded = incremental.is_some_and(|rule| rule.until.is_some() || rule.client_side);
        if options.window.until.is_some() && !bounded {
            let what = "this stream can't be requested up to a time: its definition has no `until`";
            return Err(Error::new(ErrorKind::Settings, "open run", what).hint("pull it without `until`"));
        }
        if options.window.is_empty() {
            return Err(Error::new(ErrorKind::Settings, "open run", "`since` is not before `until`"));
        }
        Ok(RunRequest {
            mode: options.mode,
            window: options.window.clone(),
            full_since: incremental.and_then(|incremental| incremental.full_since),
            spec_hash: self.definition.spec_hash()?,
            destination: self.sink.uri(),
            address: self.account.address(),
            restart: options.restart,
            adopt: options.unattended,
            pending: options.pending,
            replaces: None,
            continuation: options.continuation.clone(),
            idempotency_key: options.idempotency_key.clone(),
        })
    }

    /// Opens a run. `restart` gives an unfinished one up first; but one whose list was read to its end may be visible
    /// already, or become so by a worker that still believes in it, so that one is brought to its end instead.
    pub(super) async fn open(&self, mut request: RunRequest) -> Result<Acquired> {
        let state = self.state();
        self.mark_before().await;
        self.check_history().await?;
        self.check_layout().await?;
        loop {
            let mut opening = state.open(&request).await?;
            let Acquired::LeasedRun(held) = &mut opening else { return Ok(opening) };
            self.progress.set_run(&held.run.run_id);
            if let Some(events) = self.progress.kept() {
                events.lease_acquired(held.run.mode.as_str(), held.resumed, held.fence);
            }
            held.position = self.read_position(&held.position).await?;
            if !(request.restart && held.resumed) {
                return Ok(opening);
            }
            if held.position.finished {
                let index = self.publish(held, &held.position).await?;
                self.commit(held, &index, &self.keys(held).index()).await?;
            } else {
                held.abandon().await?;
            }
            request.restart = false;
        }
    }

    /// Creates the marker of the run before, if its worker did not get to that.
    async fn mark_before(&self) {
        if let Err(error) = mark_where_due(&*self.sink, &*self.store, &self.stream_id()).await {
            self.progress.note(format!(
                "the marker of the last committed run could not be written ({error}); `circulate verify --mark` does it"
            ));
        }
    }

    /// A period that can't be requested of a polling stream is refused before a run is opened.
    async fn check_history(&self) -> Result<()> {
        let Some(polling) = self.stream().polling().filter(|_| self.options.mode == Mode::Window) else {
            return Ok(());
        };
        let now = self.store.now().await?;
        let (oldest, since) = (earlier(now, polling.oldest.get()), self.options.window.since);
        let wrong = |what: &str| Err(Error::new(ErrorKind::Settings, "open run", what.to_owned()));
        if since.is_some_and(|since| since < oldest) {
            return wrong("the API refuses to look so far back").map_err(|error: Error| {
                error.hint(format!(
                    "give a `since` after {oldest}; it keeps what is after {}",
                    earlier(now, polling.history.get())
                ))
            });
        }
        if since.is_some_and(|since| since > later(now, CLOCK_TOLERANCE)) {
            return wrong("`since` lies in the future");
        }
        Ok(())
    }

    pub(super) fn state(&self) -> StreamState {
        let lease = Lease { span: self.options.lease, worker_ends: self.options.worker_ends };
        StreamState::new(Arc::clone(&self.store), self.stream_id(), self.worker.clone(), lease, self.seed)
    }
}
