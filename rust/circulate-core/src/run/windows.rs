//! A period that is requested in windows, side by side: of a polling stream, or of one whose API takes no longer periods.

use std::time::Duration;

use jiff::Timestamp;

use super::attempt::Attempt;
use super::request::first_request;
use crate::api::http::server_date;
use crate::catalog::{Polling, Span, TimeWindow};
use crate::clock::{earlier, later};
use crate::error::{Error, ErrorKind, Result};
use crate::extract::cursor::{FilterTimes, Window};
use crate::extract::plan::Partition;
use crate::state::Mode;

/// Windows of one run: more would mean that the definition's windows are far too short.
const MAX_WINDOWS: usize = 10_000;

impl Attempt<'_> {
    /// Lists the windows of the period in the plan.
    pub(super) async fn plan_windows(&mut self, polling: &Polling) -> Result<()> {
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
        self.plan_period(&Partition::default(), since, until, |since| later(since, step)).await?;
        self.plan_is_full(0).await?;
        self.checkpoint().await
    }

    /// The end of the period that windows are of is the present, by our clock: what is newer is for the next run.
    pub(super) async fn end_windows(&mut self) -> Result<()> {
        let Some(rule) = self.pull.stream().incremental().filter(|rule| rule.window.is_some()) else {
            return Ok(());
        };
        if self.plan().until.is_none() {
            let now = earlier(self.pull.store.now().await?, rule.lag.map_or(Duration::ZERO, Span::get));
            self.plan().until = Some(now);
        }
        Ok(())
    }

    /// Lists the windows of a partition in the plan. They begin at the cursor, or where the API's records begin.
    pub(super) async fn plan_windows_of(&mut self, partition: &Partition, window: &TimeWindow) -> Result<()> {
        let Some(rule) = self.pull.stream().incremental() else { return Ok(()) };
        let Some(now) = self.plan().until else { return Ok(()) };
        let (times, run) = (FilterTimes::of(rule), &self.held.run);
        let kept_since = window.history.map(|history| earlier(now, history.get()));
        let until = run.window.until.map_or(now, |until| until.min(now));
        let cursor = self.since_of(partition, rule)?;
        let mut since = cursor.or(kept_since).unwrap_or(Timestamp::UNIX_EPOCH);
        if let Some(kept_since) = kept_since.filter(|kept_since| since < *kept_since) {
            let goes_on = cursor == run.window.since
                && (run.mode == Mode::Window || run.from_cursor.is_some() && run.mode == Mode::Incremental);
            let gap = format!("before {kept_since}, which the API no longer keeps");
            if goes_on && !self.plan().gaps.contains(&gap) {
                self.plan().gaps.push(gap);
            }
            since = kept_since;
        }
        let span = window.span.get();
        let end = |since| {
            let end = times.floor(later(since, span));
            // A lower bound may be sent that is earlier than the window; its length is that of what is sent.
            let sent = times.upper(end).duration_since(times.lower(since));
            let excess = Duration::try_from(sent).unwrap_or_default().saturating_sub(span);
            let shorter = times.floor(earlier(end, excess));
            if shorter > since { shorter } else { times.upper(later(since, Duration::from_nanos(1))) }
        };
        self.plan_period(partition, times.floor(since), until, end).await
    }

    /// Lists windows that follow each other in the plan, each with the end that `end` has for its beginning.
    async fn plan_period(
        &mut self,
        partition: &Partition,
        mut since: Timestamp,
        until: Timestamp,
        end: impl Fn(Timestamp) -> Timestamp,
    ) -> Result<()> {
        let mut windows = Vec::new();
        while since < until && windows.len() < MAX_WINDOWS {
            let end = end(since).min(until);
            windows.push(partition.in_window(since, end));
            since = end;
        }
        if since < until {
            return Err(Error::new(ErrorKind::Settings, "plan", "the part of time is too long")
                .hint("ask for it in pieces, with `since` and `until`"));
        }
        for window in windows {
            self.plan_one(window).await?;
        }
        Ok(())
    }

    /// The two halves of a window, if they are not shorter than may be.
    pub(super) fn halves(&self, partition: &Partition) -> Option<[Partition; 2]> {
        let window = self.window_of(partition)?;
        let rule = self.pull.stream().incremental()?;
        let (since, until) = (window.since?, window.until?);
        let length = Duration::try_from(until.duration_since(since)).ok()?;
        let middle = FilterTimes::of(rule).floor(later(since, length / 2));
        let least = rule.window.as_ref()?.min.map_or(Duration::ZERO, Span::get);
        let is_long = |from: Timestamp, to: Timestamp| {
            from < to && Duration::try_from(to.duration_since(from)).is_ok_and(|length| length >= least)
        };
        let both = is_long(since, middle) && is_long(middle, until);
        both.then(|| [partition.in_window(since, middle), partition.in_window(middle, until)])
    }

    /// The server's time, which any response has. A small page of the stream is requested: nothing else needs to be within
    /// our rights.
    pub(super) async fn server_time(&self) -> Result<Timestamp> {
        let mut small = self.pull.stream().clone();
        if let Some(size) = &mut small.page_size {
            size.preferred = Some(size.min);
        }
        let request = first_request(&self.pull.account, &small, None, None, &Window::default())?;
        match server_date(&self.client.fetch_headers(request).await?) {
            Some(date) => Ok(date),
            None => self.pull.store.now().await,
        }
    }
}
