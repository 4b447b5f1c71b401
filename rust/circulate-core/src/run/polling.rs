//! Polling streams, such as an audit log that is polled: there is always a next page, and its address is a durable cursor.
//!
//! A run reads until it has caught up (an empty page, one that leads to itself, or a record newer than the run's first
//! response) or is to stop, and is complete up to there: the next run goes on with that very address. A short page is not an
//! end, since an API may give less than was requested. If the API refuses it, the run begins by time instead, a little
//! before the newest record delivered, and leaves out what is byte-identical to what was delivered.

use std::time::Duration;

use jiff::Timestamp;

use super::attempt::{Attempt, AttemptEnd};
use super::bound::CLOCK_TOLERANCE;
use super::fetch::{Pages, Step};
use super::fetcher::First;
use super::request::first_request;
use super::source::PageSource;
use crate::api::http::server_date;
use crate::api::page_address::PageAddress;
use crate::api::page_request::PageRequest;
use crate::catalog::Polling;
use crate::clock::{earlier, later};
use crate::error::{Error, ErrorKind, Result};
use crate::extract::cursor::{Digest, MAX_DEDUP_SET, Overlap, Window};
use crate::lake::manifest::{self, DedupSet, read_existing};
use crate::page::EndKind;
use crate::progress::Completion;
use crate::state::Mode;
use crate::stop::StopReason;

/// The list of a polling stream.
pub(super) struct PolledList<'p> {
    polling: &'p Polling,
    /// The page to go on with, where an earlier attempt or the last run stopped; `None` to begin by time.
    kept: Option<String>,
    /// `None` if nothing has been requested yet.
    pages: Option<Pages>,
    /// The server's time at the last page.
    last_date: Option<Timestamp>,
}

impl<'p> PolledList<'p> {
    /// It goes on from where an earlier attempt, or the last run, stopped.
    pub(super) async fn start(attempt: &mut Attempt<'_>, polling: &'p Polling) -> Result<Self> {
        let run = &attempt.held.run;
        let cursor = run.from_cursor.as_ref().filter(|_| run.mode == Mode::Incremental);
        let cursor = cursor.and_then(|cursor| cursor.poll.clone());
        let kept = match (&attempt.position.next_url, &cursor) {
            (None, Some(cursor)) => attempt.pull.poll_url(cursor).await?,
            (next, _) => next.clone(),
        };
        if let Some(poll) = cursor.filter(|_| attempt.position.next_url.is_none()) {
            attempt.note_lapse(poll.read_at, polling).await?;
        }
        if attempt.position.by_time {
            // An earlier attempt began by time.
            attempt.leave_out_delivered_lately().await?;
        }
        Ok(Self { polling, kept, pages: None, last_date: None })
    }

    async fn request(&self, attempt: &Attempt<'_>) -> Result<Pages> {
        match &self.kept {
            Some(kept) => {
                let pull = attempt.pull;
                let request = first_request(&pull.account, pull.stream(), None, None, &Window::default())?;
                attempt.polled_pages(request.at(PageAddress::from_stored(kept)?))
            }
            None => attempt.pages_by_time(self.polling).await,
        }
    }
}

impl PageSource for PolledList<'_> {
    type List = ();

    async fn next(&mut self, attempt: &mut Attempt<'_>) -> Result<Option<((), Result<Step>)>> {
        let pages = match &mut self.pages {
            Some(pages) => pages,
            None => match self.request(attempt).await {
                Ok(pages) => self.pages.insert(pages),
                Err(error) => return Ok(Some(((), Err(error)))),
            },
        };
        Ok(Some(((), pages.next().await)))
    }

    async fn take_in(&mut self, attempt: &mut Attempt<'_>, (): (), step: Step) -> Result<()> {
        self.last_date = server_date(&step.page.headers).or(self.last_date);
        attempt.take_in(step).await?;
        attempt.note_period_covered(self.polling);
        if attempt.is_past_its_beginning(self.last_date) && !attempt.position.finished {
            attempt.position.finished = true;
            attempt.note_end(None, attempt.position.totals.pages, EndKind::CaughtUp.into());
        }
        Ok(())
    }

    /// The page where the last run stopped may be forgotten by now: then the list begins by time.
    async fn settle(
        &mut self,
        attempt: &mut Attempt<'_>,
        (): (),
        error: Error,
    ) -> Result<Option<AttemptEnd>> {
        let url = attempt.position.next_url.clone();
        let forgotten = |kept: &mut String| is_refused(&error) || attempt.is_at_another_address(kept);
        if url.is_none() && self.kept.take_if(forgotten).is_some() {
            attempt.pull.progress.note(format!(
                "the API no longer knows where the last run stopped ({error}): beginning by time instead"
            ));
            attempt.leave_out_delivered_lately().await?;
            attempt.position.by_time = true;
            self.pages = None;
            return Ok(None);
        }
        match attempt.settle_list(attempt.pull.stream(), error).await? {
            Some(AttemptEnd::Early(reason)) => self.stop(attempt, reason).await.map(Some),
            end => Ok(end),
        }
    }

    /// What was read is complete up to a durable cursor, unless nothing was, or what is shown again is not yet behind us.
    async fn stop(&mut self, attempt: &mut Attempt<'_>, reason: StopReason) -> Result<AttemptEnd> {
        let finished = attempt.position.next_url.is_some() && !attempt.position.by_time;
        if finished {
            attempt.position.finished = true;
            attempt.position.behind = attempt.seconds_behind(self.last_date).await?;
            attempt.note_end(None, attempt.position.totals.pages, EndKind::Behind.into());
        }
        attempt.checkpoint().await?;
        Ok(if finished { AttemptEnd::OfTheList } else { AttemptEnd::Early(reason) })
    }
}

impl Attempt<'_> {
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

    fn polled_pages(&self, request: PageRequest) -> Result<Pages> {
        let stream = self.pull.stream();
        let first = First {
            at_start: false,
            limits: self.pull.options.pages,
            polling: true,
            ..First::keyed(stream, request, &self.position.guard, self.learning.own())
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
        self.polled_pages(first_request(&self.pull.account, stream, None, stream.incremental(), &window)?)
    }

    /// Leaves out what earlier runs delivered of the time that is requested again.
    async fn leave_out_delivered_lately(&mut self) -> Result<()> {
        self.overlap = Overlap::new(self.delivered_lately().await?, self.position.overlap_forgotten);
        Ok(())
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
}

fn is_refused(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Refused | ErrorKind::NotFound)
}
