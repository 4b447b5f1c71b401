//! Polling streams, such as an audit log that is polled: there is always a next page, and its address is a durable cursor.
//!
//! A run reads until it has caught up (an empty page, one that leads to itself, or a record newer than the run's first
//! response) or is to stop, and is complete up to there: the next run goes on with that very address. A short page is not an
//! end, since an API may give less than was requested. If the API refuses it, the run begins by time instead, a little
//! before the newest record delivered, and leaves out what is byte-identical to what was delivered. A period is requested in
//! windows, side by side.

use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::attempt::{Attempt, AttemptEnd};
use super::bound::CLOCK_TOLERANCE;
use super::fetch::{Pages, first_url, stored_url};
use super::fetcher::First;
use crate::api::client::PageRequest;
use crate::api::http::server_date;
use crate::catalog::Polling;
use crate::clock::{earlier, later};
use crate::error::{Error, ErrorKind, Result};
use crate::extract::cursor::{Digest, MAX_DEDUP_SET, Overlap, Window};
use crate::extract::plan::Partition;
use crate::lake::manifest::{self, DedupSet, read_existing};
use crate::page::EndKind;
use crate::progress::Completion;
use crate::state::Mode;
use crate::stop::StopReason;

/// Windows of one run: more would mean that the definition's windows are far too short.
const MAX_WINDOWS: usize = 10_000;

impl Attempt<'_> {
    /// The pages of a polling stream from where the last run stopped.
    pub(super) async fn poll(&mut self, polling: &Polling) -> Result<AttemptEnd> {
        if self.position.finished {
            return Ok(AttemptEnd::OfTheList);
        }
        let cursor = self.held.run.from_cursor.as_ref().filter(|_| self.held.run.mode == Mode::Incremental);
        let cursor = cursor.and_then(|cursor| cursor.poll.clone());
        let kept = match (&self.position.next_url, &cursor) {
            (None, Some(cursor)) => self.pull.poll_url(cursor).await?,
            (next, _) => next.clone(),
        };
        if let Some(poll) = cursor.filter(|_| self.position.next_url.is_none()) {
            self.note_lapse(poll.read_at, polling).await?;
        }
        if self.position.by_time {
            // An earlier attempt began by time.
            self.overlap = Overlap::new(self.delivered_lately().await?, self.position.overlap_forgotten);
        }
        let mut last_date = None;
        let mut may_begin_by_time = self.position.next_url.is_none();
        let mut pages = match &kept {
            Some(url) => self.pages_from(stored_url(url)?)?,
            None => match self.pages_by_time(polling).await {
                Ok(pages) => pages,
                Err(error) => return self.end_by(error, None).await,
            },
        };
        while !self.position.finished {
            match pages.next().await {
                Ok(step) => {
                    may_begin_by_time = false;
                    last_date = server_date(&step.page.headers).or(last_date);
                    self.take_in(step).await?;
                    self.note_period_covered(polling);
                    if self.is_past_its_beginning(last_date) && !self.position.finished {
                        self.position.finished = true;
                        self.note_end(None, self.position.totals.pages, EndKind::CaughtUp.into());
                    }
                }
                Err(error)
                    if may_begin_by_time
                        && kept
                            .as_ref()
                            .is_some_and(|url| is_refused(&error) || self.is_at_another_address(url)) =>
                {
                    may_begin_by_time = false;
                    self.pull.progress.note(format!(
                        "the API no longer knows where the last run stopped ({error}): beginning by time instead"
                    ));
                    self.overlap =
                        Overlap::new(self.delivered_lately().await?, self.position.overlap_forgotten);
                    self.position.by_time = true;
                    pages = match self.pages_by_time(polling).await {
                        Ok(pages) => pages,
                        Err(error) => return self.end_by(error, None).await,
                    };
                }
                Err(error) => {
                    let url = self.position.next_url.clone();
                    return match self.end_by(error, url.as_deref()).await? {
                        AttemptEnd::Early(reason) => self.complete_up_to_here(reason, last_date).await,
                        end => Ok(end),
                    };
                }
            }
            if self.position.finished || self.checkpoint_is_due() {
                self.checkpoint().await?;
            }
            if let Some(reason) = self.pull.stop.reason().filter(|_| !self.position.finished) {
                return self.complete_up_to_here(reason, last_date).await;
            }
        }
        Ok(AttemptEnd::OfTheList)
    }

    /// What was read is complete up to a durable cursor, unless nothing was, or what is shown again is not yet behind us.
    /// `last_date` is the server's time at the last page.
    async fn complete_up_to_here(
        &mut self,
        reason: StopReason,
        last_date: Option<Timestamp>,
    ) -> Result<AttemptEnd> {
        self.position.finished = self.position.next_url.is_some() && !self.position.by_time;
        if self.position.finished {
            self.position.behind = self.seconds_behind(last_date).await?;
            self.note_end(None, self.position.totals.pages, EndKind::Behind.into());
        }
        self.checkpoint().await?;
        Ok(if self.position.finished { AttemptEnd::OfTheList } else { AttemptEnd::Early(reason) })
    }

    /// Whether a record was read that is newer than the run's first response: the API writes faster than we read, or as
    /// fast. What is shown again after a beginning by time must be behind us first.
    fn is_past_its_beginning(&self, last_date: Option<Timestamp>) -> bool {
        let (newest, began) = (self.position.watermark.greatest(), self.position.first_server_date);
        // A `Date` says nothing finer than seconds.
        let began = began.map(|began| later(began, Duration::from_secs(1)));
        // A record from the future says nothing of how far the list was read.
        let believed = last_date.or(began).is_none_or(|date| newest <= Some(later(date, CLOCK_TOLERANCE)));
        !self.position.by_time && began.is_some() && newest >= began && believed
    }

    /// How much of the time up to the run's first response was read: records come in the order of their times.
    fn note_period_covered(&self, polling: &Polling) {
        let until = self.position.first_server_date.unwrap_or(self.held.run.started_at);
        let since =
            self.held.run.window.since.unwrap_or(Timestamp::MIN).max(earlier(until, polling.history.get()));
        let seconds = |time: Timestamp| u64::try_from(time.duration_since(since).as_secs()).unwrap_or(0);
        let (total, newest) = (seconds(until), self.position.watermark.greatest());
        self.pull.progress.set_completion(newest.filter(|_| total > 0).map(|newest| Completion {
            unit: "seconds".to_owned(),
            done: seconds(newest).min(total),
            total: Some(total),
            estimated: false,
        }));
    }

    /// How old the newest record is that was read, by the server's clock.
    async fn seconds_behind(&self, last_date: Option<Timestamp>) -> Result<Option<u64>> {
        let before = self.held.run.from_cursor.as_ref().and_then(|cursor| cursor.poll.as_ref()?.greatest);
        let Some(newest) = self.position.watermark.greatest().or(before) else { return Ok(None) };
        let now = match last_date {
            Some(date) => date,
            None => self.pull.store.now().await?,
        };
        Ok(Some(u64::try_from(now.duration_since(newest).as_secs()).unwrap_or(0)))
    }

    /// A list that was not read for longer than the API keeps records has lost some.
    async fn note_lapse(&mut self, read_at: Timestamp, polling: &Polling) -> Result<()> {
        let kept_since = earlier(self.pull.store.now().await?, polling.history.get());
        if read_at < kept_since {
            let lapsed = format!("from {read_at} to {kept_since}, which the API no longer keeps");
            self.position.lapsed = Some(lapsed);
        }
        Ok(())
    }

    fn pages_from(&self, url: Url) -> Result<Pages> {
        let stream = self.pull.stream();
        let first = First {
            at_start: false,
            limits: self.pull.options.pages,
            polling: true,
            ..First::of(stream, url, &self.position.guard, self.learning.own())
        };
        Pages::start(self.pull, &self.client, first)
    }

    /// From the run's lower bound on; the first run takes what the API still has.
    async fn pages_by_time(&self, polling: &Polling) -> Result<Pages> {
        let stream = self.pull.stream();
        let kept_since = earlier(self.pull.store.now().await?, polling.history.get());
        let since = match self.held.run.window.since.filter(|since| *since >= kept_since) {
            Some(since) => since,
            None => earlier(self.server_time().await?, polling.history.get()),
        };
        let window = Window { since: Some(since), until: None };
        let rule = stream.incremental.as_ref();
        self.pages_from(first_url(&self.pull.account, stream, None, rule, &window)?)
    }

    /// The server's time, which any response has. A small page of the stream is requested: nothing else needs to be within
    /// our rights.
    async fn server_time(&self) -> Result<Timestamp> {
        let mut small = self.pull.stream().clone();
        if let Some(size) = &mut small.page_size {
            size.max = size.min;
        }
        let url = first_url(&self.pull.account, &small, None, None, &Window::default())?;
        let mut request = PageRequest::new(url);
        let date = self
            .client
            .fetch(&mut request, |response| async move { Ok(server_date(&response.headers)) })
            .await?;
        match date {
            Some(date) => Ok(date),
            None => self.pull.store.now().await,
        }
    }

    /// What earlier runs delivered of the period that is requested again, as far as it can be kept in memory: each run's set
    /// names the one before it.
    async fn delivered_lately(&self) -> Result<Vec<Digest>> {
        let run = &self.held.run;
        let mut delivered = Vec::new();
        let mut next = run.from_cursor.as_ref().and_then(|cursor| cursor.dedup_key.clone());
        while let Some(key) = next {
            let set: DedupSet = manifest::parse(&key, &read_existing(&*self.pull.sink, &key).await?)?;
            if delivered.len() + set.sha256.len() > MAX_DEDUP_SET {
                self.pull.progress.note(format!(
                    "more than {MAX_DEDUP_SET} records lie in the time that is asked for again: the older ones are delivered again"
                ));
                break;
            }
            delivered.extend(set.sha256);
            let older = set.greatest < run.window.since;
            next = set.previous.filter(|_| !older);
        }
        Ok(delivered)
    }

    /// Asks for a part of time in windows, side by side.
    pub(super) async fn take_windows(&mut self, polling: &Polling) -> Result<AttemptEnd> {
        if self.position.finished {
            return Ok(AttemptEnd::OfTheList);
        }
        if !self.plan().complete
            && let Err(error) = self.plan_windows(polling).await
        {
            return self.end_by(error, None).await;
        }
        self.pull_partitions().await
    }

    async fn plan_windows(&mut self, polling: &Polling) -> Result<()> {
        let now = self.server_time().await?;
        let kept_since = earlier(now, polling.history.get());
        let requested = self.held.run.window.clone();
        let until = requested.until.map_or(now, |until| until.min(now));
        let mut since = requested.since.unwrap_or(kept_since);
        if since < kept_since {
            self.plan().gaps.push(format!("before {kept_since}, which the API no longer keeps"));
            since = kept_since;
        }
        let step = polling.window.get();
        while since < until && self.planned.len() < MAX_WINDOWS {
            let end = later(since, step).min(until);
            self.planned.push(Partition::of_window(since, end));
            since = end;
        }
        if since < until {
            return Err(Error::new(ErrorKind::Settings, "plan", "the part of time is too long")
                .hint("ask for it in pieces, with `since` and `until`"));
        }
        self.plan().complete = true;
        self.checkpoint().await
    }
}

fn is_refused(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Refused | ErrorKind::NotFound)
}
